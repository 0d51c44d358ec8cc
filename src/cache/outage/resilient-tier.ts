import { RAW, type ReadOutcome, readAs } from '../../backend/read-outcome.ts'
import type {
  AcquireReply,
  AcquireRequest,
  Coherence,
  SharedTier,
  TierListener,
} from '../../backend/shared-tier.ts'
import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { CacheError } from '../../foundation/cache-error.ts'
import type { Timers } from '../../foundation/clock.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import type { InvalidationOutbox } from './invalidation-outbox.ts'

/** What waits is delivered this long after a failure, even where nobody asks for anything. */
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
 * A shared tier that may be away. Nothing is sent while the circuit is open; an invalidation that is not acknowledged
 * is kept, and delivered before anything else is read or stored: so a reader never sees what was invalidated while
 * Redis was away.
 */
export class ResilientTier implements SharedTier {
  readonly #parts: ResilientParts
  readonly #tier: SharedTier
  #isDeliveryDue = false

  constructor(parts: ResilientParts) {
    this.#parts = parts
    this.#tier = parts.tier
  }

  /** The tier itself, for who only looks: nothing is delivered before, and no failure metrics. */
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

  serverNowMs(storedKey: string, nowMs?: number): number | undefined {
    return this.#tier.serverNowMs(storedKey, nowMs)
  }

  serverTimeMs(storedKey: string): Promise<number> {
    return this.#ask(() => this.#tier.serverTimeMs(storedKey))
  }

  read<Result>(storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    return readAs(
      this.#ask(() => this.#tier.read(storedKey, RAW)),
      storedKey,
      storedKey,
      outcome,
    )
  }

  /** Whether nothing has to be opened, delivered or tried before a read. */
  get isClear(): boolean {
    const { breaker, isOpen, outbox } = this.#parts
    return isOpen() && outbox.isEmpty && breaker.state === 'closed'
  }

  /**
   * As {@link read}, where the tier {@link isClear} at this moment: nothing is done before, and no promise is made for
   * it. What came of it is to be told by {@link answered} or {@link failed}.
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

  acquire(storedKey: string, request: AcquireRequest): Promise<AcquireReply> {
    return this.#ask(() => this.#tier.acquire(storedKey, request))
  }

  renew(storedKey: string, token: string, leaseMs: number): Promise<boolean> {
    return this.#ask(() => this.#tier.renew(storedKey, token, leaseMs))
  }

  fill(storedKey: string, token: string, entry: Buffer, ttlMs: number): Promise<boolean> {
    return this.#ask(() => this.#tier.fill(storedKey, token, entry, ttlMs))
  }

  release(storedKey: string, token: string): Promise<void> {
    return this.#ask(() => this.#tier.release(storedKey, token))
  }

  /** Delivers what waits, where anything does. */
  deliver(): void {
    if (!this.#parts.outbox.isEmpty) this.#deliverLater()
  }

  /** A value that was not acknowledged may not be found, and nor may the one before it. */
  write(storedKey: string, entry: Buffer, ttlMs: number): Promise<void> {
    return this.#deliver('key', [storedKey], () => this.#tier.write(storedKey, entry, ttlMs))
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.#deliver('key', storedKeys, () => this.#tier.remove(storedKeys))
  }

  bump(storedKey: string, ttlMs: number): Promise<string> {
    return this.#deliver('generation', [storedKey], () => this.#tier.bump(storedKey, ttlMs))
  }

  /** A pattern cannot be kept: where it fails, everything is invalidated. */
  async removeMatching(pattern: string, options: RemovalOptions): Promise<number> {
    try {
      const removed = await this.#ask(() => this.#tier.removeMatching(pattern, options))
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

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#ask(() => this.#tier.ttlMs(storedKey))
  }

  announce(storedKeys: readonly string[]): Promise<void> {
    return this.#ask(() => this.#tier.announce(storedKeys))
  }

  capture(storedKey: string, ttlMs: number): Promise<string> {
    return this.#ask(() => this.#tier.capture(storedKey, ttlMs))
  }

  reclaim(prefix: string, generation: string, signal: AbortSignal): Promise<number> {
    return this.#ask(() => this.#tier.reclaim(prefix, generation, signal))
  }

  async #deliver<Result>(
    kind: 'key' | 'generation',
    storedKeys: readonly string[],
    work: () => Promise<Result>,
  ): Promise<Result> {
    const { outbox } = this.#parts
    try {
      const result = await this.#ask(work)
      outbox.delivered(kind, storedKeys)
      return result
    } catch (error) {
      outbox.add(kind, storedKeys)
      this.#deliverLater()
      throw error
    }
  }

  /** Whatever this process does next, what waits is delivered: other processes may be reading it. */
  #deliverLater(): void {
    if (this.#isDeliveryDue) return
    this.#isDeliveryDue = true
    this.#parts.timers.after(REDELIVERY_MS, () => {
      this.#isDeliveryDue = false
      if (this.#parts.outbox.isEmpty) return
      this.#ask(async () => {}).catch((error) => {
        if (!(error instanceof CacheError && error.code === 'CACHE_CLOSED')) this.#deliverLater()
      })
    })
  }

  async #ask<Result>(work: () => Promise<Result>): Promise<Result> {
    const { breaker, opened, outbox } = this.#parts
    const opening = opened()
    if (opening === undefined) breaker.admit()
    try {
      if (opening !== undefined) await opening
      if (!outbox.isEmpty) await outbox.deliver(this.#tier)
      const result = await work()
      breaker.answered()
      return result
    } catch (error) {
      breaker.failed(error)
      throw error
    }
  }
}
