import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import { type BoundGeneration, readGenerations } from '../../codec/envelope/entry-meta.ts'
import type { PlainEntry } from '../../codec/envelope/envelope.ts'
import { unreadable } from '../../codec/envelope/unreadable.ts'
import { copyOf, isGenerationUnder } from '../../foundation/reserved-keys.ts'
import type { Clock } from '../../foundation/time/clock.ts'
import { type GenerationSet, NO_GENERATIONS } from '../tags/generation-set.ts'
import type { GenerationTable } from '../tags/generation-table.ts'
import type { KnownGeneration } from '../tags/known-generation.ts'
import type { KeyRead } from './key-read.ts'

/** The generations of an entry if all are the current ones, else `undefined`; a promise if Redis has to be asked. */
export type CheckedSet = GenerationSet | undefined | Promise<GenerationSet | undefined>

/** Checks whether the generations that an entry is bound to are still the current ones. */
export class GenerationCheck {
  readonly #generations: GenerationTable
  readonly #tier: SharedTier
  readonly #rootPrefix: string
  readonly #clock: Clock
  /** The section `generations` of the last entry, and its set: most entries have the same one. */
  #lastSection: Buffer = Buffer.alloc(0)
  #lastSet: GenerationSet = NO_GENERATIONS

  /** @param rootPrefix the prefix of every stored key of the cache */
  constructor(generations: GenerationTable, tier: SharedTier, rootPrefix: string, clock: Clock) {
    this.#generations = generations
    this.#tier = tier
    this.#rootPrefix = rootPrefix
    this.#clock = clock
  }

  /**
   * Fetches generations for a read that must reflect every change that Redis has acknowledged: those whose push might
   * arrive after the reply.
   */
  askAnew(storedKey: string, generationKeys: readonly string[]): NonNullable<KeyRead['asked']> {
    const asked = new Map<string, Promise<KnownGeneration | undefined>>()
    for (const generationKey of generationKeys) {
      if (this.#tier.pushesInOrder(storedKey, generationKey)) continue
      const fetching = this.#generations.fetchAnew(generationKey)
      // The judgement that needs the generation gets the failure.
      fetching.catch(() => {})
      asked.set(generationKey, fetching)
    }
    return asked
  }

  /** What {@link currentSet} needs to tell whether generations are the current ones from now on. */
  readAnew(storedKey: string, generationKeys: readonly string[]): KeyRead {
    const asked = this.askAnew(storedKey, generationKeys)
    return { storedKey, askedAt: this.#generations.now, asked }
  }

  /**
   * The set of an entry in the most frequent form; usually the same as that of the entry before it.
   * @throws CacheError as {@link currentSet}
   */
  setIn(read: KeyRead, bytes: Buffer, { generationsAt, payloadAt }: PlainEntry): CheckedSet {
    const isLasting =
      read.asked === undefined && this.#tier.localTtlMs === Number.POSITIVE_INFINITY && this.#isTrusted()
    if (isLasting && this.#lastSet.isValid && isAt(bytes, generationsAt, payloadAt, this.#lastSection)) {
      return this.#lastSet
    }
    const set = this.currentSet(read, readGenerations(bytes, generationsAt, payloadAt))
    if (isLasting && set !== undefined && !(set instanceof Promise)) {
      this.#lastSection = Buffer.from(bytes.subarray(generationsAt, payloadAt))
      this.#lastSet = set
    }
    return set
  }

  /**
   * The set of these generations if all are the current ones; `undefined` if one is not.
   * @throws CacheError as {@link assertOwn}
   */
  currentSet(read: KeyRead, bound: readonly BoundGeneration[]): CheckedSet {
    const isBelieved = bound.every(({ storedKey }) => this.#isBelieved(read, storedKey))
    const set = isBelieved ? this.#generations.resolve(bound) : undefined
    if (set !== undefined) return set
    this.assertOwn(bound)
    // An entry that was copied from a cluster to a single server may be bound to a copy that `clear()` does not replace.
    if (!bound.every(({ storedKey }) => this.#tier.generationCopies.includes(copyOf(storedKey))))
      return undefined
    return this.#askFor(read, bound)
  }

  /**
   * Whoever can write to the shared tier could otherwise make this process read any key.
   * @throws CacheError `CACHE_UNDECODABLE` if no cache with this prefix binds an entry to these generations
   */
  assertOwn(bound: readonly BoundGeneration[]): void {
    if (bound.every((one) => isGenerationUnder(this.#rootPrefix, one.storedKey))) return
    throw unreadable('the entry is bound to what is no generation of this cache')
  }

  /**
   * Whether the read may believe what this process knows of a generation. It may if a push would have arrived before its
   * reply. Otherwise a read with `asked` may not, and any other read may while pushes can be trusted to arrive.
   */
  #isBelieved({ asked, storedKey }: KeyRead, generationKey: string): boolean {
    return (asked === undefined && this.#isTrusted()) || this.#tier.pushesInOrder(storedKey, generationKey)
  }

  #isTrusted(): boolean {
    return this.#clock.monotonicMs() < this.#tier.trustedUntilMs
  }

  async #askFor(read: KeyRead, bound: readonly BoundGeneration[]): Promise<GenerationSet | undefined> {
    // All reads are sent in one tick, and so share a round trip.
    const current = await Promise.all(bound.map((one) => this.#current(read, one)))
    const known: KnownGeneration[] = []
    for (const one of current) {
      if (one === undefined) return undefined
      known.push(one)
    }
    return this.#generations.setOf(bound, known)
  }

  /** The current generation, if it is the one that the entry is bound to, perhaps before it was expired. */
  async #current(
    read: KeyRead,
    { generation, storedKey }: BoundGeneration,
  ): Promise<KnownGeneration | undefined> {
    const isBelieved = this.#isBelieved(read, storedKey)
    let current: KnownGeneration | undefined
    if (isBelieved || read.asked === undefined) {
      const known = this.#generations.known(storedKey)
      // If it was last confirmed before this read began, the entry may be newer, so the generation is read again (T4).
      const isSure = known !== undefined && known.confirmedAt >= read.askedAt
      if ((isBelieved || isSure) && known?.admits(generation)) return known
      current = isSure ? undefined : await this.#generations.fetch(storedKey)
    } else {
      current = await (read.asked.get(storedKey) ?? this.#generations.fetchAnew(storedKey))
    }
    return current?.admits(generation) ? current : undefined
  }
}

/** Whether `bytes` contains `wanted` from `start` to `end`. For so few bytes, a native call would be slower. */
function isAt(bytes: Buffer, start: number, end: number, wanted: Buffer): boolean {
  if (end - start !== wanted.length) return false
  for (let index = 0; index < wanted.length; index++) {
    if (bytes[start + index] !== wanted[index]) return false
  }
  return true
}
