import type { AcquireReply } from '../../backend/seams/shared-tier.ts'
import type { BoundGeneration } from '../../codec/envelope/entry-meta.ts'
import type { MissReason } from '../../contract/cache-events.ts'
import type { LoadPlace } from '../core/load-places.ts'
import { servableTo } from '../freshness/max-age.ts'
import type { LoadLease } from '../loading/lease.ts'
import type { LoadRequest, SharedLoad } from '../loading/load-request.ts'
import type { Outcome } from '../loading/outcome.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { FlightAttempt, FlightPhase } from './flight-attempt.ts'
import { FlightCallers } from './flight-callers.ts'
import { FlightDoubts } from './flight-doubts.ts'

/** One load of one key, and all callers in this process that wait for it. */
export class Flight {
  /** Stored keys of the generations that its value will be bound to. */
  readonly generationKeys: readonly string[]
  /** When it began, as a moment of the generation table. */
  readonly startedAt: number
  /** Whether it may replace an existing value, which other callers may be served meanwhile. */
  readonly isRenewal: boolean
  /** Whether it loads the key even if the cache has a fresh value. */
  readonly isReload: boolean
  /** Whether its reads reflect every change that Redis acknowledged before them. */
  readonly isPastLag: boolean
  /** Why its callers miss, if it brings a loaded value or none. */
  missReason: MissReason = 'absent'
  /** Set if it ends with a value that another flight must renew. */
  successor: LoadRequest | undefined
  /** That other flight. */
  next: Flight | undefined
  /** Set while it gives leases back: it resolves when Redis has acknowledged them. */
  returning: Promise<void> | undefined
  #phase: FlightPhase = 'reading'
  /** When the loader was called. */
  #loadingSinceMs: number = Number.POSITIVE_INFINITY
  #attempt: FlightAttempt
  #lease: LoadLease | undefined
  readonly #shared: SharedLoad | undefined
  #place: LoadPlace | undefined
  #isUrgent = false
  #result: Promise<Outcome> | undefined
  /** The count of fruitless loads in the lease that it last waited for. */
  #awaited: number | undefined
  /** The stamp of the entry that it found before it waited, empty if there was none; `undefined` if it has not waited. */
  #stampBefore: string | undefined
  #isDecided = false
  readonly #onDecision: (() => void)[] = []
  readonly #callers = new FlightCallers()
  readonly #doubts = new FlightDoubts()

  constructor(
    { generationKeys, isBackground, maxAgeMs, replaces, shared, since }: LoadRequest,
    startedAt: number,
    epoch: number,
  ) {
    this.generationKeys = generationKeys
    this.isRenewal = isBackground === true || replaces !== undefined || maxAgeMs !== undefined
    this.isReload = replaces === 'any'
    this.isPastLag = since !== undefined
    this.startedAt = startedAt
    this.#shared = shared
    this.#attempt = { askedAt: startedAt, readAt: startedAt, epoch, found: undefined, bound: [] }
  }

  run(work: () => Promise<Outcome>): void {
    this.#result = work().finally(() => this.#enter('over'))
    // Each caller handles the error itself. After all have left, it must not be an unhandled rejection.
    this.#result.catch(() => {})
  }

  get result(): Promise<Outcome> {
    return this.#result as Promise<Outcome>
  }

  get phase(): FlightPhase {
    return this.#phase
  }

  #enter(phase: FlightPhase): void {
    this.#phase = phase
    if (phase === 'reading' || phase === 'acquiring') return
    this.#isDecided = true
    for (const callback of this.#onDecision.splice(0)) callback()
  }

  /** Called before it reads the key, for the first time or again. Its value will be read or loaded after `now`. */
  beginReading(now: number, epoch: number): void {
    this.#attempt = { askedAt: now, readAt: now, epoch, found: undefined, bound: [] }
    this.#enter('reading')
  }

  /** Called when it asks for its turn to load, before it calls its loader. */
  beginQueueing(place: LoadPlace): void {
    this.#place = place
    if (place.granted !== undefined) this.#enter('queued')
  }

  /** Whether another loader waits for it, so that it must not wait for its turn. */
  get isUrgent(): boolean {
    return this.#isUrgent
  }

  /** Called when another loader begins to wait for it. */
  hurry(): void {
    this.#isUrgent = true
    this.#place?.hurry()
    this.#shared?.hurry()
  }

  beginAcquiring(): void {
    this.#enter('acquiring')
  }

  /** Called before it waits for the holder of the lease. */
  beginWaiting({ fruitlessLoads }: AcquireReply): void {
    this.#awaited = fruitlessLoads
    this.#stampBefore ??= this.found?.stamp ?? ''
    this.#enter('waiting')
  }

  /** Whether this entry came of a load that the flight has waited for: no age is too old for a load under way. */
  hasAwaited({ stamp }: LocalEntry): boolean {
    return this.#stampBefore !== undefined && stamp !== this.#stampBefore
  }

