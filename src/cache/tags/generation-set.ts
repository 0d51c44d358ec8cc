import type { BoundGeneration } from '../../codec/envelope/entry-meta.ts'
import { staleFromMs } from '../../codec/envelope/generation-value.ts'
import { isSameGeneration } from '../../foundation/reserved-keys.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { KnownGeneration } from './known-generation.ts'

/**
 * The generations that an entry is bound to. All entries with the same generations share one set, so tags cost an entry
 * no memory, and a result that is computed for one entry holds for all.
 */
export class GenerationSet {
  readonly bound: readonly BoundGeneration[]
  /** Whether one of them was expired after the entry was bound to it. */
  readonly isExpired: boolean
  readonly #known: readonly KnownGeneration[]
  #space: KeySpace | undefined
  #isOfSpace = false
  #tags: readonly string[] = []

  /** @param known what this process knows of each, in the same order; empty if it knows nothing of any */
  constructor(bound: readonly BoundGeneration[], known: readonly KnownGeneration[]) {
    this.bound = bound
    this.#known = known
    this.isExpired = known.some(({ generation }, index) => generation !== bound[index]?.generation)
  }

  /**
   * Milliseconds until an entry under this key is stale because one of the generations {@link isExpired}; negative if it
   * is already.
   * @param serverNowMs the time of the server that has a generation; `undefined` if it is not known
   */
  staleInMs(storedKey: string, serverNowMs: (generationKey: string) => number | undefined): number {
    let leastMs = Number.POSITIVE_INFINITY
    for (const [index, { value }] of this.#known.entries()) {
      const { generation, storedKey: generationKey } = this.bound[index] as BoundGeneration
      if (value.generation === generation) continue
      const fromMs = staleFromMs(value, generation, storedKey)
      const nowMs = serverNowMs(generationKey) ?? Number.POSITIVE_INFINITY
      // Who has read the time of an expiry knows that it has come, whatever the estimate of the clock says.
      leastMs = Math.min(leastMs, fromMs - Math.max(nowMs, value.timeUs / 1_000))
    }
    return leastMs
  }

  /** Whether this process believes that every generation is the current one. */
  get isValid(): boolean {
    const known = this.#known
    // An indexed loop, since this runs at every hit.
    for (let index = 0; index < known.length; index++) {
      if (!(known[index] as KnownGeneration).isLive) return false
    }
    return true
  }

  /** Whether this process knows of none that may have been replaced. It may still not know the current ones. */
  get isUnrefuted(): boolean {
    return !this.#known.some(({ isDead }) => isDead)
  }

  /** The generations that this process believes to be the current ones. */
  get believed(): readonly BoundGeneration[] {
    return this.bound.filter((_one, index) => this.#known[index]?.isLive)
  }

  /** The time until which all of them may be believed, in milliseconds of the monotonic clock. */
  get believedUntilMs(): number {
    let untilMs = Number.POSITIVE_INFINITY
    for (const { believedUntilMs } of this.#known) untilMs = Math.min(untilMs, believedUntilMs)
    return untilMs
  }

  /** What the generations were when this process judged them: of an expired one, the one after the expiry. */
  get judgedBy(): readonly BoundGeneration[] {
    if (!this.isExpired) return this.bound
    return this.bound.map(({ storedKey }, index) => ({
      storedKey,
      generation: (this.#known[index] as KnownGeneration).generation,
    }))
  }

  /** Whether the set refers to exactly these objects, in this order. */
  isOf(known: readonly KnownGeneration[]): boolean {
    return known.every((generation, index) => generation === this.#known[index])
  }

  /** Whether the set contains the generations of a namespace and of these of its tags. */
  covers(space: KeySpace, tags: readonly string[] | undefined): boolean {
    if (this.#space !== space) this.#workOut(space)
    if (!this.#isOfSpace) return false
    // Tags that are no array are refused where the call loads, not here on the way of every hit.
    if (!tags?.length) return true
    for (const tag of tags) if (!this.#tags.includes(tag)) return false
    return true
  }

  /** Computes what the set means in one namespace, and remembers it: an entry is usually read through one namespace. */
  #workOut(space: KeySpace): void {
    this.#space = space
    this.#isOfSpace = this.includes(space.generationKeys(''))
    this.#tags = this.tagsOf(space)
  }

  /** The tags of a namespace whose generations the set contains. */
  tagsOf(space: KeySpace): readonly string[] {
    const tagPrefix = space.tagKey('')
    return this.bound
      .filter(({ storedKey }) => storedKey.startsWith(tagPrefix))
      .map(({ storedKey }) => storedKey.slice(tagPrefix.length))
  }

  /** Whether the set contains the generations under all of these keys, or other copies of them. */
  includes(generationKeys: readonly string[]): boolean {
    return generationKeys.every(
      (generationKey) =>
        this.bound.some(({ storedKey }) => storedKey === generationKey) ||
        this.bound.some(({ storedKey }) => isSameGeneration(storedKey, generationKey)),
    )
  }
}

/** The set of a plain value, which is bound to nothing. */
export const NO_GENERATIONS: GenerationSet = new GenerationSet([], [])

/** The most sets that are kept for sharing. */
const MOST_SETS = 10_000

/** Hands out one {@link GenerationSet} for all entries with the same generations. */
export class SharedGenerationSets {
  readonly #sets = new Map<string, GenerationSet>()

  /** @param known what this process knows of each, in the same order */
  of(bound: readonly BoundGeneration[], known: readonly KnownGeneration[]): GenerationSet {
    const name = bound.length === 1 ? (bound[0] as BoundGeneration).generation : nameOf(bound)
    const shared = this.#sets.get(name)
    if (shared?.isOf(known)) return shared
    if (this.#sets.size >= MOST_SETS) this.#sets.clear()
    const set = new GenerationSet(bound, known)
    this.#sets.set(name, set)
    return set
  }
}

/** A generation is never used twice, so generations alone identify their set. */
function nameOf(bound: readonly BoundGeneration[]): string {
  let name = ''
  for (const { generation } of bound) name += generation
  return name
}
