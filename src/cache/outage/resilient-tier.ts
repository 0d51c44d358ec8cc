import { RAW, type ReadOutcome, readAs } from '../../backend/seams/read-outcome.ts'
import type {
  AcquireReply,
  AcquireRequest,
  Coherence,
  SharedTier,
  TierListener,
} from '../../backend/seams/shared-tier.ts'
import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { CacheError } from '../../foundation/cache-error.ts'
import type { Timers } from '../../foundation/clock.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import type { InvalidationOutbox } from './invalidation-outbox.ts'

/** What waits is sent again this long after a failure, also where nobody asks for anything. */
const REDELIVERY_MS = 500

/** What a {@link ResilientTier} is made of. */
export interface ResilientParts {
  readonly tier: SharedTier
  readonly breaker: CircuitBreaker
  readonly outbox: InvalidationOutbox
  readonly timers: Timers
  /** Resolves when the tier is open; rejects, within a bound, where it cannot be opened. */
  readonly opened: () => Promise<void> | undefined
  readonly isOpen: () => boolean
}

/**
 * A shared tier that may be away.
 *
 * Every command passes one gate: the tier is opened, the circuit admits the command, and an own
 * invalidation of the key that Redis has not acknowledged goes first. So this process never reads or stores a value
 * that it has invalidated, and an invalidation that cannot be delivered holds up nothing but what it invalidates.
 */
export class ResilientTier implements SharedTier {
  readonly #parts: ResilientParts
  readonly #tier: SharedTier
  #isDeliveryDue = false

  constructor(parts: ResilientParts) {
    this.#parts = parts
    this.#tier = parts.tier
  }

  /** The tier itself, for those who only look: they deliver nothing, and none of their failures counts. */
  get bare(): SharedTier {
    return this.#tier
  }

  get coherence(): Coherence {
    return this.#tier.coherence
  }

  get trustedUntilMs(): number {
    return this.#tier.trustedUntilMs
  }

  get localTtlMs(): number {
    return this.#tier.localTtlMs
  }

  watch(listener: TierListener): void {
    this.#tier.watch(listener)
  }

  start(): void {
    this.#tier.start()
  }

  stop(): Promise<void> {
    return this.#tier.stop()
  }

  connectionOf(storedKey: string): unknown {
    return this.#tier.connectionOf(storedKey)
  }

  pushesInOrder(storedKey: string, otherKey: string): boolean {
    return this.#tier.pushesInOrder(storedKey, otherKey)
  }

  serverNowMs(storedKey: string, nowMs?: number): number | undefined {
    return this.#tier.serverNowMs(storedKey, nowMs)
  }

  /**
   * The gate: `undefined` where a command on these keys may be sent at once, as a rule; otherwise resolves when it may.
   * @throws CacheError where it may not; the promise rejects with one, too
   */
  #ready(storedKeys: readonly string[]): Promise<void> | undefined {
    const { breaker, isOpen, opened, outbox } = this.#parts
    if (isOpen()) {
      breaker.admit()
      if (outbox.isEmpty) return undefined
      return this.#deliverFirst(storedKeys)
    }
    const opening = opened()
    return opening === undefined ? undefined : opening.then(() => this.#deliverFirst(storedKeys))
  }

  /** Sends all that waits, and waits for what concerns these keys. */
  #deliverFirst(storedKeys: readonly string[]): Promise<void> | undefined {
    const { outbox } = this.#parts
    if (outbox.isEmpty) return undefined
    const concerned = storedKeys.filter((storedKey) => outbox.has(storedKey))
    const delivery = outbox.deliver(this.#tier, concerned)
    if (concerned.length > 0) return delivery
    delivery.catch(() => {})
    return undefined
  }

  /** Whether a read of this key needs nothing done before: the tier is open, the circuit closed, nothing of it waits. */
  isClearFor(storedKey: string): boolean {
    const { breaker, isOpen, outbox } = this.#parts
    return isOpen() && breaker.state === 'closed' && (outbox.isEmpty || !outbox.has(storedKey))
  }

  /**
   * As {@link read}, for a key that {@link isClearFor}: no promise is made beside that of the read. The caller tells what
   * came of it by {@link answered} or {@link failed}.
   */
  readAtOnce<Result>(storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    return this.#tier.read(storedKey, outcome)
  }

  answered(): void {
    this.#parts.breaker.answered()
  }

