import type { CacheError } from '../foundation/cache-error.ts'

/** Why a read found nothing it could return. */
export type MissReason =
  /** No such key, it has expired, or it holds another Redis type. */
  | 'absent'
  /** The bytes under the key could not be decoded; an `error` event tells why. */
  | 'undecodable'
  /** Redis did not answer in time, or refused; an `error` event tells why. */
  | 'unavailable'

/** What a backend tells its listeners. Keys are as the caller gave them, without the prefix. */
export interface CacheEvents {
  /** `get` or `getMany` found a value. */
  hit: { readonly key: string }
  /** `get` or `getMany` found none. */
  miss: { readonly key: string; readonly reason: MissReason }
  /** `set` or `setMany` stored a value; `ttlMs` is `Infinity` where it does not expire, `bytes` what it takes in the store. */
  set: { readonly key: string; readonly ttlMs: number; readonly bytes: number }
  /** `delete` or `deleteMany` was acknowledged; `removed` of the `keys` were there. */
  delete: { readonly keys: readonly string[]; readonly removed: number }
  /** `clear` (then `pattern` is `undefined`) or `invalidatePattern` is done. */
  invalidate: { readonly pattern: string | undefined; readonly removed: number }
  /** An operation failed; it may have been absorbed into a miss, `false` or `0`. */
  error: { readonly error: CacheError; readonly operation: string; readonly key?: string | undefined }
  /** A connection is ready; `endpoint` is `host:port` or the path of a socket. */
  connect: { readonly endpoint: string }
  /** A connection that was ready is lost; the client dials again by itself. */
  disconnect: { readonly endpoint: string; readonly reason: string }
}

/** What a read-through cache tells beside {@link CacheEvents}. */
export interface ReadThroughEvents extends CacheEvents {
  /** A value was served past its time to live: while it is loaded anew, or because that failed or took too long. */
  stale: { readonly key: string; readonly reason: 'revalidate' | 'error' | 'timeout' }
  /** A loader has ended; `error` is what it threw. */
  load: { readonly key: string; readonly durationMs: number; readonly error?: unknown }
  /**
   * The right to store a value was lost while it was being loaded: the key was written, deleted or evicted, or the
   * lease ran out. The value went to those who waited, and was not cached.
   */
  'lease-lost': { readonly key: string }
  /** Everything local was dropped or is out of use, since changes may have been missed; `coherence` is the mode in force. */
  epoch: { readonly reason: string; readonly coherence: string }
  /** Work that nobody waited for has failed: a refresh, a verification, or the reclaim of what was cleared. */
  'background-error': {
    readonly task: 'refresh' | 'verify' | 'reclaim'
    readonly key: string | undefined
    readonly error: unknown
  }
  /**
   * A sampled hit was compared with its source. `verdict` is `'stale'` where they differed and the entry was still
   * served after the grace; `'overtaken'` where it had been replaced or invalidated meanwhile, which counts for
   * nothing. `staleRate` is `stale / verified`, since the cache was made.
   */
  verify: {
    readonly key: string
    readonly verdict: 'fresh' | 'stale' | 'overtaken'
    readonly verified: number
    readonly stale: number
    readonly staleRate: number
  }
  /** The circuit to Redis has changed. */
  circuit: { readonly state: 'closed' | 'open' | 'half-open' }
}
