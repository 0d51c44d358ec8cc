import { indexOf } from '../../foundation/indexed-names.ts'
import { ElementStore } from '../refusals/element-store.ts'
import { LimitExceeded } from '../refusals/limits.ts'
import type { PackedInput } from './packed-input.ts'
import type { PackedTargets } from './packed-targets.ts'
import { EXTENSION, FIXEXT_2, FIXEXT_4, isArray, LENGTH_BYTES } from './packed-tokens.ts'
import type { Shape } from './shape.ts'

/** If a dictionary has more shapes than this, ids from 32 on take a second byte: see RecordPacker. */
const MOST_SHAPES_OF_ONE_BYTE = 31
const FIRST_TWO_BYTE_ID = 32

/** msgpackr compiles the reader of a record at its fourth use. */
const USES_TO_COMPILE = 4
/** Most names in all the records of one payload whose readers msgpackr compiles. */
const MAX_COMPILED_NAMES = 65_536

/** The length of the longest name that is an index. */
const LONGEST_INDEX = 10

/** What counts of the names of a record. */
export interface PackedNames {
  readonly count: number
  /** The parts that a record of them counts as. */
  readonly parts: number
}

/** A shape that a payload defines. */
interface OwnShape extends PackedNames {
  uses: number
}

/**
 * The parts that a record of these names counts as: more than one if V8 takes some for indices, and makes room for the
 * elements before them. Names that are no indices may be left out.
 */
export function partsOf(names: Shape): number {
  let elements: ElementStore | undefined
  for (const name of names) {
    const index = indexOf(name)
    if (index < 0) continue
    elements ??= new ElementStore()
    elements.add(index)
  }
  return 1 + (elements?.parts ?? 0)
}

/** The shapes of a dictionary, and those that a payload defines. */
export class PackedShapes {
  /** Whether a record of the dictionary may count as more than one part. */
  readonly areLarge: boolean
  readonly #input: PackedInput
  readonly #targets: PackedTargets
  readonly #known: readonly PackedNames[]
  readonly #hasTwoByteIds: boolean
  /** The shapes of the payload by id; `undefined` while it has defined none. */
  #own: Map<number, OwnShape> | undefined
  /** The arrays of names that others point to. */
  #namesById: Map<number, PackedNames> | undefined
  #compiledNames = 0

  constructor(shapes: readonly Shape[], input: PackedInput, targets: PackedTargets) {
    this.#input = input
    this.#targets = targets
    this.#known = shapes.map((shape) => ({ count: shape.length, parts: partsOf(shape) }))
    this.areLarge = this.#known.some(({ parts }) => parts > 1)
    this.#hasTwoByteIds = shapes.length > MOST_SHAPES_OF_ONE_BYTE
  }

  /** Another payload begins. */
  reset(): void {
    this.#own = undefined
    this.#namesById = undefined
    this.#compiledNames = 0
  }

  /** The names of a record whose shape is known, by the id that was read. */
  used(firstId: number): PackedNames {
    let own = this.#own?.get(firstId)
    let id = firstId
    if (own === undefined && this.#hasTwoByteIds && firstId >= FIRST_TWO_BYTE_ID) {
      id += this.#input.byte() << 5
      own = this.#own?.get(id)
    }
    if (own !== undefined) this.#use(own)
    const names = own ?? this.#known[id]
    if (names === undefined) throw new SyntaxError('a record of an unknown shape')
    return names
  }

  #use(shape: OwnShape): void {
    if (++shape.uses !== USES_TO_COMPILE) return
    this.#compiledNames += 1 + shape.count
    if (this.#compiledNames > MAX_COMPILED_NAMES) throw new LimitExceeded('too many kinds of records')
  }

  /** A shape of the payload's own: its id and its names, which the values of its first record follow. */
  defined(token: number): PackedNames {
    this.#input.skip(1)
    let id = this.#input.byte() & 0x3f
    if (token === FIXEXT_2) {
      const highByte = this.#input.byte()
      if (id < FIRST_TWO_BYTE_ID || highByte === 0) throw new SyntaxError('an id that is never written')
      id += highByte << 5
    }
    const { count, parts } = this.#names()
    const shape = { count, parts, uses: 1 }
    this.#own ??= new Map()
    this.#own.set(id, shape)
    return shape
  }

  /** An array of strings. If a shape is defined again, msgpackr points to the names of its first definition. */
  #names(): PackedNames {
    const token = this.#input.byte()
    if (token === FIXEXT_4) return this.#sharedNames()
    if (!isArray(token)) throw new SyntaxError('a shape without names')
    const count = token < 0xa0 ? token & 0x0f : this.#input.number(LENGTH_BYTES[token] as number)
    if (count > this.#input.left) throw new RangeError('more names than bytes')
    let indices: string[] | undefined
    for (let left = count; left > 0; left--) {
      const length = this.#input.textLength()
      if (length <= LONGEST_INDEX && isDigit(this.#input.next)) {
        indices ??= []
        indices.push(this.#input.latin1(length))
      } else this.#input.skip(length)
    }
    return { count, parts: indices === undefined ? 1 : partsOf(indices) }
  }

  #sharedNames(): PackedNames {
    const type = this.#input.byte()
    const id = this.#input.number(4)
    const known = this.#namesById?.get(id)
    if (type === EXTENSION.POINTER && known !== undefined) return known
    if (type !== EXTENSION.ID) throw new SyntaxError('a shape without names')
    this.#targets.add(id)
    const names = this.#names()
    this.#namesById ??= new Map()
    this.#namesById.set(id, names)
    return names
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