  failed(error: unknown): void {
    this.#parts.breaker.failed(error)
  }

  read<Result>(storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    const reading = this.#send([storedKey], () => this.#tier.read(storedKey, RAW))
    return readAs(reading, storedKey, storedKey, outcome)
  }

  serverTimeMs(storedKey: string): Promise<number> {
    return this.#send([], () => this.#tier.serverTimeMs(storedKey))
  }

  acquire(storedKey: string, request: AcquireRequest): Promise<AcquireReply> {
    return this.#send([storedKey], () => this.#tier.acquire(storedKey, request))
  }

  renew(storedKey: string, token: string, leaseMs: number): Promise<boolean> {
    return this.#send([storedKey], () => this.#tier.renew(storedKey, token, leaseMs))
  }

  fill(storedKey: string, token: string, entry: Buffer, ttlMs: number): Promise<boolean> {
    return this.#send([storedKey], () => this.#tier.fill(storedKey, token, entry, ttlMs))
  }

  release(storedKey: string, token: string): Promise<void> {
    return this.#send([storedKey], () => this.#tier.release(storedKey, token))
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#send([storedKey], () => this.#tier.ttlMs(storedKey))
  }

  capture(storedKey: string, ttlMs: number): Promise<string> {
    return this.#send([storedKey], () => this.#tier.capture(storedKey, ttlMs))
  }

  /** Outside the gate: where nobody has to be told nothing is sent, which says nothing about Redis. */
  announce(storedKeys: readonly string[]): Promise<void> {
    return this.#tier.announce(storedKeys)
  }

  reclaim(prefix: string, generation: string, signal: AbortSignal): Promise<number> {
    return this.#send([], () => this.#tier.reclaim(prefix, generation, signal))
  }

  /** A value that was not acknowledged must not be found, nor the one before it. */
  write(storedKey: string, entry: Buffer, ttlMs: number): Promise<void> {
    return this.#change('key', [storedKey], () => this.#tier.write(storedKey, entry, ttlMs))
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.#change('key', storedKeys, () => this.#tier.remove(storedKeys))
  }

  bump(storedKey: string, ttlMs: number): Promise<string> {
    return this.#change('generation', [storedKey], () => this.#tier.bump(storedKey, ttlMs))
  }

  /** A pattern cannot be kept: where it fails, everything is invalidated. */
  async removeMatching(pattern: string, options: RemovalOptions): Promise<number> {
    try {
      const removed = await this.#send([], () => this.#tier.removeMatching(pattern, options))
      this.#parts.outbox.deliveredEverything()
      return removed
    } catch (error) {
      if (!options.signal?.aborted) {
        this.#parts.outbox.addEverything()
        this.#deliverLater()
      }
      throw error
    }
  }

  /** Sends what waits, if anything does. */
  deliver(): void {
    if (!this.#parts.outbox.isEmpty) this.#deliverLater()
  }

  /** A change that is not acknowledged goes to the outbox. */
  async #change<Result>(
    kind: 'key' | 'generation',
    storedKeys: readonly string[],
    work: () => Promise<Result>,
  ): Promise<Result> {
    const { outbox } = this.#parts
    try {
      const result = await this.#send(storedKeys, work)
      outbox.delivered(kind, storedKeys)
      return result
    } catch (error) {
      outbox.add(kind, storedKeys)
      this.#deliverLater()
      throw error
    }
  }

  /** Whatever this process does next, what waits is sent: other processes may be reading it. */
  #deliverLater(): void {
    if (this.#isDeliveryDue) return
    this.#isDeliveryDue = true
    this.#parts.timers.after(REDELIVERY_MS, () => {
      this.#isDeliveryDue = false
      if (this.#parts.outbox.isEmpty) return
      this.#send([], () => this.#parts.outbox.deliver(this.#tier)).catch((error) => {
        if (!(error instanceof CacheError && error.code === 'CACHE_CLOSED')) this.#deliverLater()
      })
    })
  }

  async #send<Result>(storedKeys: readonly string[], work: () => Promise<Result>): Promise<Result> {
    const { breaker } = this.#parts
    // A command that the open circuit refuses tells nothing of Redis, and so does not count.
    const waiting = this.#ready(storedKeys)
    try {
      if (waiting !== undefined) await waiting
      const result = await work()
      breaker.answered()
      return result
    } catch (error) {
      breaker.failed(error)
      throw error
    }
  }
}
