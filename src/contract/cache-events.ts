import type { CacheError } from '../foundation/errors/cache-error.ts'

/** The reason of a miss. */
export type MissReason =
  /**
   * There is no such key, or it holds another Redis type. An entry of a read-through cache that is stale or was
   * invalidated counts as absent.
   */
  | 'absent'
  /** The stored bytes could not be decoded; an `error` event tells why. */
  | 'undecodable'
  /** Redis did not answer in time, or answered with an error; an `error` event tells why. */
  | 'unavailable'

/** Where something happened. */
export interface InNamespace {
  /**
   * The name of the namespace that the keys belong to: `'users'`, or `'shop:users'` for a nested one. It is
   * `'users@1'` for version 1 of the collection `users`, and empty for the cache itself and for a backend.
   */
  readonly namespace: string
}

/** The tier that a value came from: `'local'`, in this process, or `'shared'`, the one of all processes. */
export type HitTier = 'local' | 'shared'

/**
 * The events of a backend, and of a cache where both have them. Keys are those of the caller: without the prefix and
 * the name of the namespace. With both, `prefix + namespace + ':' + key`, they are the keys in Redis.
 */
export interface CacheEvents {
  /** A read found a fresh value: `get`, `getMany` or `getAndDelete`; of a cache also `peek`, loads and slots. One for each key. */
  hit: InNamespace & { readonly key: string; readonly tier: HitTier }
  /** A read found none. A `getOrSet` then waits for a load. A stale value that is served is neither a hit nor a miss. */
  miss: InNamespace & { readonly key: string; readonly reason: MissReason }
  /**
   * A value was stored: by `set`, `setIfAbsent` or `setMany`, after a load, or by the fill of a slot. `ttlMs` is
   * `Infinity` if it does not expire; `bytes` is the size of the stored value.
   */
  set: InNamespace & { readonly key: string; readonly ttlMs: number; readonly bytes: number }
  /**
   * A `delete`, `deleteMany` or `getAndDelete` was acknowledged; `removed` of the `keys` were there. A collection counts
   * the entries of neighbouring versions as well.
   */
  delete: InNamespace & {
    readonly keys: readonly string[]
    readonly removed: number
    /** What the caller of a cache said that it is for. */
    readonly by?: string | undefined
  }
  /**
   * Emitted when Redis has acknowledged an `invalidateTags` (`tags` is set; nobody counts the entries), when an
   * `invalidatePattern` has ended (`pattern` is set), and when a `clear` and the reclaim of its memory have ended (neither
   * is set).
   */
  invalidate: InNamespace & {
    readonly tags: readonly string[] | undefined
    readonly pattern: string | undefined
    readonly removed: number | undefined
    /** What the caller of a cache said that it is for. */
    readonly by?: string | undefined
  }
  /** An operation failed; it then answered a miss, `false` or `0` (`errors: 'absorb'`), or rejected (`'throw'`). */
  error: InNamespace & {
    readonly error: CacheError
    readonly operation: string
    readonly key?: string | undefined
  }
  /** A connection is ready; `endpoint` is `host:port`, or the path of a socket. */
  connect: { readonly endpoint: string }
  /** A ready connection was lost; the client reconnects by itself. */
  disconnect: { readonly endpoint: string; readonly reason: string }
}

/** The reason why a slot of `reserve` did not store its value. */
export type FillRefusal =
  | 'changed'
  | 'invalidated'
  | 'unknown-tag'
  | 'expired'
  | 'disconnected'
  | 'unreserved'
  | 'changing'

/** The reason why a value was not stored whose entry inherits what its loader reads. */
export type InheritRefusal =
  | 'not-stored'
  | 'plain'
  | 'unavailable'
  | 'expired'
  | 'invalidated'
  | 'too-many'
  | 'own-namespace'

