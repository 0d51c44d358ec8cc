import type { RemovalOptions } from '../../contract/cache-backend.ts'
import type { ReadOutcome } from './read-outcome.ts'

/**
 * The mode in which the local tiers of several processes learn of each other's changes.
 *
 * - `'tracking'`: Redis pushes every change of a key that was read (`CLIENT TRACKING`), whoever made it
 * - `'bus'`: the caches publish their changes over pub/sub; a change by another program stays unnoticed until the TTL
 *   ends
 * - `'ttl'`: there are no messages; a local copy lives for a short time of its own
 * - `'process'`: there is no other process; the data lies in this one
 */
export type Coherence = 'tracking' | 'bus' | 'ttl' | 'process'

/**
 * The {@link Coherence} of a cache at a moment. `'none'`: this process may have missed changes, since it is not connected
 * to Redis or has not heard from it for longer than `coherence.trust`; nothing local is served until it has.
 */
export type PresentCoherence = Coherence | 'none'

/** Receives the changes that a {@link SharedTier} learns of. */
export interface TierListener {
  /** This key may have been changed, by this process or another one. */
  invalidated(storedKey: string): void
  /** A connection or a channel was lost, so changes may have been missed: everything read before may be out of date. */
  epochBegan(reason: string): void
  /** A server was restarted or replaced, and may have lost writes that it had acknowledged. */
  restarted(): void
}

/** Returns the bytes of an entry with this head; `undefined` if the local tier no longer holds its value. */
export type RestoreEntry = (storedKey: string, head: Buffer) => Buffer | undefined

/** A request for the lease of a key. */
export interface AcquireRequest {
  /** Fifteen random bytes and a zero as `latin1` text, never used before. */
  readonly token: string
  readonly leaseMs: number
  /**
   * The longest lease that any process takes: a deadline further away stems from another clock. 0 takes the lease over
   * from whoever holds it.
   */
  readonly longestLeaseMs: number
  /** The stamp of the entry that was judged; `''` if there was none. */
  readonly stamp: string
  /** `'replace'` turns an unusable entry into a placeholder; `'refresh'` leases a stale entry, which stays readable. */
  readonly purpose: 'replace' | 'refresh'
  /** Whether the pause after a failed load counts. If not, the lease is granted in spite of it. @default false */
  readonly heedsPause?: boolean | undefined
}

/** How long an absent key remembers that a load brought no value, in milliseconds. */
export const FRUITLESS_MS = 1_000

/** The longest time for which a change may hold a key, in milliseconds; also the window in which holds are counted. */
export const HOLD_WINDOW_MS = 60_000

/** The answer to an {@link AcquireRequest}. */
export interface AcquireReply {
  /**
   * `'acquired'`; `'held'` by another token; `'paused'`: the last load has failed, and is not to be tried again yet;
   * `'changed'`: the entry that was judged is no longer there; `'changing'`: a change holds the key, so nothing may be
   * stored; `'foreign'`: the key holds another Redis type, and cannot be cached.
   */
  readonly status: 'acquired' | 'held' | 'paused' | 'changed' | 'changing' | 'foreign'
  /** The time of the server, in milliseconds. */
  readonly serverNowMs: number
  /** Milliseconds until the holder's lease or the pause ends, if it is `'held'` or `'paused'`. */
  readonly remainingMs: number
  /** The whole length of the pause, if the key is `'paused'` and holds no entry. */
  readonly pauseMs?: number | undefined
  /**
   * How many loads in a row had brought no value when the lease was granted that the key now holds. If it was acquired,
   * the last byte of its token is this number.
   */
  readonly fruitlessLoads: number
}

/** A request to reserve a key that holds nothing usable. */
export interface ReserveRequest {
  /** Fifteen random bytes and a zero as `latin1` text, never used before. */
  readonly token: string
  /** How long the reservation lasts. */
  readonly lifetimeMs: number
  /** The stamp of the unusable entry that was judged; `''` if there was none. */
  readonly stamp: string
}

