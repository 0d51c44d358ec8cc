import {
  assertOptions,
  type KnownOptions,
  type OptionNames,
  positiveInteger,
  refusedOption,
} from '../../foundation/option-checks.ts'
import { type Duration, parseDuration } from '../../foundation/time/duration.ts'
import { DEFAULT_BOUNDS, type LocalBounds } from '../local/local-shelf.ts'
import type { LocalRule } from '../local/shelf-rules.ts'

/** How a namespace keeps its entries in this process. What it leaves out is as in the namespace around it. */
export interface NamespaceLocalOptions {
  /**
   * The most entries. With bounds, the namespace has room of its own: it neither evicts the entries of others nor is
   * evicted by them; the least recently used go first. @default if `maxBytes` is given, 10_000
   */
  readonly maxEntries?: number | undefined
  /** The most bytes, estimated by the encoded size of values. @default if `maxEntries` is given, 64 MiB */
  readonly maxBytes?: number | undefined
  /**
   * The longest time, in seconds or with a unit (`'5s'`), for which a copy in this process is served before Redis is asked
   * again, although changes are announced. It never prolongs what the entry itself or the mode `'ttl'` allows.
   * @default none
   */
  readonly ttl?: Duration | undefined
}

/** What `local` of a namespace may contain. */
export const NAMESPACE_LOCAL_OPTIONS: KnownOptions = {
  of: 'local',
  names: {
    maxEntries: 'value',
    maxBytes: 'value',
    ttl: 'duration',
  } satisfies OptionNames<NamespaceLocalOptions>,
  instead: { max: "its name here is 'maxEntries'", maxSize: "its name here is 'maxBytes'" },
}

/** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION` */
export function resolveLocal(local: NamespaceLocalOptions | false | undefined): LocalRule | undefined {
  if (local === undefined || local === false) return local
  if (typeof local !== 'object')
    throw refusedOption('local', 'false, or an object with bounds or a ttl', local)
  assertOptions(local, NAMESPACE_LOCAL_OPTIONS)
  const { maxBytes, maxEntries, ttl } = local
  const hasBounds = maxBytes !== undefined || maxEntries !== undefined
  return {
    bounds: hasBounds ? resolveBounds(local) : undefined,
    ttlMs: ttl === undefined ? undefined : parseDuration(ttl, 'local.ttl', 'local: false keeps nothing'),
  }
}

/** @throws CacheError `CACHE_INVALID_OPTIONS` */
export function resolveBounds({ maxBytes, maxEntries }: Partial<NamespaceLocalOptions>): LocalBounds {
  return {
    maxEntries: positiveInteger('local.maxEntries', maxEntries ?? DEFAULT_BOUNDS.maxEntries),
    maxBytes: positiveInteger('local.maxBytes', maxBytes ?? DEFAULT_BOUNDS.maxBytes),
  }
}
