import { type MsgpackrModule, RecordPacker } from '../msgpack/record-packer.ts'
import { Dictionary } from './dictionary.ts'

/** A dictionary and its packer. */
export interface KnownDictionary {
  readonly dictionary: Dictionary
  readonly packer: RecordPacker
}

/** The most dictionaries that are kept for reading, beside the current one. */
const MOST_OTHERS = 7

/**
 * The dictionaries of a process: the current one, with which it writes, and earlier ones that the dictionary of another
 * process has replaced, for reading. A dictionary that another one extends is dropped.
 */
export class KnownDictionaries {
  readonly #msgpackr: MsgpackrModule
  readonly #note: (names: readonly string[]) => void
  /** The packer of payloads that refer to no dictionary. */
  readonly none: KnownDictionary
  #current: KnownDictionary
  /** The most recently used one first. */
  #others: readonly KnownDictionary[] = []

  /** @param note see {@link RecordPacker} */
  constructor(msgpackr: MsgpackrModule, note: (names: readonly string[]) => void) {
    this.#msgpackr = msgpackr
    this.#note = note
    this.none = { dictionary: Dictionary.EMPTY, packer: new RecordPacker(msgpackr, [], note) }
    this.#current = this.none
  }

  get current(): KnownDictionary {
    return this.#current
  }

  /** Makes the dictionary in the store the current one, unless the current one extends it. */
  meet(dictionary: Dictionary): void {
    const before = this.#current
    if (before.dictionary.extends(dictionary)) return
    const isLonger = dictionary.extends(before.dictionary)
    const shorter = isLonger ? before.packer : undefined
    const packer = new RecordPacker(this.#msgpackr, dictionary.shapes, this.#note, shorter)
    const others = isLonger ? this.#others : [before, ...this.#others]
    this.#others = others.filter((one) => !dictionary.extends(one.dictionary)).slice(0, MOST_OTHERS)
    this.#current = { dictionary, packer }
  }

  /** The packer that reads the payload of an entry whose section 4 is in `bytes` at `offset`. */
  find(bytes: Buffer, offset: number): RecordPacker | undefined {
    const count = (bytes[offset] as number) * 256 + (bytes[offset + 1] as number)
    const { dictionary, packer } = this.#current
    if (dictionary.isNamed(count, bytes, offset + 2)) return packer
    const other = this.#others.find((one) => one.dictionary.isNamed(count, bytes, offset + 2))
    if (other === undefined) return undefined
    this.#others = [other, ...this.#others.filter((one) => one !== other)]
    return other.packer
  }
}