/** The answer to a {@link ReserveRequest}. */
export interface ReserveReply {
  /**
   * `'reserved'`; `'changed'`: the key holds another entry than the one that was judged; `'changing'`: a change holds the
   * key, so nothing may be stored; `'foreign'`: it holds another Redis type, and cannot be cached.
   */
  readonly status: 'reserved' | 'changed' | 'changing' | 'foreign'
  /** The token that the key holds, which others may hold too; `''` if it is not reserved. */
  readonly token: string
}

/** How a generation is renewed. */
export interface Renewal {
  /** Over how many milliseconds the entries that are bound to it become stale; `undefined` if they become invalid. */
  readonly staleOverMs?: number | undefined
  /** Who renews it, and what for, see `causeBytes`. */
  readonly cause?: Buffer | undefined
}

/** What a key must still hold for a fill to be stored. */
export interface Fence {
  /**
   * `'lease'`: a lease with this token, which has not expired; `'reservation'`: a placeholder with this token;
   * `'entry'`: an entry with this stamp.
   */
  readonly kind: 'lease' | 'reservation' | 'entry'
  /** The token or the stamp, as `latin1` text. */
  readonly mark: string
}

/**
 * The tier that processes share, as a read-through cache uses it: reads and writes of whole entries, leases that are
 * stored in the keys themselves, and generations. Each method is one round trip, and fails with a CacheError.
 */
export interface SharedTier {
  /** The mode in force. */
  readonly coherence: Coherence
  /**
   * The moment, on this process's monotonic clock, up to which every change is known to have been pushed. After it,
   * local copies are not served.
   */
  readonly trustedUntilMs: number
  /** The longest life of a local copy in mode `'ttl'`; `Infinity` in the others. */
  readonly localTtlMs: number
  watch(listener: TierListener): void
  /** Must be called when the store has been opened. */
  start(): void
  /** Ends what `watch` and `start` have begun; the store goes on. Never rejects. */
  stop(): Promise<void>
  /** An object that identifies the connection on which commands for this key travel; another one after a reconnect. */
  connectionOf(storedKey: string): unknown
  /** Names the node that owns a key; `undefined` if that is unknown. Where there is only one node, its name is `''`. */
  nodeOf(storedKey: string): string | undefined
  /** Whether there may be several nodes, each with its own share of the keys. */
  readonly hasManyNodes: boolean
  /** The suffixes of the copies in which the generation of a namespace is kept: one for each part of a cluster. */
  readonly generationCopies: readonly string[]
  /** The suffix of the copy that an entry under this key should be bound to, since it lies on the same node. */
  copyNear(storedKey: string): string
  /**
   * Lets the cache keep the values of entries only in its local tier, if both tiers are in one process. This tier then
   * keeps only the heads, and calls `restore` for the bytes of an entry when it is read.
   * @returns a function by which the cache reports that the local tier holds the value of an entry from now on;
   * `undefined` if this tier keeps its own copy anyway
   */
  shedValues?(restore: RestoreEntry): ((storedKey: string, stamp: string) => void) | undefined
  /**
   * Whether a push about `otherKey` cannot arrive later than the reply to a read of `storedKey` that was sent after the
   * change: both travel on one connection, in order.
   */
  pushesInOrder(storedKey: string, otherKey: string): boolean
  /**
   * The time of the server that owns the key, in milliseconds; `undefined` while it is not known.
   * @param nowMs the time of this process's clock, if the caller has just read it
   */
  serverNowMs(storedKey: string, nowMs?: number): number | undefined
  /** The time of the server that owns the key, in milliseconds, asked of the server. */
  serverTimeMs(storedKey: string): Promise<number>
  /** What has to be added to a time of the server for milliseconds since 1970; 0 if the server counts from then. */
  epochOffsetMs(): number
  /** A token that stands for all that this process was told is acknowledged, for {@link hasNewsOf} of any process. */
  mark(): Promise<string>
  /**
   * Whether this process has heard of every change that was acknowledged before a token was made. `false` if it cannot
   * tell: for a token of other servers, or of a server's earlier life, for any text that is no token, and in the modes
   * `'bus'` and `'ttl'`.
   */
  hasNewsOf(token: string): boolean

