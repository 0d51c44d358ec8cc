import { type EntryFacts, leaseDeadlineMs, readEntryFacts, readGenerations } from '../codec/entry-meta.ts'
import type { PlainEntry } from '../codec/envelope.ts'
import { type Dependence, INDEPENDENT } from './dependence.ts'
import type { ReaderParts } from './entry-reader.ts'
import { localTimesOf } from './entry-times.ts'
import { isolate } from './isolation.ts'
import { type Accepts, mayBeServed } from './load-request.ts'
import { LocalEntry, type LocalTimes } from './local-entry.ts'

/** Judges what most reads bring within the callback that brings it, and leaves the rest to an `EntryReader`. */
export class InstantReader {
  readonly #parts: Pick<ReaderParts, 'codec' | 'generations' | 'isolation' | 'local' | 'tier'>
  /** The section `generations` of the last entry that was judged, and what it means. */
  #lastSection: Buffer = Buffer.alloc(0)
  #lastDependence: Dependence = INDEPENDENT

  constructor(parts: Pick<ReaderParts, 'codec' | 'generations' | 'isolation' | 'local' | 'tier'>) {
    this.#parts = parts
  }

  /**
   * The fresh value in these bytes, where that can be told at once: its generations are known here, and nothing has to
   * be loaded to decode it. Kept as what an `EntryReader` finds is.
   */
  freshIn(
    storedKey: string,
    bytes: Buffer,
    pending: object,
    accepts: Accepts | undefined,
    nowMs: number,
  ): LocalEntry | undefined {
    const { codec, isolation, local, tier } = this.#parts
    let dependence: Dependence | undefined
    let facts: EntryFacts
    let times: LocalTimes
    let value: unknown
    try {
      const found = codec.openPlainEntry(storedKey, bytes)
      if (found === undefined) return undefined
      dependence = this.#dependenceIn(bytes, found)
      if (dependence === undefined) return undefined
      facts = readEntryFacts(bytes)
      times = localTimesOf(tier, storedKey, facts, leaseDeadlineMs(bytes), nowMs)
      // What no clock can have written is not fresh either.
      if (!(nowMs < times.freshUntilMs)) return undefined
      value = codec.decodePlainEntry(bytes, found)
    } catch {
      // It is told when it is judged.
      return undefined
    }
    if (value instanceof Promise) {
      value.catch(() => {})
      return undefined
    }
    if (!mayBeServed(value, accepts)) return undefined
    const entry = new LocalEntry(isolate(value, isolation), facts, times, dependence, local.epoch)
    local.keep(storedKey, pending, entry, bytes.length)
    return entry
  }

  /** What an entry depends on, where all of that is known here; the same as the entry before it, as a rule. */
  #dependenceIn(bytes: Buffer, { generationsAt, payloadAt }: PlainEntry): Dependence | undefined {
    const { generations, tier } = this.#parts
    const isLasting = tier.localTtlMs === Number.POSITIVE_INFINITY
    if (
      isLasting &&
      this.#lastDependence.isValid &&
      isAt(bytes, generationsAt, payloadAt, this.#lastSection)
    ) {
      return this.#lastDependence
    }
    const dependence = generations.dependenceOn(readGenerations(bytes, generationsAt))
    if (dependence !== undefined) {
      this.#lastSection = Buffer.from(bytes.subarray(generationsAt, payloadAt))
      this.#lastDependence = dependence
    }
    return dependence
  }
}

/** Whether these bytes stand there; they are too few for a call to pay. */
function isAt(bytes: Buffer, start: number, end: number, wanted: Buffer): boolean {
  if (end - start !== wanted.length) return false
  for (let index = 0; index < wanted.length; index++) {
    if (bytes[start + index] !== wanted[index]) return false
  }
  return true
}
