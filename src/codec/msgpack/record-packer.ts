import type { Shape } from './shape.ts'

/** The `msgpackr` package. */
export type MsgpackrModule = typeof import('msgpackr')

/**
 * What every payload is written and read with: Map, Set, Date, BigInt of any size, typed arrays, cycles. Byte strings
 * that are read are copies: the buffer they lay in is another's.
 */
const OPTIONS = {
  structuredClone: true,
  moreTypes: true,
  useBigIntExtension: true,
  copyBuffers: true,
  writeFunction: refuseFunction,
}

/** Ids of records that fit in one byte. */
const ONE_BYTE_IDS = 64
/** Ids from here on, where they do not all fit in one byte, are completed by a second. */
const FIRST_TWO_BYTE_ID = 32
/** Shapes that a payload brings with it, at a time; past that it tells them again. */
const OWN_SHAPES = 32

/** What msgpackr notes on the array of names of a shape that it reads. */
type ReadableShape = string[] & { isShared?: boolean; highByte?: number }

/** Payloads are copied to here, as msgpackr makes a DataView for each buffer that it has not seen before. */
const SCRATCH = Buffer.allocUnsafeSlow(64 * 1024)
/** One object serves all calls. */
const WINDOW = { start: 0, end: 0 }

/**
 * MessagePack by `msgpackr`, with records of which both sides know the shapes: an id takes the place of their names.
 * Any other shape is told within the payload. Packs and unpacks synchronously.
 *
 * Three things in msgpackr this rests on (versions 1.11 to 2.1):
 *
 * - `shouldShareStructure` is asked for each shape without an id as long as there is room for one more. It is always
 *   told no, so that nothing is shared but what was there from the beginning, and hence there is always room.
 * - Where more than 64 ids are possible, those from 32 on take a second byte, and a reader finds it by the shape that
 *   has the first byte as its id: so there must be one at each place from 32 to 63 (`highByte` 0), if need be one that
 *   nothing refers to. For the same reason the shapes that a payload brings begin at 64 then; in versions before 2.1
 *   those below could be misread.
 * - A shape that a payload brings may take the place of one that the reader has learned meanwhile: one that is marked
 *   `isShared` is put back when the payload has been read.
 */
export class RecordPacker {
  readonly #msgpackr: MsgpackrModule
  readonly #shapes: readonly Shape[]
  readonly #note: (names: readonly string[]) => void
  readonly #readable: readonly ReadableShape[]
  #packr: InstanceType<MsgpackrModule['Packr']> | undefined
  #unpackr: InstanceType<MsgpackrModule['Unpackr']> | undefined

  /**
   * @param note is told the names of each record that is packed and whose shape is not known, at least once a payload
   * @param shorter a packer of the first of these shapes, whose compiled readers are taken over
   */
  constructor(
    msgpackr: MsgpackrModule,
    shapes: readonly Shape[],
    note: (names: readonly string[]) => void,
    shorter?: RecordPacker,
  ) {
    this.#msgpackr = msgpackr
    this.#shapes = shapes
    this.#note = note
    const compiled = shorter === undefined ? [] : shorter.#readable
    this.#readable = shapes.map((shape, id) => compiled[id] ?? readable(shape, id))
  }

  /** @throws any error where the value cannot be represented */
  pack(value: unknown): Uint8Array {
    this.#packr ??= this.#createPackr()
    return this.#packr.pack(value)
  }

  /**
   * The value in a buffer from `start` to its end; shares no memory with it.
   * @throws any error where the bytes are not what {@link pack} writes
   */
  unpack(bytes: Buffer, start: number): unknown {
    this.#unpackr ??= this.#createUnpackr()
    // msgpackr takes an end of 0 for none.
    if (bytes.length <= start) throw new RangeError('the payload is empty')
    if (bytes.length > SCRATCH.length) return this.#unpackr.unpack(bytes.subarray(start))
    SCRATCH.set(bytes)
    WINDOW.start = start
    WINDOW.end = bytes.length
    return this.#unpackr.unpack(SCRATCH, WINDOW)
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
   * Told of each shape that has no id. Where names are looked up, msgpackr keeps notes of its own under the name
   * `__keys__`: records that have a property of that name would be written with the names of others.
   */
  #keepToItself(names: unknown): false {
    if (!Array.isArray(names) || names.includes('__keys__')) {
      this.#packr = undefined
      throw new TypeError('msgpack cannot carry a property __keys__')
    }
    this.#note(names)
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

/** Left to itself, msgpackr writes a function as `undefined`. */
function refuseFunction(): never {
  throw new TypeError('msgpack cannot carry a function')
}
