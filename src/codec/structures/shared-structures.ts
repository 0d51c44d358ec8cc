import type { CacheError } from '../../foundation/errors/cache-error.ts'
import {
  type Clock,
  SYSTEM_CLOCK,
  SYSTEM_TIMERS,
  type Timers,
  TurnClock,
} from '../../foundation/time/clock.ts'
import type { ResolvedEncryption } from '../envelope/encryption.ts'
import type { StructuresName } from '../envelope/structures-section.ts'
import { unreadable } from '../envelope/unreadable.ts'
import { loadMsgpackr } from '../msgpack/msgpack.ts'
import type { RecordPacker } from '../msgpack/record-packer.ts'
import { KnownDictionaries } from './known-dictionaries.ts'
import { mayHoldRecords } from './may-hold-records.ts'
import { Publisher } from './publisher.ts'
import { openDictionary } from './sealed-dictionary.ts'
import { ShapeCandidates } from './shape-candidates.ts'
import type { StructureStore } from './structure-store.ts'
import { UnknownNames } from './unknown-names.ts'

/** A packed value and the dictionary that it refers to. */
export interface PackedValue {
  readonly payload: Uint8Array
  /** `undefined` if it refers to none; then any reader can unpack it. */
  readonly structures: StructuresName | undefined
}

/** The parts of {@link SharedStructures}. */
export interface SharedStructuresParts {
  readonly store: StructureStore
  readonly encryption: ResolvedEncryption | undefined
  /** @default the system's */
  readonly clock?: Clock | undefined
  /** @default the system's */
  readonly timers?: Timers | undefined
}

/**
 * Packs records whose shapes (lists of property names) are stored once beside the data, and not in each value.
 *
 * **Writing** never waits. A shape that the store has acknowledged is written as an id; a payload contains any other
 * shape itself. A shape that recurs is appended to the dictionary in the background, see {@link Publisher}, and is used
 * once that was acknowledged. So an entry only refers to shapes that were in the store before it.
 *
 * **Reading** compares the name in the entry with that of the current dictionary. Only an unknown name costs a round
 * trip, which concurrent readers share. If the store does not know the name either, the dictionary was lost: the read
 * is a miss, and the name is not asked for again for a while. Writers assert the dictionary regularly, which repairs a
 * loss.
 */
export class SharedStructures {
  readonly #parts: SharedStructuresParts
  readonly #clock: Clock
  readonly #candidates = new ShapeCandidates()
  readonly #unknown: UnknownNames
  #known: KnownDictionaries | undefined
  #publisher: Publisher | undefined
  #loading: Promise<void> | undefined
  /** The number of values packed so far, which numbers them for the candidates. */
  #packed = 0

  constructor(parts: SharedStructuresParts) {
    this.#parts = parts
    this.#clock = parts.clock ?? new TurnClock(SYSTEM_CLOCK)
    this.#unknown = new UnknownNames(this.#clock)
  }

  /** Must resolve before {@link pack} is called. @throws CacheError `CACHE_MISSING_PEER` */
  async prepareToPack(): Promise<void> {
    const known = await this.#prepare()
    this.#publisher ??= new Publisher({
      ...this.#parts,
      known,
      clock: this.#clock,
      timers: this.#parts.timers ?? SYSTEM_TIMERS,
    })
  }

  /** Loads the dictionary, if values are written. Must be called when the store is open. Never rejects. */
  async open(): Promise<void> {
    if (this.#publisher === undefined) return
    this.#publisher.start()
    await this.#load().catch(() => {})
  }

  /** Ends the work in the background. Must be called before the store is closed. */
  close(): Promise<void> {
    return this.#publisher?.stop() ?? Promise.resolve()
  }

  /** The content of the store was removed; the next write stores the dictionary again. */
  removed(): void {
    this.#publisher?.removed()
  }

  /** Whether {@link prepareToPack} has resolved. */
  get canPack(): boolean {
    return this.#publisher !== undefined
  }

  /** @throws any error if the value cannot be represented */
  pack(value: unknown): PackedValue {
    const known = this.#known as KnownDictionaries
    const publisher = this.#publisher as Publisher
    const { dictionary, packer } = publisher.isThere ? known.current : known.none
    this.#packed++
    const payload = packer.pack(value)
    if (known.current.dictionary.name === undefined || !mayHoldRecords(value)) {
      return { payload, structures: undefined }
    }
    publisher.used()
    return { payload, structures: dictionary.name }
  }

  /**
   * The value in `bytes` from `start` on; a promise of it if its dictionary has to be loaded.
   * @param header contains section 4 at `sectionAt`
   * @throws CacheError `CACHE_UNDECODABLE` if there is no such dictionary (or the promise rejects with it)
   */
  unpack(header: Buffer, sectionAt: number, bytes: Buffer, start: number): unknown {
    const packer = this.#known?.find(header, sectionAt)
    if (packer !== undefined) return packer.unpack(bytes, start)
    return this.#loadFor(header, sectionAt).then((loaded) => loaded.unpack(bytes, start))
  }

  async #loadFor(header: Buffer, sectionAt: number): Promise<RecordPacker> {
    const known = await this.#prepare()
    if (this.#unknown.has(header, sectionAt)) throw lost()
    // A read that was already in flight may return a dictionary older than the entry. If so, it is read once more.
    for (let isFresh = this.#loading === undefined; ; isFresh = true) {
      await this.#load().catch(refuse)
      const packer = known.find(header, sectionAt)
      if (packer !== undefined) return packer
      if (isFresh) break
    }
    this.#unknown.add(header, sectionAt)
    throw lost()
  }

  async #prepare(): Promise<KnownDictionaries> {
    if (this.#known === undefined) {
      const msgpackr = await loadMsgpackr()
      this.#known ??= new KnownDictionaries(msgpackr, (names) => this.#note(names))
    }
    return this.#known
  }

  /** Loads the dictionary; concurrent callers share one read. */
  #load(): Promise<void> {
    this.#loading ??= this.#loadNow().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  async #loadNow(): Promise<void> {
    const { encryption, store } = this.#parts
    const bytes = await store.load()
    const found = bytes === null ? undefined : openDictionary(store.storedKey, bytes, encryption)
    if (this.#publisher !== undefined) this.#publisher.met(bytes, found)
    else if (found !== undefined) this.#known?.meet(found)
  }

  /** Called for each record without an id, while its value is being packed. */
  #note(names: readonly string[]): void {
    const publisher = this.#publisher
    if (publisher === undefined || publisher.isFull) return
    const shape = this.#candidates.note(names, this.#packed)
    if (shape !== undefined) publisher.learn(shape)
  }
}

function lost(): CacheError {
  return unreadable('the dictionary of record structures that they refer to is not to be found')
}

/** Replaces a failure of the store: for this reader, the value cannot be decoded. */
function refuse(): never {
  throw unreadable('the dictionary of record structures that they refer to cannot be loaded')
}
