import type { EntryMeta } from '../codec/entry-meta.ts'
import { isDueEarly, LONGEST_DRAW, type Random } from './freshness.ts'
import type { KnownGeneration } from './generations.ts'
import { handOut, type IsolatedValue } from './isolation.ts'
import type { KeySpace } from './key-space.ts'

/** Times of a {@link LocalEntry}. */
export interface LocalTimes {
  /** When its load began; `undefined` where that is not known. */
  readonly bornMs: number | undefined
  readonly freshUntilMs: number
  /** Until when this copy may be served where nobody tells of changes. */
  readonly keptUntilMs: number
  readonly leasedUntilMs: number
}

/** A decoded value that may be served without a round trip. Times are of this process's monotonic clock. */
export class LocalEntry {
  readonly isolated: IsolatedValue
  /** `undefined` for a plain value. */
  readonly meta: EntryMeta | undefined
  /** When its load began, where that is known. */
  readonly bornMs: number | undefined
  /** When it is no longer fresh. */
  readonly freshUntilMs: number
  /** Until when this copy may be served: as long as it is fresh, or as news of a change may be missed. */
  readonly servableUntilMs: number
  /** Until when somebody may be loading a newer one. */
  readonly leasedUntilMs: number
  readonly generations: readonly KnownGeneration[]
  /** Stored keys of these generations, in the same order. */
  readonly generationKeys: readonly string[]
  readonly epoch: number
  readonly #keptUntilMs: number
  /** How far ahead of its expiry an early refresh may begin at most, with a beta of 1. */
  readonly #longestLookaheadMs: number
  #space: KeySpace | undefined
  #isOfSpace = false
  #tags: readonly string[] = []
  /** What every caller gets, where all get the same: a promise that has long been settled. */
  #answer: Promise<unknown> | undefined

  constructor(
    isolated: IsolatedValue,
    meta: EntryMeta | undefined,
    { bornMs, freshUntilMs, keptUntilMs, leasedUntilMs }: LocalTimes,
    generations: readonly KnownGeneration[],
    epoch: number,
  ) {
    this.isolated = isolated
    this.meta = meta
    this.bornMs = bornMs
    this.freshUntilMs = freshUntilMs
    this.#keptUntilMs = keptUntilMs
    this.servableUntilMs = Math.min(freshUntilMs, keptUntilMs)
    this.#longestLookaheadMs = (meta?.loadCostMs ?? 0) * LONGEST_DRAW
    this.leasedUntilMs = leasedUntilMs
    this.generations = generations
    this.generationKeys = meta?.generations.map(({ storedKey }) => storedKey) ?? []
    this.epoch = epoch
  }

  /** Whether no generation it depends on has been renewed, as far as is known here. */
  get isValid(): boolean {
    for (const generation of this.generations) if (!generation.isLive) return false
    return true
  }

  /** Whether nothing is known against it, though it may not be known to be valid. */
  get isUnrefuted(): boolean {
    for (const generation of this.generations) if (generation.isDead) return false
    return true
  }

  /** Until when it may be served while a new one is loaded. */
  get staleWhileRevalidateUntilMs(): number {
    return this.freshUntilMs + (this.meta?.staleWhileRevalidateMs ?? 0)
  }

  /** Whether this copy may be served while a new one is loaded, without asking whether there is a newer one. */
  isStaleServable(nowMs: number): boolean {
    return nowMs < this.#keptUntilMs && nowMs < this.staleWhileRevalidateUntilMs
  }

  /** Until when it may be served where its source fails. */
  get staleIfErrorUntilMs(): number {
    return this.freshUntilMs + (this.meta?.staleIfErrorMs ?? 0)
  }

  /** Whether this request should have it loaded anew although it is fresh (XFetch). */
  wantsEarlyRefresh(beta: number, nowMs: number, random: Random): boolean {
    const leftMs = this.freshUntilMs - nowMs
    if (!this.#mayRefreshEarly(leftMs, beta, nowMs)) return false
    return isDueEarly(leftMs, this.meta?.loadCostMs ?? 0, beta, random)
  }

  /** How likely {@link wantsEarlyRefresh} is to say yes, from 0 to 1. */
  earlyRefreshChance(beta: number, nowMs: number): number {
    const leftMs = this.freshUntilMs - nowMs
    if (!this.#mayRefreshEarly(leftMs, beta, nowMs)) return 0
    return Math.exp(-leftMs / (beta * (this.meta?.loadCostMs ?? 0)))
  }

  /** No draw reaches further, so that most requests need none; nor does one that is being loaded anew already. */
  #mayRefreshEarly(leftMs: number, beta: number, nowMs: number): boolean {
    return leftMs < beta * this.#longestLookaheadMs && nowMs >= this.leasedUntilMs
  }

  /** Whether it depends on a namespace and on these tags of it; a plain value depends on nothing. */
  answersTo(space: KeySpace, tags: readonly string[] | undefined): boolean {
    if (this.meta === undefined) return tags === undefined || tags.length === 0
    return this.bearsAll(space, tags)
  }

  /** Whether it depends on a namespace, and bears these tags of it. */
  bearsAll(space: KeySpace, tags: readonly string[] | undefined): boolean {
    if (this.#space !== space) this.#lookAt(space)
    if (!this.#isOfSpace) return false
    if (tags === undefined) return true
    for (const tag of tags) if (!this.#tags.includes(tag)) return false
    return true
  }

  /** Entries are asked for through one namespace as a rule, so what it means there is worked out once. */
  #lookAt(space: KeySpace): void {
    this.#space = space
    this.#isOfSpace = this.dependsOn(space.generationKeys)
    this.#tags = this.tagsOf(space)
  }

  /** The tags of a namespace that it bears. */
  tagsOf(space: KeySpace): readonly string[] {
    const tagPrefix = space.tagKey('')
    return this.generationKeys
      .filter((key) => key.startsWith(tagPrefix))
      .map((key) => key.slice(tagPrefix.length))
  }

  /** Whether the renewal of each of these generations would end it. */
  dependsOn(generationKeys: readonly string[]): boolean {
    for (const generationKey of generationKeys) if (!this.generationKeys.includes(generationKey)) return false
    return true
  }

  handOut<T>(): Promise<T> {
    if (this.isolated.isCloned) return Promise.resolve(handOut<T>(this.isolated))
    this.#answer ??= Promise.resolve(this.isolated.value)
    return this.#answer as Promise<T>
  }
}
