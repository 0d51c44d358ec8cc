import type { EntryFacts } from '../../codec/envelope/entry-meta.ts'
import { isDueEarly, LONGEST_DRAW, type Random } from '../freshness/early-refresh.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { GenerationSet } from '../tags/generation-set.ts'
import { handOut, type IsolatedValue } from './isolation.ts'

/** Times of a {@link LocalEntry}. */
export interface LocalTimes {
  /** When its load began; `undefined` where that is not known. */
  readonly bornMs: number | undefined
  readonly freshUntilMs: number
  /** Until when this copy may be served where nobody tells of changes; `undefined` where somebody does. */
  readonly keptUntilMs: number | undefined
  readonly leasedUntilMs: number
}

/**
 * A decoded value that may be served without a round trip. Times are whole milliseconds of this process's monotonic
 * clock, rounded toward a miss.
 *
 * There may be a hundred thousand of them: each is one object beside its value, and its numbers are ones that V8 keeps
 * in place. What many share ({@link GenerationSet}) they point to.
 */
export class LocalEntry implements IsolatedValue {
  readonly value: unknown
  readonly isCloned: boolean
  /** `undefined` for a plain value. */
  readonly stamp: string | undefined
  readonly ttlMs: number
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  readonly loadCostMs: number
  /** When its load began, where that is known. */
  readonly bornMs: number | undefined
  /** When it is no longer fresh. */
  readonly freshUntilMs: number
  /** Until when this copy may be served: as long as it is fresh, or as news of a change may be missed. */
  readonly servableUntilMs: number
  /** Until when somebody may be loading a newer one. */
  readonly leasedUntilMs: number
  readonly generationSet: GenerationSet
  readonly epoch: number
  /** Until when the local tier takes it for used lately. */
  recentUntilMs = 0
  readonly #keptUntilMs: number | undefined
  /** What every caller gets, where all get the same: a promise that has long been settled. */
  #answer: Promise<unknown> | undefined

  /** @param meta `undefined` for a plain value */
  constructor(
    { isCloned, value }: IsolatedValue,
    meta: EntryFacts | undefined,
    { bornMs, freshUntilMs, keptUntilMs, leasedUntilMs }: LocalTimes,
    generationSet: GenerationSet,
    epoch: number,
  ) {
    this.value = value
    this.isCloned = isCloned
    this.stamp = meta?.stamp
    this.ttlMs = meta?.ttlMs ?? 0
    this.staleWhileRevalidateMs = meta?.staleWhileRevalidateMs ?? 0
    this.staleIfErrorMs = meta?.staleIfErrorMs ?? 0
    this.loadCostMs = meta?.loadCostMs ?? 0
    this.bornMs = bornMs === undefined ? undefined : Math.round(bornMs)
    this.freshUntilMs = Math.floor(freshUntilMs)
    this.#keptUntilMs = keptUntilMs === undefined ? undefined : Math.floor(keptUntilMs)
    this.servableUntilMs =
      this.#keptUntilMs === undefined ? this.freshUntilMs : Math.min(this.freshUntilMs, this.#keptUntilMs)
    this.leasedUntilMs = Math.max(0, Math.ceil(leasedUntilMs))
    this.generationSet = generationSet
    this.epoch = epoch
  }

  /** Whether it is a value without an envelope, which depends on nothing. */
  get isPlain(): boolean {
    return this.stamp === undefined
  }

  /** Until when it may be served while a new one is loaded. */
  get staleWhileRevalidateUntilMs(): number {
    return this.freshUntilMs + this.staleWhileRevalidateMs
  }

  /** Whether this copy may be served while a new one is loaded, without asking whether there is a newer one. */
  isStaleServable(nowMs: number): boolean {
    const isKept = this.#keptUntilMs === undefined || nowMs < this.#keptUntilMs
    return isKept && nowMs < this.staleWhileRevalidateUntilMs
  }

  /** Until when it may be served where its source fails. */
  get staleIfErrorUntilMs(): number {
    return this.freshUntilMs + this.staleIfErrorMs
  }

  /** Whether this request should have it loaded anew although it is fresh (XFetch). */
  wantsEarlyRefresh(beta: number, nowMs: number, random: Random): boolean {
    const leftMs = this.freshUntilMs - nowMs
    if (!this.#mayRefreshEarly(leftMs, beta, nowMs)) return false
    return isDueEarly(leftMs, this.loadCostMs, beta, random)
  }

  /** How likely {@link wantsEarlyRefresh} is to say yes, from 0 to 1. */
  earlyRefreshChance(beta: number, nowMs: number): number {
    const leftMs = this.freshUntilMs - nowMs
    if (!this.#mayRefreshEarly(leftMs, beta, nowMs)) return 0
    return Math.exp(-leftMs / (beta * this.loadCostMs))
  }

  /** No draw reaches further, so that most requests need none; nor does one that is being loaded anew already. */
  #mayRefreshEarly(leftMs: number, beta: number, nowMs: number): boolean {
    return leftMs < beta * this.loadCostMs * LONGEST_DRAW && nowMs >= this.leasedUntilMs
  }

  /** Whether it depends on a namespace and on these tags of it; a plain value depends on nothing. */
  answersTo(space: KeySpace, tags: readonly string[] | undefined): boolean {
    if (this.isPlain) return tags === undefined || tags.length === 0
    return this.generationSet.bearsAll(space, tags)
  }

  handOut<T>(): Promise<T> {
    if (this.isCloned) return Promise.resolve(handOut<T>(this))
    this.#answer ??= Promise.resolve(this.value)
    return this.#answer as Promise<T>
  }
}
