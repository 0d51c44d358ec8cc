import {
  type EntryFacts,
  leaseDeadlineMs,
  readEntryFacts,
  readGenerations,
} from '../../codec/envelope/entry-meta.ts'
import type { PlainEntry } from '../../codec/envelope/envelope.ts'
import { isolate } from '../local/isolation.ts'
import { LocalEntry, type LocalTimes } from '../local/local-entry.ts'
import { localTimesOf } from '../local/local-times.ts'
import { type GenerationSet, NO_GENERATIONS } from '../tags/generation-set.ts'
import { type Accepts, isAccepted } from './acceptance.ts'
import type { ReaderParts } from './entry-reader.ts'

/** Judges what most reads bring within the callback that brings it, and leaves the rest to an `EntryReader`. */
export class InstantReader {
  readonly #parts: Pick<ReaderParts, 'codec' | 'generations' | 'isolation' | 'local' | 'tier'>
  /** The section `generations` of the last entry that was judged, and what it means. */
  #lastSection: Buffer = Buffer.alloc(0)
  #lastDependence: GenerationSet = NO_GENERATIONS

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
    let generationSet: GenerationSet | undefined
    let facts: EntryFacts
    let times: LocalTimes
    let value: unknown
    try {
      const found = codec.openPlainEntry(storedKey, bytes)
      if (found === undefined) return undefined
      generationSet = this.#dependenceIn(bytes, found)
      if (generationSet === undefined) return undefined
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
    if (!isAccepted(value, accepts)) return undefined
    const entry = new LocalEntry(isolate(value, isolation), facts, times, generationSet, local.epoch)
    local.keep(storedKey, pending, entry, bytes.length)
    return entry
  }

  /** What an entry depends on, where all of that is known here; the same as the entry before it, as a rule. */
  #dependenceIn(bytes: Buffer, { generationsAt, payloadAt }: PlainEntry): GenerationSet | undefined {
    const { generations, tier } = this.#parts
    const isLasting = tier.localTtlMs === Number.POSITIVE_INFINITY
    if (
      isLasting &&
      this.#lastDependence.isValid &&
      isAt(bytes, generationsAt, payloadAt, this.#lastSection)
    ) {
      return this.#lastDependence
    }
    const generationSet = generations.generationSetOf(readGenerations(bytes, generationsAt))
    if (generationSet !== undefined) {
      this.#lastSection = Buffer.from(bytes.subarray(generationsAt, payloadAt))
      this.#lastDependence = generationSet
    }
    return generationSet
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
