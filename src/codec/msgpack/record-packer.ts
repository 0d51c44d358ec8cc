import { Refusal } from '../refusals/refusal.ts'
import { PackedCheck } from './packed-check.ts'
import { partsOf } from './packed-shapes.ts'
import { assertPackable } from './packing.ts'
import type { Shape } from './shape.ts'

/** The `msgpackr` package. */
export type MsgpackrModule = typeof import('msgpackr')

/**
 * The options of every packer: Map, Set, Date, BigInt of any size, typed arrays and cycles. Byte strings are copied
 * when they are read, since their buffer is used again.
 */
const OPTIONS = {
  structuredClone: true,
  moreTypes: true,
  useBigIntExtension: true,
  copyBuffers: true,
  writeFunction: refuseFunction,
}

/** The number of record ids that fit in one byte. */
const ONE_BYTE_IDS = 64
/** If the ids do not all fit in one byte, those from here on take a second one. */
const FIRST_TWO_BYTE_ID = 32
/** Shapes of its own that a payload can have at a time; beyond that it repeats them. */
const OWN_SHAPES = 32

/** The names of a shape, with the properties that msgpackr sets on the array. */
type ReadableShape = string[] & { isShared?: boolean; highByte?: number }

/**
 * Payloads are copied here, since msgpackr creates a DataView for each buffer that it has not seen before. No payload
 * stays here when it has been read.
 */
const SCRATCH = Buffer.allocUnsafeSlow(64 * 1024)
/** One object serves all calls. */
const WINDOW = { start: 0, end: 0 }

/**
 * A smaller payload has too many parts only if it has large shapes or patterns. Its nesting is checked before it is packed.
 */
const CHECKED_FROM_BYTES = 64 * 1024

/**
 * MessagePack by `msgpackr`, in which an id replaces the property names of every record whose shape both sides know. A
 * payload contains the names of any other shape itself. It packs and unpacks synchronously.
 *
 * It relies on three properties of msgpackr (2.1.2 and later):
 *
 * - msgpackr calls `shouldShareStructure` for each shape without an id, as long as there is room for one more. The
 *   answer is always no, so that only the given shapes are shared, and there is always room.
 * - If more than 64 ids are possible, those from 32 on take a second byte. A reader detects it by the shape that has
 *   the first byte as its id, so there must be a shape at each place from 32 to 63 (`highByte` 0), even if nothing
 *   refers to it. For the same reason the shapes that a payload contains begin at 64 then; versions before 2.1 could
 *   misread lower ones.
 * - A shape that a payload contains may replace one that the reader has learned. One that is marked `isShared` is
 *   restored when the payload has been read.
 */
export class RecordPacker {
  readonly #msgpackr: MsgpackrModule
  readonly #losesMarks: boolean
  readonly #shapes: readonly Shape[]
  readonly #note: (names: readonly string[]) => void
  readonly #readable: readonly ReadableShape[]
  readonly #check: PackedCheck
  #packr: InstanceType<MsgpackrModule['Packr']> | undefined
  #unpackr: InstanceType<MsgpackrModule['Unpackr']> | undefined
  /** Whether a part of the value that is being packed may count as many. */
  #hasLargePart = false

  /**
   * @param note receives the names of each packed record of an unknown shape, at least once per payload
   * @param shorter a packer of the first of these shapes, whose compiled readers are reused
   */
  constructor(
    msgpackr: MsgpackrModule,
    shapes: readonly Shape[],
    note: (names: readonly string[]) => void,
    shorter?: RecordPacker,
  ) {
    this.#msgpackr = msgpackr
    this.#losesMarks = !msgpackr.isNativeAccelerationEnabled
    this.#shapes = shapes
    this.#note = note
    this.#check = new PackedCheck(shapes, this.#losesMarks)
    const compiled = shorter === undefined ? [] : shorter.#readable
    this.#readable = shapes.map((shape, id) => compiled[id] ?? readable(shape, id))
  }

  /** @throws any error if the value cannot be represented */
  pack(value: unknown): Uint8Array {
    const mayBeLarge = assertPackable(value, this.#losesMarks)
    this.#packr ??= this.#createPackr()
    this.#hasLargePart = mayBeLarge || this.#check.hasLargeShapes
    const packed = this.#packr.pack(value)
    if (packed.length >= CHECKED_FROM_BYTES || this.#hasLargePart) this.#check.assert(packed, 0)
    return packed
  }

  /**
   * The value in a buffer from `start` to its end. It shares no memory with the buffer.
   * @throws any error if the bytes are not a result of {@link pack}, or exceed a limit of {@link PackedCheck}
   */
  unpack(bytes: Buffer, start: number): unknown {
    this.#check.assert(bytes, start)
    this.#unpackr ??= this.#createUnpackr()
    if (bytes.length > SCRATCH.length) return this.#unpackr.unpack(bytes.subarray(start))
    SCRATCH.set(bytes)
    WINDOW.start = start
    WINDOW.end = bytes.length
    try {
      return this.#unpackr.unpack(SCRATCH, WINDOW)
    } finally {
      SCRATCH.fill(0, 0, bytes.length)
    }
  }

  #createPackr(): InstanceType<MsgpackrModule['Packr']> {
    const known = this.#shapes.length
    const isOneByte = known + 1 + OWN_SHAPES <= ONE_BYTE_IDS
    const maxSharedStructures = isOneByte ? known + 1 : Math.max(known + 1, ONE_BYTE_IDS)
    return new this.#msgpackr.Packr({
      ...OPTIONS,
      structures: this.#shapes.map((shape) => [...shape]),
      maxSharedStructures,
      maxOwnStructures: isOneByte ? ONE_BYTE_IDS - maxSharedStructures : OWN_SHAPES,
      shouldShareStructure: (names: unknown) => this.#keepToItself(names),
    } as ConstructorParameters<MsgpackrModule['Packr']>[0])
  }

  /**
   * Called by msgpackr for each shape without an id. In its own lookup of names, msgpackr stores data under the name
   * `__keys__`, so a record with a property of that name would be written with the names of another.
   */
  #keepToItself(names: unknown): false {
    if (!Array.isArray(names) || names.includes('__keys__')) {
      this.#packr = undefined
      throw new Refusal('a property that msgpack cannot store')
    }
    this.#note(names)
    if (partsOf(names) > 1) this.#hasLargePart = true
    return false
  }

  #createUnpackr(): InstanceType<MsgpackrModule['Unpackr']> {
    const structures = [...this.#readable]
    for (let id = structures.length; id < ONE_BYTE_IDS; id++) structures.push(readable([], id))
    return new this.#msgpackr.Unpackr({ ...OPTIONS, structures } as ConstructorParameters<
      MsgpackrModule['Unpackr']
    >[0])
  }
}

function readable(shape: Shape, id: number): ReadableShape {
  const names: ReadableShape = [...shape]
  names.isShared = true
  if (id >= FIRST_TWO_BYTE_ID) names.highByte = (id - FIRST_TWO_BYTE_ID) >> 5
  return names
}

/** By default msgpackr writes a function as `undefined`. */
function refuseFunction(): never {
  throw new Refusal('a function')
}
