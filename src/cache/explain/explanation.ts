import type { PresentCoherence } from '../../backend/seams/shared-tier.ts'
import type { CacheErrorCode } from '../../foundation/errors/cache-error.ts'
import type { CircuitState } from '../outage/circuit-breaker.ts'

/**
 * The step that a `getOrSet` would take.
 *
 * - `'serve-local'`: serve the fresh local copy, without a round trip
 * - `'serve-shared'`: serve the fresh value in Redis
 * - `'serve-stale'`: serve a stale value; `refresh` says who loads the next one
 * - `'join'`: wait for the load of this key that is under way in this process
 * - `'wait'`: wait for another load of this key, usually in another process, and serve the value that it stores
 * - `'load'`: call the loader, and store what it returns
 * - `'load-uncached'`: call the loader, and store nothing
 * - `'reject'`: reject with the failure of an earlier load, and call no loader (`errorTtl`)
 */
export type ExplainedStep =
  | 'serve-local'
  | 'serve-shared'
  | 'serve-stale'
  | 'join'
  | 'wait'
  | 'load'
  | 'load-uncached'
  | 'reject'

/** The step that a `getOrSet` would take at this moment, and the reason. */
export interface ExplainedNext {
  readonly step: ExplainedStep
  /** A sentence for people; its wording may change with a version. */
  readonly reason: string
  /**
   * With `'serve-stale'`: whether this call begins the refresh, or one is under way in this process or elsewhere, or the last
   * one has failed and is not to be tried again yet (`retryAfterError`).
   */
  readonly refresh?: 'begins' | 'here' | 'elsewhere' | 'paused'
  /** The probability, from 0 to 1, that the call refreshes a fresh value (`earlyRefresh`); absent if that is off. */
  readonly earlyRefreshChance?: number
}

/**
 * A reason why a local copy is not served.
 *
 * - `'expired'`: its time to live has passed
 * - `'copy-expired'`: the life of a copy has passed, which is short in mode `'ttl'`, or by `local.ttl` of the namespace
 * - `'older-epoch'`: a connection or channel was lost since it was read, so changes may have been missed
 * - `'untrusted'`: Redis has been silent for so long that pushes may have been lost
 * - `'generation-invalidated'`: this process knows that one of its tags or namespaces was invalidated
 * - `'generation-expired'`: one of its tags was expired, and this process has not read since when it is stale
 * - `'generation-unconfirmed'`: one of its generations is no longer known to be the present one
 * - `'lacks-tag'`: it lacks a tag that this call names
 * - `'other-namespace'`: it was stored through another namespace
 * - `'too-old'`: it is older than the `maxAge` of the call
 * - `'passed-by'`: the call passes by this copy (`local: false`), or by one that was read so long ago (`local: { ttl }`)
 * - `'unfit'`: it does not fit the schema of the collection
 */
export type LocalRefusal =
  | 'expired'
  | 'copy-expired'
  | 'older-epoch'
  | 'untrusted'
  | 'generation-invalidated'
  | 'generation-expired'
  | 'generation-unconfirmed'
  | 'lacks-tag'
  | 'other-namespace'
  | 'too-old'
  | 'passed-by'
  | 'unfit'

/** When something was invalidated or expired, and what for. */
export interface ExplainedInvalidation {
  /** Seconds. */
  readonly ago: number
  /** The `processName` of the cache that did it, if its caller gave `by`. */
  readonly process?: string
  readonly by?: string
}

/** A tag or a namespace that an entry depends on, or that the call names. */
export interface ExplainedGeneration {
  /** The name of the tag, or the prefix of the namespace; at most 100 characters. */
  readonly name: string
  /**
   * The prefix of the namespace of the tag, if it is another one than that of the key: the entry has inherited it
   * (`inherit`). At most 100 characters.
   */
  readonly of?: string
  /**
   * Its state in Redis. `'valid'`; `'expired'`: it was expired, so the entry is valid, and stale or soon will be;
   * `'invalidated'`: it was invalidated; `'missing'`: it has no generation, which was
   * evicted, expired or deleted; `'changing'`: a `change` holds it, so it has none until that has ended; `'lacking'`: the
   * call names it, and the entry does not have it; `'unknown'`: it could not be read.
   */
  readonly verdict: 'valid' | 'expired' | 'invalidated' | 'missing' | 'changing' | 'lacking' | 'unknown'
  /** Whether this process treats it as valid without asking Redis. */
  readonly isBelieved: boolean
  /** For `'expired'` and `'invalidated'`: the last time that it was; absent while the clock of Redis is not known. */
  readonly invalidation?: ExplainedInvalidation
}

/**
 * The times of a value, in seconds. A time from now is negative if it has passed, and `null` if there is no end.
 */
export interface ExplainedTimes {
  /**
   * `'fresh'`; `'stale'`: past its time to live, within `staleWhileRevalidate` or `staleIfError`; `'expired'`: past
   * those too.
   */
  readonly freshness: 'fresh' | 'stale' | 'expired'
  /** The time since its load began; absent if it is unknown because Redis cannot be reached. */
  readonly age?: number
  readonly ttl: number | null
  /** From now. */
  readonly freshFor: number | null
  /** From now until it is no longer served while a new one is loaded (`staleWhileRevalidate`). */
  readonly staleWhileRevalidateFor: number | null
  /** From now until it is no longer served if its loader fails (`staleIfError`). */
  readonly staleIfErrorFor: number | null
  /** The duration of its loader. */
  readonly loadDuration: number
}

