import type { Coherence } from '../../backend/shared-tier.ts'
import type { CacheErrorCode } from '../../foundation/cache-error.ts'
import type { CircuitState } from '../outage/circuit-breaker.ts'

/**
 * What a `getOrSet` would do.
 *
 * - `'serve-local'`: serve the fresh value of this process, without a round trip
 * - `'serve-shared'`: serve the fresh value in Redis
 * - `'serve-stale'`: serve a value past its time to live; `refresh` tells who loads the next one
 * - `'join'`: wait for the load of this key that is under way in this process
 * - `'wait'`: wait for another load of this key, of another process as a rule, and serve what that has stored
 * - `'load'`: call the loader, and store what it returns
 * - `'load-uncached'`: call the loader, and store nothing
 */
export type ExplainedStep =
  | 'serve-local'
  | 'serve-shared'
  | 'serve-stale'
  | 'join'
  | 'wait'
  | 'load'
  | 'load-uncached'

/** What a `getOrSet` would do at this moment, and why. */
export interface ExplainedNext {
  readonly step: ExplainedStep
  /** A sentence for people; it may be worded otherwise in another version. */
  readonly reason: string
  /** With `'serve-stale'`: whether this call has the next value loaded, or it is being loaded in this process or elsewhere. */
  readonly refresh?: 'begins' | 'here' | 'elsewhere'
  /** How likely a fresh value would be loaded anew in the background (`earlyRefresh`), from 0 to 1; absent where it is off. */
  readonly earlyRefreshChance?: number
}

/**
 * What keeps a copy of this process from being served.
 *
 * - `'expired'`: its time to live has passed
 * - `'copy-expired'`: nobody tells of changes, and the short time that a copy may live has passed
 * - `'older-epoch'`: a connection or channel was lost since, so changes may have been missed
 * - `'untrusted'`: Redis has been silent for so long that it may have told of changes in vain
 * - `'generation-renewed'`: one of its tags or namespaces was invalidated, as this process knows
 * - `'generation-unconfirmed'`: one of them is no longer known to be the present one
 * - `'lacks-tag'`: it does not bear a tag that this call asks for
 * - `'other-namespace'`: it was stored by way of another namespace
 */
export type LocalRefusal =
  | 'expired'
  | 'copy-expired'
  | 'older-epoch'
  | 'untrusted'
  | 'generation-renewed'
  | 'generation-unconfirmed'
  | 'lacks-tag'
  | 'other-namespace'

/** A tag or a namespace that an entry depends on, or that the call asks for. */
export interface ExplainedGeneration {
  /** The name of the tag, or the prefix of the namespace; at most 100 characters. */
  readonly name: string
  /**
   * By what Redis has today: `'valid'`; `'renewed'`: it was invalidated since; `'missing'`: there is none, it was
   * evicted, has expired or was deleted; `'lacking'`: the call asks for it, and the entry does not bear it;
   * `'unknown'`: it could not be read.
   */
  readonly verdict: 'valid' | 'renewed' | 'missing' | 'lacking' | 'unknown'
  /** Whether this process takes it for valid without asking Redis, by what it has heard so far. */
  readonly isBelieved: boolean
}

/**
 * How long a value is served. All in seconds; those that count from now are negative once they lie in the past, and
 * `null` where there is no end.
 */
export interface ExplainedTimes {
  /**
   * `'fresh'`; `'stale'`: past its time to live, within `staleWhileRevalidate` or `staleIfError`; `'expired'`: past
   * those too.
   */
  readonly freshness: 'fresh' | 'stale' | 'expired'
  /** Since its load began; absent where it cannot be told, as Redis is away. */
  readonly age?: number
  readonly ttl: number | null
  /** From now. */
  readonly freshFor: number | null
  /** From now until it is no longer served while a new one is loaded. */
  readonly staleWhileRevalidateFor: number | null
  /** From now until it is no longer served where its loader fails. */
  readonly staleIfErrorFor: number | null
  /** How long its loader took. */
  readonly loadCost: number
}

