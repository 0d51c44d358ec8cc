import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import { type BoundGeneration, readGenerations } from '../../codec/envelope/entry-meta.ts'
import type { PlainEntry } from '../../codec/envelope/envelope.ts'
import { type GenerationSet, NO_GENERATIONS } from '../tags/generation-set.ts'
import type { GenerationTable } from '../tags/generation-table.ts'
import type { KnownGeneration } from '../tags/known-generation.ts'
import type { KeyRead } from './key-read.ts'

/** The generations of an entry if all are the current ones, else `undefined`; a promise where Redis has to be asked. */
export type CheckedSet = GenerationSet | undefined | Promise<GenerationSet | undefined>

/** Whether the generations that an entry is bound to are still the current ones. */
export class GenerationCheck {
  readonly #generations: GenerationTable
  readonly #tier: SharedTier
  /** The section `generations` of the last entry, and what it means: most entries have the same one. */
  #lastSection: Buffer = Buffer.alloc(0)
  #lastSet: GenerationSet = NO_GENERATIONS

  constructor(generations: GenerationTable, tier: SharedTier) {
    this.#generations = generations
    this.#tier = tier
  }

  /**
   * Asks for the generations of a read that must not be older than a change that was acknowledged anywhere: for those
   * whose pushes may arrive later than the reply.
   */
  askAnew(storedKey: string, generationKeys: readonly string[]): NonNullable<KeyRead['asked']> {
    const asked = new Map<string, Promise<KnownGeneration | undefined>>()
    for (const generationKey of generationKeys) {
      if (this.#tier.pushesInOrder(storedKey, generationKey)) continue
      const fetching = this.#generations.fetchAnew(generationKey)
      // A failure is told to the judgement that needs it.
      fetching.catch(() => {})
      asked.set(generationKey, fetching)
    }
    return asked
  }

  /** The set of an entry in the form that is read most; usually the same as that of the entry before it. */
  setIn(read: KeyRead, bytes: Buffer, { generationsAt, payloadAt }: PlainEntry): CheckedSet {
    const isLasting = read.asked === undefined && this.#tier.localTtlMs === Number.POSITIVE_INFINITY
    if (isLasting && this.#lastSet.isValid && isAt(bytes, generationsAt, payloadAt, this.#lastSection)) {
      return this.#lastSet
    }
    const set = this.currentSet(read, readGenerations(bytes, generationsAt))
    if (isLasting && set !== undefined && !(set instanceof Promise)) {
      this.#lastSection = Buffer.from(bytes.subarray(generationsAt, payloadAt))
      this.#lastSet = set
    }
    return set
  }

  /** The set of these generations if all are the current ones; `undefined` where one is not. */
  currentSet(read: KeyRead, bound: readonly BoundGeneration[]): CheckedSet {
    const isBelieved = bound.every(({ storedKey }) => this.#isBelieved(read, storedKey))
    const set = isBelieved ? this.#generations.resolve(bound) : undefined
    return set ?? this.#askFor(read, bound)
  }

  /** Whether what is known of a generation may be believed, since news of a change would have come before the reply. */
  #isBelieved({ asked, storedKey }: KeyRead, generationKey: string): boolean {
    return asked === undefined || this.#tier.pushesInOrder(storedKey, generationKey)
  }

  async #askFor(read: KeyRead, bound: readonly BoundGeneration[]): Promise<GenerationSet | undefined> {
    // All in one tick, so in one round trip.
    const current = await Promise.all(bound.map((one) => this.#current(read, one)))
    const known: KnownGeneration[] = []
    for (const one of current) {
      if (one === undefined) return undefined
      known.push(one)
    }
    return this.#generations.setOf(bound, known)
  }

  /** What is known of a generation, if it is still the one that the entry is bound to. */
  async #current(
    read: KeyRead,
    { generation, storedKey }: BoundGeneration,
  ): Promise<KnownGeneration | undefined> {
    let current: KnownGeneration | undefined
    if (this.#isBelieved(read, storedKey)) {
      const known = this.#generations.known(storedKey)
      if (known?.generation === generation) return known
      // One that was read before this read began may be older than the entry, so it is read once more (T4).
      const isSure = known !== undefined && known.confirmedAt >= read.askedAt
      current = isSure ? undefined : await this.#generations.fetch(storedKey)
    } else {
      current = await (read.asked?.get(storedKey) ?? this.#generations.fetchAnew(storedKey))
    }
    return current?.generation === generation ? current : undefined
  }
}

/** Whether these bytes stand there. They are too few for a native call to pay. */
function isAt(bytes: Buffer, start: number, end: number, wanted: Buffer): boolean {
  if (end - start !== wanted.length) return false
  for (let index = 0; index < wanted.length; index++) {
    if (bytes[start + index] !== wanted[index]) return false
  }
  return true
}