/** The local copy. */
export interface ExplainedLocal {
  /** `'off'`: nothing of this namespace, or of the whole cache, is kept in this process. */
  readonly state: 'off' | 'absent' | 'kept'
  /** How it is served; `'nothing'` if it is not. */
  readonly serves: 'fresh' | 'stale' | 'nothing'
  /** The reasons why it is not served as fresh. */
  readonly refusals: readonly LocalRefusal[]
  /**
   * Seconds from now until it is no longer served as fresh, unless it is invalidated before. Less than `freshFor` in
   * mode `'ttl'`, and with `local.ttl` of the namespace; `null` if there is no end.
   */
  readonly servableFor?: number | null
  /** Absent for a plain value. */
  readonly times?: ExplainedTimes
  readonly tags: readonly ExplainedGeneration[]
  readonly namespaces: readonly ExplainedGeneration[]
  /**
   * Its comparison with Redis. `'same'`; `'replaced'`: Redis has another value; `'gone'`: Redis has none;
   * `'invalidated'`: Redis has it, and one of its tags or namespaces was invalidated. Absent if it is unknown.
   */
  readonly inShared?: 'same' | 'replaced' | 'gone' | 'invalidated'
}

/** The value in Redis, or in another shared tier. */
export interface ExplainedShared {
  /**
   * - `'absent'`: there is none
   * - `'placeholder'`: there is none yet; its first value is being loaded, see `lease`, or somebody has reserved the key
   * - `'changing'`: there is none, and none is stored, since a `change` holds the key; `expiresIn` is how long at most
   * - `'entry'`: a value that a cache stored, with freshness and tags
   * - `'plain'`: a value without these, as `cache.plain` or another program writes it
   * - `'foreign-type'`: a list, a set or another type that is not a string
   * - `'undecodable'`: bytes that cannot be decoded, see `error`
   * - `'unavailable'`: Redis could not be asked, see `error`
   * - `'unused'`: the values of the namespace stay in processes (`store: 'local'`); Redis has their generations alone
   */
  readonly state:
    | 'absent'
    | 'placeholder'
    | 'changing'
    | 'entry'
    | 'plain'
    | 'foreign-type'
    | 'undecodable'
    | 'unavailable'
    | 'unused'
  /** Whether this process treats the value as valid; `times` gives its freshness. */
  readonly isUsable: boolean
  /** The reason why it is undecodable or unreachable; it quotes no value. */
  readonly error?: { readonly code: CacheErrorCode; readonly message: string }
  readonly times?: ExplainedTimes
  /** Seconds until Redis removes the key; `null` if it does not expire. */
  readonly expiresIn?: number | null
  /** Its size in Redis, with its header. */
  readonly bytes?: number
  /** The size of its payload: compressed and encrypted, without the header. */
  readonly payloadBytes?: number
  readonly serializer?: string
  /** `'none'` if it is not compressed. */
  readonly compression?: string
  /** The id of the key that it is encrypted with. */
  readonly encryptionKeyId?: string
  readonly tags: readonly ExplainedGeneration[]
  readonly namespaces: readonly ExplainedGeneration[]
}

/** The lease of the key: the right to store its next value. */
export interface ExplainedLease {
  readonly holder: 'nobody' | 'this-process' | 'another-process' | 'unknown'
  /** Seconds from now until it runs out, unless it is renewed. */
  readonly remaining?: number
  /** Seconds from now for which the last load, which has failed, is not to be tried again. */
  readonly pausedFor?: number
}

/** The load of the key in this process. */
export interface ExplainedLoad {
  /**
   * `'reading'`: it asks Redis for a value; `'waiting'`: another process is loading one; `'queued'`: it waits for its turn
   * (`maxLoads`).
   */
  readonly state: 'none' | 'reading' | 'queued' | 'waiting' | 'loading'
  /** The number of callers that wait for it; work in the background counts as one. */
  readonly callers: number
}

/** The state of the cache. */
export interface ExplainedCache {
  readonly coherence: PresentCoherence
  readonly circuit: CircuitState
  /** Invalidations that Redis has not acknowledged yet. */
  readonly undelivered: number
  /** The number of times that this process may have missed changes, since the cache was made. */
  readonly epoch: number
}

/**
 * The knowledge of a cache about a key, and what it would do with it. Made by `cache.explain`.
 *
 * It is plain data that survives `JSON.stringify`; as a string (`String(explanation)`, or in a template) it is a text
 * for people. It contains no value, no generation, no token, and no name longer than 100 characters, so it may be
 * logged.
 */
export interface Explanation {
  /** The key, at most 100 characters. */
  readonly key: string
  /** The key in Redis, at most 100 characters. */
  readonly storedKey: string
  readonly next: ExplainedNext
  readonly local: ExplainedLocal
  readonly shared: ExplainedShared
  /** Who has last deleted or expired the key with a `by`, within the last hour. */
  readonly invalidation?: ExplainedInvalidation
  readonly lease: ExplainedLease
  readonly load: ExplainedLoad
  readonly cache: ExplainedCache
  /** Further remarks, as sentences for people. */
  readonly notes: readonly string[]
  /** A text of several lines, for people. */
  toString(): string
}