/** The copy of this process. */
export interface ExplainedLocal {
  /** `'off'`: the cache keeps nothing in this process. */
  readonly state: 'off' | 'absent' | 'kept'
  /** As what it is served; `'nothing'` where it is not. */
  readonly serves: 'fresh' | 'stale' | 'nothing'
  /** Why it is not served as fresh. */
  readonly refusals: readonly LocalRefusal[]
  /**
   * Seconds from now until it is no longer served as fresh, if nothing else is heard of it: less than it is fresh for
   * where nobody tells of changes. `null` where there is no end.
   */
  readonly servableFor?: number | null
  /** Absent for a plain value. */
  readonly times?: ExplainedTimes
  readonly tags: readonly ExplainedGeneration[]
  readonly namespaces: readonly ExplainedGeneration[]
  /**
   * How it compares with Redis: `'same'`; `'replaced'`: Redis has another value; `'gone'`: Redis has none;
   * `'invalidated'`: Redis has it, and one of its tags or namespaces is not the present one any more. Absent where it
   * cannot be told.
   */
  readonly inRedis?: 'same' | 'replaced' | 'gone' | 'invalidated'
}

/** What Redis (or whatever the processes share) holds. */
export interface ExplainedShared {
  /**
   * - `'absent'`: nothing
   * - `'placeholder'`: nothing yet, its first value is being loaded; see `lease`
   * - `'entry'`: a value that a cache stored, with its freshness and tags
   * - `'plain'`: a value without these, as `cache.backend` or another program writes it
   * - `'foreign-type'`: a list, a set or whatever else is no string
   * - `'undecodable'`: bytes that cannot be read; see `error`
   * - `'unreachable'`: it could not be asked; see `error`
   */
  readonly state:
    | 'absent'
    | 'placeholder'
    | 'entry'
    | 'plain'
    | 'foreign-type'
    | 'undecodable'
    | 'unreachable'
  /** Whether this process takes the value for valid; how fresh it is, `times` tells. */
  readonly isUsable: boolean
  /** Why it is undecodable or unreachable; holds nothing of a value. */
  readonly error?: { readonly code: CacheErrorCode; readonly message: string }
  readonly times?: ExplainedTimes
  /** Seconds until Redis removes the key; `null` where it does not expire. */
  readonly expiresIn?: number | null
  /** What it takes in Redis, its header included. */
  readonly bytes?: number
  /** What its payload takes: compressed and encrypted, without its header. */
  readonly payloadBytes?: number
  readonly serializer?: string
  /** `'none'` where it is not compressed. */
  readonly compression?: string
  /** The id of the key that it is encrypted with. */
  readonly encryptionKeyId?: string
  readonly tags: readonly ExplainedGeneration[]
  readonly namespaces: readonly ExplainedGeneration[]
}

/** Who may store the next value. */
export interface ExplainedLease {
  readonly holder: 'nobody' | 'this-process' | 'another-process' | 'unknown'
  /** Seconds from now until it runs out, unless it is renewed. */
  readonly remaining?: number
}

/** The load of the key in this process. */
export interface ExplainedLoad {
  /** `'reading'`: it is looking whether there is a value; `'waiting'`: another process is loading one. */
  readonly state: 'none' | 'reading' | 'waiting' | 'loading'
  /** How many wait for it; work in the background metrics as one. */
  readonly callers: number
}

/** How the cache is doing. */
export interface ExplainedCache {
  readonly coherence: Coherence
  readonly circuit: CircuitState
  /** Invalidations that Redis has not acknowledged yet. */
  readonly undelivered: number
  /** How often this process may have missed changes, since the cache was made. */
  readonly epoch: number
}

/**
 * What a cache knows of a key, and what it would do with it; made by `cache.explain`.
 *
 * Plain data that survives `JSON.stringify`; as a string (`String(explanation)`, or in a template) a text for people.
 * It holds no value, no generation and no token, and no name longer than 100 characters, so it may be logged as it is.
 */
export interface Explanation {
  /** As asked, at most 100 characters. */
  readonly key: string
  /** The name that it has in Redis, at most 100 characters. */
  readonly storedKey: string
  readonly next: ExplainedNext
  readonly local: ExplainedLocal
  readonly shared: ExplainedShared
  readonly lease: ExplainedLease
  readonly load: ExplainedLoad
  readonly cache: ExplainedCache
  /** What is worth knowing besides, in sentences for people. */
  readonly notes: readonly string[]
  /** A text of several lines, for people. */
  toString(): string
}
