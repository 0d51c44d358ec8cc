import type { RemovalOptions } from '../contract/cache-backend.ts'
import type { ReadOutcome } from './read-outcome.ts'

/**
 * How the local tiers of several processes learn of one another's changes.
 *
 * - `'tracking'`: Redis tells of every change to a key that was read (`CLIENT TRACKING`), whoever made it
 * - `'bus'`: the caches tell one another over pub/sub; what other programs write is bounded by the TTL alone
 * - `'ttl'`: nobody tells; a local copy lives for a short time of its own
 * - `'process'`: there is nobody else, the data lies in this process
 */
export type Coherence = 'tracking' | 'bus' | 'ttl' | 'process'

/** What a {@link SharedTier} tells the cache above it. */
export interface TierListener {
  /** This key may have been changed by anybody, this process included. */
  invalidated(storedKey: string): void
  /** Whatever was learned before may be out of date without notice: a connection or a channel was lost. */
  epochBegan(reason: string): void
  /** A server may have forgotten writes that it had acknowledged: it was restarted, or another took its place. */
  restarted(): void
}

/** A request for the right to load a key. */
export interface AcquireRequest {
  /** Sixteen random bytes as `latin1` text, never used before. */
  readonly token: string
  readonly leaseMs: number
  /** The longest lease that anybody takes: a deadline further off stems from another clock. */
  readonly longestLeaseMs: number
  /** The stamp of the entry that was judged, `''` where there was none. */
  readonly stamp: string
  /** `'replace'` makes an unusable entry a placeholder; `'refresh'` leases a stale one and leaves it to be read. */
  readonly purpose: 'replace' | 'refresh'
}

/** What came of an {@link AcquireRequest}. */
export interface AcquireReply {
  /**
   * `'acquired'`; `'held'` by another token; `'changed'`: the entry that was judged is there no longer; `'foreign'`:
   * the key holds another type, and cannot be cached at all.
   */
  readonly status: 'acquired' | 'held' | 'changed' | 'foreign'
  /** The server's clock, in milliseconds. */
  readonly serverNowMs: number
  /** Until the holder's lease ends, where it is `'held'`. */
  readonly remainingMs: number
}

/**
 * What the read-through cache needs of the tier that processes share: reads and writes of whole entries, leases
 * that live in the keys themselves, and generations. Each method is one round trip and fails with a CacheError.
 */
export interface SharedTier {
  /** The mode in force. */
  readonly coherence: Coherence
  /** Until when, on this process's monotonic clock, a change is known to be told: past it nothing local is served. */
  readonly trustedUntilMs: number
  /** Longest life of a local copy where nobody tells of changes; `Infinity` elsewhere. */
  readonly localTtlMs: number
  watch(listener: TierListener): void
  /** Called when the store has been opened. */
  start(): void
  /** Never rejects. */
  stop(): Promise<void>
  /** Stands for the connection that commands on this key travel on; another one after a reconnect. */
  connectionOf(storedKey: string): unknown
  /**
   * Whether news of a change of `otherKey`, acknowledged before a read of `storedKey` is sent, has arrived when the reply
   * comes: the push travels ahead of the reply, on the same connection.
   */
  pushesInOrder(storedKey: string, otherKey: string): boolean
  /**
   * The clock of the server that owns the key, in milliseconds; `undefined` while it is not known.
   * @param nowMs the moment by this process's clock, where that has been looked at
   */
  serverNowMs(storedKey: string, nowMs?: number): number | undefined
  /** The same, asked of the server. */
  serverTimeMs(storedKey: string): Promise<number>

  /** What becomes of the bytes under a key, `null` where there is no string. The reads of one tick share a command. */
  read<Result>(storedKey: string, outcome: ReadOutcome<Result>): Promise<Result>
  acquire(storedKey: string, request: AcquireRequest): Promise<AcquireReply>
  /** Prolongs a lease that is still held; `false` where it is not. */
  renew(storedKey: string, token: string, leaseMs: number): Promise<boolean>
  /** Stores the entry if the key still bears the token, and reads it, so that it is tracked. `false` where it does not. */
  fill(storedKey: string, token: string, entry: Buffer, ttlMs: number): Promise<boolean>
  /** Gives a lease back: removes its placeholder, or frees the entry that bears it. */
  release(storedKey: string, token: string): Promise<void>
  /** Stores an entry, whatever lies there. */
  write(storedKey: string, entry: Buffer, ttlMs: number): Promise<void>
  /** How many of the keys were there; a placeholder was not. */
  remove(storedKeys: readonly string[]): Promise<number>
  /** Removes the keys that match a glob, generations excepted, and returns how many. */
  removeMatching(pattern: string, options: RemovalOptions): Promise<number>
  ttlMs(storedKey: string): Promise<number | undefined>
  /** Tells other processes of changes that were made to the store itself, where they would not learn of them. */
  announce(storedKeys: readonly string[]): Promise<void>

  /** The generation under a key; a new one where there is none. Sixteen bytes as `latin1` text. */
  capture(storedKey: string, ttlMs: number): Promise<string>
  /** Sets a new generation, and returns it. */
  bump(storedKey: string, ttlMs: number): Promise<string>
  /**
   * Removes what lies under a prefix and does not bear its present generation: older entries, counters, sets and
   * plain values. Placeholders and generations stay.
   */
  reclaim(prefix: string, generation: string, signal: AbortSignal): Promise<number>
}