  /** Reads the bytes under a key; `null` if it holds no string. The reads of one tick share a command. */
  read(storedKey: string): Promise<Buffer | null>
  /** As {@link read}, without a promise: the outcome gets the reply in the callback that receives it. It never throws. */
  readInto(storedKey: string, outcome: ReadOutcome<void>): void
  acquire(storedKey: string, request: AcquireRequest): Promise<AcquireReply>
  /** Prolongs a lease; `false` if it is no longer held. */
  renew(storedKey: string, token: string, leaseMs: number): Promise<boolean>
  /**
   * Leaves a placeholder that everyone shares who reserves the key. Nobody waits for it, and a load may take it over. If
   * another process loads the key, its lease serves as the reservation.
   */
  reserve(storedKey: string, request: ReserveRequest): Promise<ReserveReply>
  /** Stores the entry if the fence still stands, and reads it so that it is tracked; `false` if it does not. */
  fill(storedKey: string, fence: Fence, entry: Buffer, ttlMs: number): Promise<boolean>
  /**
   * Returns a lease: removes its placeholder, or clears it in the entry.
   * @param isFruitless whether the load has ended without a value, so that those who waited for it need to know
   * @param pauseMs how long nobody is to load the key again, if the load was fruitless and the key holds an entry
   */
  release(storedKey: string, token: string, isFruitless: boolean, pauseMs?: number): Promise<void>
  /** Stores an entry in place of any other. */
  write(storedKey: string, entry: Buffer, ttlMs: number): Promise<void>
  /** Removes keys, and returns how many of them were there. A placeholder does not count. */
  remove(storedKeys: readonly string[]): Promise<number>
  /** Removes the keys that match a glob, except generations, and returns how many. */
  removeMatching(pattern: string, options: RemovalOptions): Promise<number>
  ttlMs(storedKey: string): Promise<number | undefined>

  /**
   * The generation under a key, which is created if there is none, and gets this time to live if less than half of it is
   * left: its value, see `readGenerationValue`, or sixteen zeros (`HELD_GENERATION`) while a change holds it.
   */
  capture(storedKey: string, ttlMs: number): Promise<Buffer>
  /**
   * Renews a generation, or removes it if there is no room. The time to live is the given one, or what is left of the
   * old one if that is more. Returns the new one, sixteen bytes as `latin1` text, stored or not; `HELD_GENERATION` while a
   * change holds it.
   */
  bump(storedKey: string, ttlMs: number, renewal: Renewal): Promise<string>
  /**
   * Marks a key or a generation as being changed. What it holds is removed, and nothing is stored under the key, or bound
   * to the generation, until all who hold it have ended their hold, or their time is over.
   * @param durationMs at most `HOLD_WINDOW_MS`
   * @returns what {@link endHold} needs
   */
  hold(storedKey: string, durationMs: number): Promise<string>
  /**
   * Ends a hold, and invalidates what lies under the key. `false` if the hold had ended before, so that others may have
   * stored something.
   * @param hold what {@link hold} has returned
   */
  endHold(storedKey: string, hold: string): Promise<boolean>
  /**
   * Removes what lies under a prefix and is bound to no generation under this key or a copy of it, neither the present
   * one nor an older one: counters, sets, plain values, entries of other namespaces. Placeholders and generations stay.
   * Several round trips; so are those of {@link reclaim}.
   */
  removeUnbound(prefix: string, generationKey: string): Promise<number>
  /**
   * Removes the entries under a prefix that are bound to a generation under this key, or a copy of it, which has been
   * replaced.
   */
  reclaim(prefix: string, generationKey: string, signal: AbortSignal): Promise<number>
}
