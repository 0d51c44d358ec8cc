import type { BackendOptions } from '../backend/backend-options.ts'
import type { Coherence } from '../backend/shared-tier.ts'
import { CacheError } from '../foundation/cache-error.ts'
import { assertCacheKey } from '../foundation/cache-key.ts'
import { type Duration, parseDuration } from '../foundation/duration.ts'
import type { Isolation } from './isolation.ts'
import type { LocalBounds } from './local-tier.ts'

/** How long a value is served, and what invalidates it. */
export interface EntryOptions {
  /** How long it is fresh. @default the cache's `ttl` */
  readonly ttl?: Duration | undefined
  /**
   * How long after that it is still served while one process loads a new one (RFC 5861).
   * @default the cache's
   */
  readonly staleWhileRevalidate?: Duration | 0 | undefined
  /** How long after its `ttl` it is still served where the loader fails (RFC 5861). @default the cache's */
  readonly staleIfError?: Duration | 0 | undefined
  /** Names under which it can be invalidated, at most 64. An entry that lacks one of them is loaded anew. */
  readonly tags?: readonly string[] | undefined
}

/** Options of `getOrSet`. */
export interface GetOrSetOptions extends EntryOptions {
  /** Detaches this caller: its promise rejects with the signal's reason. The load goes on for the others. */
  readonly signal?: AbortSignal | undefined
}

/** The tier of decoded values in this process. */
export interface LocalOptions {
  /** The least recently used entries beyond this number are evicted. @default 10_000 */
  readonly maxEntries?: number | undefined
  /** Likewise beyond this size, by the encoded size of values. @default 64 MiB */
  readonly maxBytes?: number | undefined
  /**
   * How long a copy may live where neither tracking nor a bus tells of changes.
   * @default '1s'
   */
  readonly ttl?: Duration | undefined
}

/** Options of a read-through cache, wherever its data lies. */
export interface ReadThroughOptions extends Omit<BackendOptions, 'defaultTtl'>, Omit<EntryOptions, 'tags'> {
  /** `false` keeps nothing in this process. */
  readonly local?: LocalOptions | false | undefined
  /** @default 'freeze' */
  readonly isolate?: Isolation | undefined
  /** The mode to be in, where another than the best that can be had is wanted. @default 'auto' */
  readonly coherence?: Exclude<Coherence, 'process'> | 'auto' | undefined
  /**
   * How long a lost connection may go unnoticed before nothing local is served: the longest that a value can be
   * served after it was changed, where the network swallows everything.
   * @default '3s'
   */
  readonly trust?: Duration | undefined
  /** How long the right to load a key outlives a process that died with it. @default '5s' */
  readonly lease?: Duration | undefined
  /** How long a loader may keep others from loading the same key, by renewing its lease. @default '1m' */
  readonly longestLoad?: Duration | undefined
  /**
   * What is done when a server has been restarted, or another took its place, which may have forgotten what it had
   * acknowledged: `'replay'` delivers this process's invalidations of the last ten seconds again; `'bump'` also
   * invalidates the whole cache.
   * @default 'replay'
   */
  readonly onRestart?: 'replay' | 'bump' | undefined
}

/** {@link ReadThroughOptions} resolved once; times in milliseconds. */
export interface ResolvedReadThrough {
  readonly defaults: ResolvedEntryOptions
  readonly local: LocalBounds | undefined
  readonly localTtlMs: number
  readonly isolation: Isolation
  readonly coherence: Coherence | 'auto'
  readonly trustMs: number
  readonly leaseMs: number
  readonly longestLoadMs: number
  readonly onRestart: 'replay' | 'bump'
}

/** {@link EntryOptions} resolved; times in milliseconds. */
export interface ResolvedEntryOptions {
  readonly ttlMs: number
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
}

const ISOLATIONS: readonly Isolation[] = ['freeze', 'clone', 'share']
const COHERENCES: readonly (Coherence | 'auto')[] = ['auto', 'tracking', 'bus', 'ttl']
const MOST_TAGS = 64

/** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION` */
export function resolveReadThrough(options: ReadThroughOptions, defaultTtlMs: number): ResolvedReadThrough {
  const { isolate = 'freeze', coherence = 'auto', local = {}, onRestart = 'replay' } = options
  oneOf('isolate', isolate, ISOLATIONS)
  oneOf('coherence', coherence, COHERENCES)
  oneOf('onRestart', onRestart, ['replay', 'bump'])
  const defaults = { ttlMs: defaultTtlMs, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
  return Object.freeze({
    defaults: Object.freeze(resolveEntryOptions(options, defaults)),
    local:
      local === false
        ? undefined
        : {
            maxEntries: positive('local.maxEntries', local.maxEntries ?? 10_000),
            maxBytes: positive('local.maxBytes', local.maxBytes ?? 64 * 1024 * 1024),
          },
    localTtlMs: parseDuration((local !== false && local.ttl) || '1s'),
    isolation: isolate,
    coherence,
    trustMs: finite('trust', options.trust ?? '3s'),
    leaseMs: finite('lease', options.lease ?? '5s'),
    longestLoadMs: finite('longestLoad', options.longestLoad ?? '1m'),
    onRestart,
  })
}

/** What a call says of an entry, over what the cache says. @throws CacheError `CACHE_INVALID_DURATION` */
export function resolveEntryOptions(
  { staleIfError, staleWhileRevalidate, ttl }: EntryOptions,
  defaults: ResolvedEntryOptions,
): ResolvedEntryOptions {
  if (ttl === undefined && staleWhileRevalidate === undefined && staleIfError === undefined) return defaults
  return {
    ttlMs: ttl === undefined ? defaults.ttlMs : parseDuration(ttl),
    staleWhileRevalidateMs: window(staleWhileRevalidate, defaults.staleWhileRevalidateMs),
    staleIfErrorMs: window(staleIfError, defaults.staleIfErrorMs),
  }
}

/** How long the shared tier keeps an entry: both windows begin when it is no longer fresh. */
export function storedTtlMs({ staleIfErrorMs, staleWhileRevalidateMs, ttlMs }: ResolvedEntryOptions): number {
  return ttlMs + Math.max(staleIfErrorMs, staleWhileRevalidateMs)
}

/** @throws CacheError `CACHE_INVALID_KEY`, `CACHE_INVALID_ARGUMENT` */
export function checkedTags(tags: readonly string[] | undefined): readonly string[] {
  if (tags === undefined || tags.length === 0) return []
  if (!Array.isArray(tags)) throw new CacheError('CACHE_INVALID_ARGUMENT', 'tags must be an array of strings')
  for (const tag of tags) assertCacheKey(tag, 'tag')
  const distinct = [...new Set(tags)]
  if (distinct.length <= MOST_TAGS) return distinct
  throw new CacheError('CACHE_INVALID_ARGUMENT', `An entry may bear at most ${MOST_TAGS} tags`)
}

function window(duration: Duration | 0 | undefined, fallbackMs: number): number {
  if (duration === undefined) return fallbackMs
  return duration === 0 ? 0 : parseDuration(duration)
}

function finite(name: string, duration: Duration): number {
  const ms = parseDuration(duration)
  // What a Node timer can hold.
  if (ms < 2 ** 31) return ms
  throw new CacheError('CACHE_INVALID_OPTIONS', `${name} must be less than 24 days`)
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new CacheError('CACHE_INVALID_OPTIONS', `${name} must be a positive whole number`)
}

function oneOf(name: string, value: unknown, choices: readonly string[]): void {
  if (choices.includes(value as string)) return
  throw new CacheError('CACHE_INVALID_OPTIONS', `${name} must be one of ${choices.join(', ')}`)
}
