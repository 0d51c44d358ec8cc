import type { EntryFacts } from '../../codec/envelope/entry-meta.ts'
import { isDueEarly, LONGEST_DRAW, type Random } from '../freshness/early-refresh.ts'
import type { CopyTimes, EntryTimes } from '../freshness/servable.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { GenerationSet } from '../tags/generation-set.ts'
import { handOut, type IsolatedValue } from './isolation.ts'
import type { LocalTimes } from './local-times.ts'

/**
 * A decoded value that may be served without a round trip. Times are whole milliseconds of this process's monotonic
 * clock, rounded toward a miss.
 *
 * There may be a hundred thousand entries. So each is one object beside its value, its numbers are ones that V8 stores
 * in the object, and entries with the same generations share one {@link GenerationSet}.
 */
export class LocalEntry implements IsolatedValue, CopyTimes, EntryTimes {
  readonly value: unknown
  readonly isCloned: boolean
  /** `undefined` for a plain value. */
  readonly stamp: string | undefined
  readonly ttlMs: number
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  readonly loadCostMs: number
  /** When its load began; `undefined` if that is not known. */
  readonly bornMs: number | undefined
  /** When this copy was read from the shared tier, or stored there. */
  readonly readAtMs: number
  /** When it is no longer fresh. */
  readonly freshUntilMs: number
  readonly servableUntilMs: number
  /** The end of its lease: until then, the holder may be loading a newer value. */
  readonly leasedUntilMs: number
  readonly generationSet: GenerationSet
  readonly epoch: number
  /** Until when the local tier counts it as recently used. */
  recentUntilMs = 0
  /** The number of removals by pattern that it has been compared with. */
  removalsSeen = 0
  readonly #keptUntilMs: number | undefined
  /** The settled promise that every caller gets, if all get the same value. */
  #answer: Promise<unknown> | undefined

  /** @param facts `undefined` for a plain value */
  constructor(
    { isCloned, value }: IsolatedValue,
    facts: EntryFacts | undefined,
    { bornMs, freshUntilMs, keptUntilMs, leasedUntilMs, readAtMs }: LocalTimes,
    generationSet: GenerationSet,
    epoch: number,
  ) {
    this.value = value
    this.isCloned = isCloned
    this.stamp = facts?.stamp
    this.ttlMs = facts?.ttlMs ?? 0
    this.staleWhileRevalidateMs = facts?.staleWhileRevalidateMs ?? 0
    this.staleIfErrorMs = facts?.staleIfErrorMs ?? 0
    this.loadCostMs = facts?.loadCostMs ?? 0
    this.bornMs = bornMs === undefined ? undefined : Math.round(bornMs)
    this.readAtMs = Math.floor(readAtMs)
    this.freshUntilMs = Math.floor(freshUntilMs)
    this.#keptUntilMs = keptUntilMs === undefined ? undefined : Math.floor(keptUntilMs)
    this.servableUntilMs =
      this.#keptUntilMs === undefined ? this.freshUntilMs : Math.min(this.freshUntilMs, this.#keptUntilMs)
    this.leasedUntilMs = Math.max(0, Math.ceil(leasedUntilMs))
    this.generationSet = generationSet
    this.epoch = epoch
  }

  /** Whether it is not a cache entry but a plain value, which is bound to no generation. */
  get isPlain(): boolean {
    return this.stamp === undefined
  }

  /** Until when the entry itself, and not only this copy, may be served while a new value is loaded. */
  get staleWhileRevalidateUntilMs(): number {
    return this.freshUntilMs + this.staleWhileRevalidateMs
  }

  get revalidatableUntilMs(): number {
    const untilMs = this.staleWhileRevalidateUntilMs
    return this.#keptUntilMs === undefined ? untilMs : Math.min(untilMs, this.#keptUntilMs)
  }

  get staleIfErrorUntilMs(): number {
    return this.staleIfErrorMs > 0 ? this.freshUntilMs + this.staleIfErrorMs : 0
  }

  /** Whether this request should refresh the entry although it is fresh (XFetch). */
  wantsEarlyRefresh(beta: number, nowMs: number, random: Random): boolean {
    const leftMs = this.freshUntilMs - nowMs
    if (!this.#mayRefreshEarly(leftMs, beta, nowMs)) return false
    return isDueEarly(leftMs, this.loadCostMs, beta, random)
  }

  /** The probability that {@link wantsEarlyRefresh} returns `true`, from 0 to 1. */
  earlyRefreshChance(beta: number, nowMs: number): number {
    const leftMs = this.freshUntilMs - nowMs
    if (!this.#mayRefreshEarly(leftMs, beta, nowMs)) return 0
    return Math.exp(-leftMs / (beta * this.loadCostMs))
  }

  /** `false` if even the largest draw would not reach the expiry, or if a newer value is being loaded already. */
  #mayRefreshEarly(leftMs: number, beta: number, nowMs: number): boolean {
    return leftMs < beta * this.loadCostMs * LONGEST_DRAW && nowMs >= this.leasedUntilMs
  }

  /** Whether it is bound to a namespace and to these of its tags. A plain value fits any namespace and has no tag. */
  covers(space: KeySpace, tags: readonly string[] | undefined): boolean {
    if (this.isPlain) return !tags?.length
    return this.generationSet.covers(space, tags)
  }

  handOut<T>(): Promise<T> {
    if (this.isCloned) return Promise.resolve(handOut<T>(this))
    this.#answer ??= Promise.resolve(this.value)
    return this.#answer as Promise<T>
  }
}
