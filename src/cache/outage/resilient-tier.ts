import type { ReadOutcome } from '../../backend/seams/read-outcome.ts'
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

/** Pending invalidations are sent again after this time, even if no command is. */
const REDELIVERY_MS = 500

/** The parts of a {@link ResilientTier}. */
export interface ResilientParts {
  readonly tier: SharedTier
  readonly breaker: CircuitBreaker
  readonly outbox: InvalidationOutbox
  /** Resolves when the own writes of a key that were called so far have settled; `undefined` if none is in flight. */
  readonly ownWritesOf: (storedKey: string) => Promise<unknown> | undefined
  readonly timers: Timers
  /** Resolves when the tier is open; rejects, within a bound, if it cannot be opened. `undefined` if it is open. */
  readonly opened: () => Promise<void> | undefined
  readonly isOpen: () => boolean
}

/**
 * A shared tier that may be unavailable.
 *
 * Every command passes one gate: the tier is opened, the circuit breaker admits the command, and a pending invalidation
 * of its key is sent first. So this process never reads or stores a value that it has invalidated. An invalidation that
 * cannot be delivered delays only commands on its own key.
 */
export class ResilientTier implements SharedTier {
  readonly #parts: ResilientParts
  readonly #tier: SharedTier
  #isDeliveryDue = false

  constructor(parts: ResilientParts) {
    this.#parts = parts
    this.#tier = parts.tier
  }

  /** The tier without the gate, for diagnostics: they deliver no invalidations, and their failures do not count. */
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
   * The gate: `undefined` if a command on these keys may be sent at once, which is the usual case; otherwise a promise
   * that resolves when it may.
   * @throws CacheError if the command must not be sent (or the promise rejects with it)
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

  /** Sends all pending invalidations, and awaits those of these keys. */
  #deliverFirst(storedKeys: readonly string[]): Promise<void> | undefined {
    const { outbox } = this.#parts
    if (outbox.isEmpty) return undefined
    const concerned = storedKeys.filter((storedKey) => outbox.has(storedKey))
    const delivery = outbox.deliver(this.#tier, concerned)
    if (concerned.length > 0) return delivery
    delivery.catch(() => {})
    return undefined
  }

  /**
   * Whether this key may be read at once: the tier is open, the circuit closed, no own write of the key in flight and no
   * invalidation of it pending.
   */
  isClearFor(storedKey: string): boolean {
    const { breaker, isOpen, outbox, ownWritesOf } = this.#parts
    if (!isOpen() || breaker.state !== 'closed' || ownWritesOf(storedKey) !== undefined) return false
    return outbox.isEmpty || !outbox.has(storedKey)
  }

  /**
   * For a key that {@link isClearFor} accepts. The outcome must report the result by {@link answered} or
   * {@link failed}.
   */
  readInto(storedKey: string, outcome: ReadOutcome<void>): void {
    this.#tier.readInto(storedKey, outcome)
  }

  answered(): void {
    this.#parts.breaker.answered()
  }

  failed(error: unknown): void {
    this.#parts.breaker.failed(error)
  }

  read(storedKey: string): Promise<Buffer | null> {
    return this.#afterWrites(storedKey, () => this.#tier.read(storedKey))
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

  release(storedKey: string, token: string, isFruitless: boolean): Promise<void> {
    return this.#send([storedKey], () => this.#tier.release(storedKey, token, isFruitless))
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#send([storedKey], () => this.#tier.ttlMs(storedKey))
  }

  capture(storedKey: string, ttlMs: number): Promise<string> {
    return this.#afterWrites(storedKey, () => this.#tier.capture(storedKey, ttlMs))
  }

  removeUnbound(prefix: string, generationKey: string): Promise<number> {
    return this.#send([], () => this.#tier.removeUnbound(prefix, generationKey))
  }

  reclaim(prefix: string, generationKey: string, signal: AbortSignal): Promise<number> {
    return this.#send([], () => this.#tier.reclaim(prefix, generationKey, signal))
  }

  /** If Redis does not acknowledge the write, the key is removed, since neither value may be read any more. */
  write(storedKey: string, entry: Buffer, ttlMs: number): Promise<void> {
    return this.#change('key', [storedKey], () => this.#tier.write(storedKey, entry, ttlMs))
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.#change('key', storedKeys, () => this.#tier.remove(storedKeys))
  }

  bump(storedKey: string, ttlMs: number): Promise<string> {
    return this.#change('generation', [storedKey], () => this.#tier.bump(storedKey, ttlMs))
  }

  /** The outbox cannot hold a pattern, so a failed removal invalidates the whole cache. */
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

  /** Schedules the delivery of pending invalidations, if there are any. */
  deliver(): void {
    if (!this.#parts.outbox.isEmpty) this.#deliverLater()
  }

  /** Sends a change. If Redis does not acknowledge it, the outbox gets an invalidation of its keys. */
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

  /** Sends pending invalidations even if this process sends nothing else: other processes may read the old values. */
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

  /** Sends a read after the own writes of its key that were called before. */
  #afterWrites<Result>(storedKey: string, work: () => Promise<Result>): Promise<Result> {
    const writes = this.#parts.ownWritesOf(storedKey)
    const send = () => this.#send([storedKey], work)
    return writes === undefined ? send() : writes.then(send)
  }

  async #send<Result>(storedKeys: readonly string[], work: () => Promise<Result>): Promise<Result> {
    const { breaker } = this.#parts
    // Outside the `try`: a command that the open circuit refuses says nothing about Redis, and must not count.
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