  /** Whether the load that it waited for was fruitless, and another process holds the lease already. */
  hasWaitedInVain({ fruitlessLoads }: AcquireReply): boolean {
    return this.#awaited !== undefined && fruitlessLoads !== 0 && fruitlessLoads !== this.#awaited
  }

  beginLoading(nowMs: number): void {
    this.#loadingSinceMs = nowMs
    this.#enter('loading')
  }

  /** Whether its loader has been called. */
  get hasCalledLoader(): boolean {
    return this.#loadingSinceMs !== Number.POSITIVE_INFINITY
  }

  /** When the last read began, or a later moment that {@link confirm} has set. */
  get askedAt(): number {
    return this.#attempt.askedAt
  }

  get epoch(): number {
    return this.#attempt.epoch
  }

  /** Whether all that it brings reflects what Redis had acknowledged at this moment. */
  isSince(moment: number): boolean {
    return this.isPastLag && this.#attempt.readAt >= moment
  }

  /** Called when no generation that it depends on was replaced before this moment. */
  confirm(moment: number): void {
    this.#attempt.askedAt = Math.max(this.#attempt.askedAt, moment)
  }

  /** The valid entry that it found, which may be stale. */
  get found(): LocalEntry | undefined {
    return this.#attempt.found
  }

  set found(entry: LocalEntry | undefined) {
    this.#attempt.found = entry
  }

  get lease(): LoadLease | undefined {
    return this.#lease
  }

  /** Called when it has acquired the lease. The entry that it found is unchanged then. */
  leased(lease: LoadLease, bound: readonly BoundGeneration[]): void {
    this.#lease = lease
    this.#attempt.bound = bound
  }

  /** Called when it gives a lease back. @param returning must not reject */
  givesBack(returning: Promise<void>): void {
    const all = Promise.all([this.returning, returning]).then(() => {
      if (this.returning === all) this.returning = undefined
    })
    this.returning = all
  }

  /** The generation under this key that its value will be bound to; `undefined` if it is not captured. */
  boundTo(generationKey: string): string | undefined {
    return this.#attempt.bound.find(({ storedKey }) => storedKey === generationKey)?.generation
  }

  /** Whether its loader has run for so long that its lease is no longer renewed: other processes stop waiting too. */
  isOverdue(nowMs: number, longestLoadMs: number): boolean {
    return nowMs - this.#loadingSinceMs >= longestLoadMs
  }

  /**
   * Whether it waits for another process while its value may be served to a newcomer with this `maxAge`. It then ignores
   * pushes, so such a newcomer does not join it.
   */
  isPassedBy(nowMs: number, maxAgeMs: number | undefined): boolean {
    const { found } = this
    if (this.#phase !== 'waiting' || found === undefined) return false
    const how = servableTo(maxAgeMs, found, nowMs)
    return how === 'fresh' || how === 'revalidate'
  }

  /** Whether it is a renewal that has not yet reached the point of waiting, loading or ending. */
  get isDeciding(): boolean {
    return this.isRenewal && !this.#isDecided
  }

  /** Resolves when {@link isDeciding} is `false`. */
  decided(): Promise<void> {
    if (!this.isDeciding) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onDecision.push(resolve)
    })
  }

  close(): void {
    this.#doubts.close()
  }

  /** Called when a push for its key has arrived. While it waits for another process, it expects such a push. */
  pushed(): void {
    if (this.#phase === 'waiting') return
    if (this.#lease !== undefined || this.#phase === 'acquiring') this.#doubts.raise()
    else this.close()
  }

  get isClosed(): boolean {
    return this.standing === 'closed'
  }

  /** `'doubted'` if a newcomer must ask Redis whether the key still holds the token. */
  get standing(): 'open' | 'closed' | 'doubted' {
    return this.#callers.areGone ? 'closed' : this.#doubts.standing
  }

  /** Whether a newcomer may join. A promise if Redis must be asked whether the key still holds the token. */
  admits(): boolean | Promise<boolean> {
    const { standing } = this
    if (standing !== 'doubted') return standing === 'open'
    return this.#doubts.settle(async () => (await this.#lease?.verify().catch(() => false)) ?? false)
  }

  /** The number of callers that wait for it; work in the background counts as one. */
  get callers(): number {
    return this.#callers.count
  }

  /** As {@link FlightCallers.claim}. */
  claim(): boolean {
    return this.#callers.claim()
  }

  enter(): void {
    this.#callers.enter()
  }

  /** Called when a caller stops waiting. When the last one does, the flight is abandoned. */
  leave(): void {
    if (!this.#callers.leave()) return
    this.close()
    this.#callers.abandon()
  }

  /** Whether every caller has left. */
  get isAbandoned(): boolean {
    return this.#callers.areGone
  }

  /** Aborts when every caller has left. */
  get signal(): AbortSignal {
    return this.#callers.signal
  }

  /** As {@link FlightCallers.onGone}. */
  onAbandoned(callback: () => void): void {
    this.#callers.onGone(callback)
  }
}
