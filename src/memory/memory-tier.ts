import { RAW, type ReadOutcome } from '../backend/seams/read-outcome.ts'
import type {
  AcquireReply,
  AcquireRequest,
  Coherence,
  Fence,
  Renewal,
  ReserveReply,
  ReserveRequest,
  RestoreEntry,
  SharedTier,
  TierListener,
} from '../backend/seams/shared-tier.ts'
import { readGenerationValue } from '../codec/envelope/generation-value.ts'
import type { RemovalOptions } from '../contract/cache-backend.ts'
import { isReserved } from '../foundation/reserved-keys.ts'
import type { Clock } from '../foundation/time/clock.ts'
import { wallMs } from '../foundation/time/timers.ts'
import { endHold, holdKey } from './hold-rules.ts'
import type { Keyspace } from './keyspace.ts'
import {
  acquireLease,
  bumpGeneration,
  captureGeneration,
  fillEntry,
  reclaimKeys,
  releaseLease,
  renewLease,
  reserveKey,
} from './lease-rules.ts'

/** The token of a tier whose caches are told of every change at once. */
const IN_PROCESS = 'process'

/** The operations of the store that the tier calls. */
export interface MemoryTierStore {
  read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result>
  shedValues?(restore: RestoreEntry): (storedKey: string, stamp: string) => void
  remove(storedKeys: readonly string[]): Promise<number>
  removeMatching(pattern: string, options: RemovalOptions, isWhole: boolean): Promise<number>
  ttlMs(storedKey: string): Promise<number | undefined>
}

/** The shared tier of a cache whose data is in this process, so that no other process can change it. */
export class MemoryTier implements SharedTier {
  readonly coherence: Coherence = 'process'
  readonly trustedUntilMs: number = Number.POSITIVE_INFINITY
  readonly localTtlMs: number = Number.POSITIVE_INFINITY
  readonly #keyspace: Keyspace
  readonly #store: MemoryTierStore
  readonly #clock: Clock

  constructor(keyspace: Keyspace, store: MemoryTierStore, clock: Clock) {
    this.#keyspace = keyspace
    this.#store = store
    this.#clock = clock
  }

  watch(_listener: TierListener): void {}

  start(): void {}

  async stop(): Promise<void> {}

  readonly hasManyNodes = false
  readonly generationCopies: readonly string[] = ['']

  nodeOf(): string {
    return ''
  }

  copyNear(): string {
    return ''
  }

  connectionOf(): unknown {
    return this
  }

  pushesInOrder(): boolean {
    return true
  }

  serverNowMs(): number {
    return this.#clock.monotonicMs()
  }

  async serverTimeMs(): Promise<number> {
    return this.#clock.monotonicMs()
  }

  /** A clock of a test may stand still or run ahead, so the offset is not a constant. */
  epochOffsetMs(): number {
    return wallMs() - this.#clock.monotonicMs()
  }

  /** Avoids keeping a value twice: it is either encoded in this store, or decoded in the local tier. */
  shedValues(restore: RestoreEntry): ((storedKey: string, stamp: string) => void) | undefined {
    return this.#store.shedValues?.(restore)
  }

  async mark(): Promise<string> {
    return IN_PROCESS
  }

  /** There is no other process that could have heard more. */
  hasNewsOf(token: string): boolean {
    return token === IN_PROCESS
  }

  read(storedKey: string): Promise<Buffer | null> {
    return this.#store.read(storedKey, storedKey, RAW)
  }

  readInto(storedKey: string, outcome: ReadOutcome<void>): void {
    void this.#store.read(storedKey, storedKey, outcome)
  }

  async acquire(storedKey: string, request: AcquireRequest): Promise<AcquireReply> {
    return acquireLease(this.#keyspace, storedKey, request, this.#clock.monotonicMs())
  }

  async renew(storedKey: string, token: string, leaseMs: number): Promise<boolean> {
    return renewLease(this.#keyspace, storedKey, token, leaseMs, this.#clock.monotonicMs())
  }

  async reserve(storedKey: string, request: ReserveRequest): Promise<ReserveReply> {
    return reserveKey(this.#keyspace, storedKey, request)
  }

  async fill(storedKey: string, fence: Fence, entry: Buffer, ttlMs: number): Promise<boolean> {
    return fillEntry(this.#keyspace, storedKey, fence, entry, ttlMs, this.#clock.monotonicMs())
  }

  async release(storedKey: string, token: string, isFruitless: boolean, pauseMs?: number): Promise<void> {
    releaseLease(this.#keyspace, storedKey, { token, isFruitless, pauseMs }, this.#clock.monotonicMs())
  }

  async write(storedKey: string, entry: Buffer, ttlMs: number): Promise<void> {
    this.#keyspace.put(storedKey, entry, ttlMs)
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.#store.remove(storedKeys)
  }

  removeMatching(pattern: string, options: RemovalOptions): Promise<number> {
    return this.#store.removeMatching(pattern, options, false)
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#store.ttlMs(storedKey)
  }

  async capture(storedKey: string, ttlMs: number): Promise<Buffer> {
    return captureGeneration(this.#keyspace, storedKey, ttlMs, this.#clock.monotonicMs())
  }

  async bump(storedKey: string, ttlMs: number, renewal: Renewal): Promise<string> {
    return bumpGeneration(this.#keyspace, storedKey, ttlMs, renewal, this.#clock.monotonicMs())
  }

  async hold(storedKey: string, durationMs: number): Promise<string> {
    return holdKey(this.#keyspace, storedKey, durationMs, this.#clock.monotonicMs())
  }

  async endHold(storedKey: string, hold: string): Promise<boolean> {
    return endHold(this.#keyspace, storedKey, hold, this.#clock.monotonicMs())
  }

  async removeUnbound(prefix: string, generationKey: string): Promise<number> {
    return reclaimKeys(this.#keyspace, this.#keysUnder(prefix), generationKey, true).removed
  }

  /** Nothing else runs meanwhile, so each generation that an entry is bound to is the current one or was replaced. */
  async reclaim(prefix: string, generationKey: string): Promise<number> {
    const storedKeys = this.#keysUnder(prefix)
    const bytes = this.#keyspace.get(generationKey)
    const current = bytes === 'other' ? undefined : readGenerationValue(bytes)
    const { stays } = reclaimKeys(this.#keyspace, storedKeys, generationKey, false)
    const replaced = stays.filter((generation) => generation !== current?.generation)
    return reclaimKeys(this.#keyspace, storedKeys, generationKey, false, replaced).removed
  }

  #keysUnder(prefix: string): readonly string[] {
    return this.#keyspace.keys().filter((storedKey) => storedKey.startsWith(prefix) && !isReserved(storedKey))
  }
}
