import type { TierSettings } from '../../backend/seams/cache-store.ts'
import type { ReadOutcome } from '../../backend/seams/read-outcome.ts'
import type {
  AcquireReply,
  AcquireRequest,
  Coherence,
  Fence,
  TierListener,
} from '../../backend/seams/shared-tier.ts'
import type { Keyspace } from '../../memory/keyspace.ts'
import { MemoryTier, type MemoryTierStore } from '../../memory/memory-tier.ts'
import type { TrackedConnection, TrackingTable } from './tracking-table.ts'

/** The parts of a {@link SimulatedTier}. */
export interface SimulatedTierParts {
  /** Pushes every change that is made through it. */
  readonly keyspace: Keyspace
  readonly store: MemoryTierStore
  readonly tracking: TrackingTable
}

/**
 * The memory tier for several simulated processes. It tracks reads, and also leases, fills and captured generations, as
 * the scripts of the Redis tier do. In mode `'ttl'` it tracks nothing.
 */
export class SimulatedTier extends MemoryTier implements TrackedConnection {
  override readonly coherence: Coherence
  override readonly localTtlMs: number
  readonly #tracking: TrackingTable
  #listener: TierListener | undefined

  constructor({ keyspace, store, tracking }: SimulatedTierParts, settings: TierSettings) {
    super(keyspace, store, settings.clock)
    const isTold = settings.coherence !== 'ttl'
    this.coherence = isTold ? 'tracking' : 'ttl'
    this.localTtlMs = isTold ? Number.POSITIVE_INFINITY : settings.localTtlMs
    this.#tracking = tracking
  }

  override watch(listener: TierListener): void {
    this.#listener = listener
  }

  override pushesInOrder(): boolean {
    return this.coherence === 'tracking'
  }

  override async stop(): Promise<void> {
    this.#listener = undefined
    this.#tracking.forget(this)
  }

  invalidated(storedKey: string): void {
    this.#listener?.invalidated(storedKey)
  }

  override read(storedKey: string): Promise<Buffer | null> {
    this.#track(storedKey)
    return super.read(storedKey)
  }

  override readInto(storedKey: string, outcome: ReadOutcome<void>): void {
    this.#track(storedKey)
    super.readInto(storedKey, outcome)
  }

  override acquire(storedKey: string, request: AcquireRequest): Promise<AcquireReply> {
    this.#track(storedKey)
    return super.acquire(storedKey, request)
  }

  override renew(storedKey: string, token: string, leaseMs: number): Promise<boolean> {
    this.#track(storedKey)
    return super.renew(storedKey, token, leaseMs)
  }

  /** Checks the token untracked, stores the entry and reads it, in one step: it misses no change in between. */
  override fill(storedKey: string, fence: Fence, entry: Buffer, ttlMs: number): Promise<boolean> {
    const filling = super.fill(storedKey, fence, entry, ttlMs)
    this.#track(storedKey)
    return filling
  }

  override release(storedKey: string, token: string, isFruitless: boolean, pauseMs?: number): Promise<void> {
    this.#track(storedKey)
    return super.release(storedKey, token, isFruitless, pauseMs)
  }

  /** Tracks the generation, which the script reads last. */
  override capture(storedKey: string, ttlMs: number): Promise<Buffer> {
    const capturing = super.capture(storedKey, ttlMs)
    this.#track(storedKey)
    return capturing
  }

  #track(storedKey: string): void {
    if (this.coherence === 'tracking') this.#tracking.read(storedKey, this)
  }
}
