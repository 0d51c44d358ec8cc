import type { BoundGeneration } from '../../codec/envelope/entry-meta.ts'
import { servable } from '../freshness/servable.ts'
import type { Lease } from '../loading/lease.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { Outcome } from '../loading/outcome.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { FlightCallers } from './flight-callers.ts'
import { FlightDoubts } from './flight-doubts.ts'

/**
 * What a flight is doing:
 *
 * - `'reading'`: it reads the key, or judges what was read
 * - `'acquiring'`: it asks for the lease
 * - `'waiting'`: another process holds the lease
 * - `'loading'`: its loader runs, or what it loaded is being stored
 * - `'over'`
 */
export type FlightPhase = 'reading' | 'acquiring' | 'waiting' | 'loading' | 'over'

/** What a flight has found out since it last read the key. */
interface Attempt {
  /** A moment of the generation table: what the flight brings was read or loaded after it. */
  askedAt: number
  /** That of the local tier when the key was read. */
  readonly epoch: number
  /** The valid entry that was found, which may be stale. */
  found: LocalEntry | undefined
  /** The generations that the loaded value will be bound to, once they have been captured. */
  bound: readonly BoundGeneration[]
}

/** One load of one key, and everybody in this process who waits for it. */
export class Flight {
  /** Stored keys of the generations that its value will be bound to. */
  readonly generationKeys: readonly string[]
  /** When it began: a moment of the generation table. */
  readonly startedAt: number
  /** Whether it loads a value that is there already: others may be served that one meanwhile. */
  readonly isRenewal: boolean
  /** Whether it loads whatever is there. */
  readonly isReload: boolean
  /** Set where it ends with a value that another flight is to renew. */
  successor: LoadRequest | undefined
  #phase: FlightPhase = 'reading'
  /** When the loader was called. */
  #loadingSinceMs: number = Number.POSITIVE_INFINITY
  #attempt: Attempt
  #lease: Lease | undefined
  #result: Promise<Outcome> | undefined
  #isDecided = false
  readonly #onDecision: (() => void)[] = []
  readonly #callers = new FlightCallers()
  readonly #doubts = new FlightDoubts()

  constructor({ generationKeys, isBackground, replaces }: LoadRequest, startedAt: number, epoch: number) {
    this.generationKeys = generationKeys
    this.isRenewal = isBackground === true || replaces !== undefined
    this.isReload = replaces === 'any'
    this.startedAt = startedAt
    this.#attempt = { askedAt: startedAt, epoch, found: undefined, bound: [] }
  }

  run(work: () => Promise<Outcome>): void {
    this.#result = work().finally(() => this.#enter('over'))
    // Each caller is told by its own promise. A flight that all have left has nobody to tell.
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

  /** It reads the key, for the first time or again. What it brings will have been read or loaded after this moment. */
  beginReading(now: number, epoch: number): void {
    this.#attempt = { askedAt: now, epoch, found: undefined, bound: [] }
    this.#enter('reading')
  }

  beginAcquiring(): void {
    this.#enter('acquiring')
  }

  beginWaiting(): void {
    this.#enter('waiting')
  }

  beginLoading(nowMs: number): void {
    this.#loadingSinceMs = nowMs
    this.#enter('loading')
  }

  /** Whether its loader has been called. */
  get hasCalledLoader(): boolean {
    return this.#loadingSinceMs !== Number.POSITIVE_INFINITY
  }

  /** What was read last; a moment and an epoch as {@link beginReading} was told. */
  get askedAt(): number {
    return this.#attempt.askedAt
  }

  get epoch(): number {
    return this.#attempt.epoch
  }

  /** No generation that it depends on was replaced before this moment. */
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

  get lease(): Lease | undefined {
    return this.#lease
  }

  /** It holds the lease, so what it found is still what is there. */
  leased(lease: Lease, bound: readonly BoundGeneration[]): void {
    this.#lease = lease
    this.#attempt.bound = bound
  }

  /** The generation that its value will be bound to. */
  boundTo(generationKey: string): string | undefined {
    return this.#attempt.bound.find(({ storedKey }) => storedKey === generationKey)?.generation
  }

  /** Whether its loader has been running for so long that other processes do not wait for it either. */
  isOverdue(nowMs: number, longestLoadMs: number): boolean {
    return nowMs - this.#loadingSinceMs >= longestLoadMs
  }

  /** Whether it waits to replace a value that may be served meanwhile, and does not hear what happens to that value. */
  isPassedBy(nowMs: number): boolean {
    if (this.#phase !== 'waiting' || this.found === undefined) return false
    const how = servable(this.found, nowMs)
    return how === 'fresh' || how === 'revalidate'
  }

  /** Whether it is a renewal that does not know yet how it goes on. */
  get isDeciding(): boolean {
    return this.isRenewal && !this.#isDecided
  }

  /** Resolves when a renewal knows how it goes on, or is over. */
  decided(): Promise<void> {
    if (!this.isDeciding) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onDecision.push(resolve)
    })
  }

  close(): void {
    this.#doubts.close()
  }

  /** A push for its key has come. While it waits for another process, that is what it waits for. */
  pushed(): void {
    if (this.#phase === 'waiting') return
    if (this.#lease !== undefined || this.#phase === 'acquiring') this.#doubts.raise()
    else this.close()
  }

  /** `'doubted'` where Redis has to be asked whether the key still holds the token. */
  get standing(): 'open' | 'closed' | 'doubted' {
    return this.#callers.areGone ? 'closed' : this.#doubts.standing
  }

  /** Whether a newcomer may join: at once where nothing has happened, otherwise after the key was looked at. */
  admits(): boolean | Promise<boolean> {
    const { standing } = this
    if (standing !== 'doubted') return standing === 'open'
    return this.#doubts.settle(async () => (await this.#lease?.verify().catch(() => false)) ?? false)
  }

  /** Callers that wait for it; work in the background counts as one. */
  get callers(): number {
    return this.#callers.count
  }

  /** `true` for the caller that began it, which asks first. */
  claim(): boolean {
    return this.#callers.claim()
  }

  enter(): void {
    this.#callers.enter()
  }

  /** A caller waits no longer. The last one ends the flight. */
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