/** The events of a read-through cache, in addition to {@link CacheEvents}. */
export interface ReadThroughEvents extends CacheEvents {
  /** A stale value was served: while it is loaded again, or because the load failed or took too long. */
  stale: InNamespace & { readonly key: string; readonly reason: 'revalidate' | 'error' | 'timeout' }
  /** Redis has acknowledged an `expire` (`key` is set) or an `expireTags` (`tags` is set). */
  expire: InNamespace & {
    readonly key: string | undefined
    readonly tags: readonly string[] | undefined
    /** What the caller said that it is for. */
    readonly by: string | undefined
  }
  /** A loader has ended; `error` is what it threw, if it did. */
  load: InNamespace & { readonly key: string; readonly durationMs: number; readonly error?: unknown }
  /** A call was rejected with the failure of an earlier load, without calling the loader (`errorTtl`). */
  'remembered-error': InNamespace & { readonly key: string }
  /**
   * A lease was lost during the load: the key was written, deleted or evicted, or the lease ran out. The value went to
   * the callers that waited, and was not cached.
   */
  'lease-lost': InNamespace & { readonly key: string }
  /**
   * A slot of `reserve` did not store its value, for this reason: the key was written, deleted, evicted or filled by
   * another (`'changed'`); a tag or a namespace was invalidated (`'invalidated'`); a tag that only the fill named was not
   * known when the slot was reserved (`'unknown-tag'`: the next slot of the key knows it); the slot is older than
   * `lease.longestLoad`, or than the value may be served (`'expired'`); the connection was lost meanwhile
   * (`'disconnected'`); Redis could not be asked when the slot was reserved, or the key holds what cannot be replaced
   * (`'unreserved'`); a `change` held the key or a tag, or the slot was used within one (`'changing'`).
   */
  'fill-refused': InNamespace & { readonly key: string; readonly reason: FillRefusal }
  /**
   * The work of a `change` has ended: by an error (`hasFailed`), so that its `writes` were dropped, or not, so that they were
   * sent. `keys` and `tags` are those of the change itself. `hasOutlivedHold` says that the work took longer than its `hold`,
   * so that others may have stored old values meanwhile; they were invalidated at its end.
   */
  change: InNamespace & {
    readonly keys: readonly string[]
    readonly tags: readonly string[]
    readonly writes: number
    readonly durationMs: number
    readonly hasFailed: boolean
    readonly hasOutlivedHold: boolean
  }
  /**
   * A loaded value whose entry inherits (`inherit: true`) went to its callers and was not stored, for what its loader had
   * read: a value that was loaded and not stored itself (`'not-stored'`); a plain value (`'plain'`); a key that Redis could
   * not be asked for (`'unavailable'`); a stale value, or one that has expired since (`'expired'`); a value that was
   * invalidated meanwhile (`'invalidated'`); more than 64 tags in sum (`'too-many'`); a value of a namespace that the key of
   * this one lies in, without being stored through it (`'own-namespace'`). `part` is the key that was read, with the names of
   * its namespaces, or the namespace; `undefined` if no single one is the reason.
   */
  'inherit-refused': InNamespace & {
    readonly key: string
    readonly reason: InheritRefusal
    readonly part: string | undefined
  }
  /** A loaded value went to its callers and was not stored, since a `change` held its key or one of its tags. */
  'held-back': InNamespace & { readonly key: string }
  /**
   * All local copies are out of use, since this process may have missed an invalidation: a connection was made or lost, or
   * the mode has changed. An epoch is the time between two such moments. `coherence` is what `cache.coherence` is from now
   * on.
   */
  epoch: { readonly reason: string; readonly coherence: string }
  /** Work in the background has failed: a refresh, a verification, or the reclaim after a `clear()`. */
  'background-error': InNamespace & {
    readonly task: 'refresh' | 'verify' | 'reclaim'
    readonly key: string | undefined
    readonly error: unknown
  }
  /**
   * A sampled hit was compared with its source. `verdict` is `'stale'` if the two differed and the entry was still
   * served after the grace; `'overtaken'` if the entry was replaced or invalidated meanwhile, which is not counted.
   * `staleRate` is `stale / verified`, since the cache was made.
   */
  verify: InNamespace & {
    readonly key: string
    readonly verdict: 'fresh' | 'stale' | 'overtaken'
    readonly verified: number
    readonly stale: number
    readonly staleRate: number
  }
  /** The circuit to Redis changed its state; on a cluster that to one node, whose `endpoint` is `host:port`. */
  circuit: { readonly state: 'closed' | 'open' | 'half-open'; readonly endpoint?: string | undefined }
}
