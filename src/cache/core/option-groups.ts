import type { Coherence } from '../../backend/seams/shared-tier.ts'
import type { KnownOptions, OptionNames } from '../../foundation/option-checks.ts'
import type { Duration } from '../../foundation/time/duration.ts'

/** The tier of decoded values in this process. */
export interface LocalOptions {
  /** The most entries; the least recently used are evicted. @default 10_000 */
  readonly maxEntries?: number | undefined
  /** The most bytes, estimated by the encoded size of values; the least recently used are evicted. @default 64 MiB */
  readonly maxBytes?: number | undefined
  /**
   * How long, in seconds or with a unit, a local copy may be served if neither tracking nor the bus announces changes.
   * @default '1s'
   */
  readonly ttl?: Duration | undefined
}

/** How the local tiers of several processes stay coherent. */
export interface CoherenceOptions {
  /**
   * How local tiers learn of changes; `'auto'` takes the best mode that client and server allow. `'bus'` and `'ttl'`
   * rule out the better ones. Where the mode is not possible, the next one is taken; `cache.coherence` tells which.
   * @default 'auto'
   */
  readonly mode?: Exclude<Coherence, 'process'> | 'auto' | undefined
  /**
   * How long, in seconds or with a unit, local copies are served after the connection last proved to be alive. It bounds
   * how old a served value can be when the network silently drops everything. A third of it is the time between two
   * questions to each server, so a shorter one costs more questions.
   * @default '3s', which is a question a second
   */
  readonly trust?: Duration | undefined
  /**
   * What to do after a restart or a failover, when the server may have forgotten what was acknowledged: `'replay'`
   * sends this process's invalidations of the last ten seconds again; `'invalidate'` also invalidates the whole cache.
   * @default 'replay', since `'invalidate'` loads everything anew after each failover
   */
  readonly afterRestart?: 'replay' | 'invalidate' | undefined
}

/** The lease under which one process of a fleet loads a key, while the others wait for it. */
export interface LeaseOptions {
  /**
   * How long, in seconds or with a unit, a lease lasts if the process that holds it dies; at most a minute, since every
   * process ignores a lease that claims to last longer. A loader that runs longer renews its
   * lease, for the first time after half of it.
   * @default '5s': a busy process loses no lease, and a dead one holds up the others no longer than that
   */
  readonly ttl?: Duration | undefined
  /**
   * How long, in seconds or with a unit, a running loader renews its lease; after that other callers load the key too.
   * No call waits for the lease of another process longer than this and one `ttl` together. Loads in the background
   * are abandoned then, unless a `hardTimeout` ends them earlier.
   * @default '1m', since a loader that runs longer probably hangs
   */
  readonly longestLoad?: Duration | undefined
}

/** How the cache ends. */
export interface ShutdownOptions {
  /**
   * How long, in seconds or with a unit, `shutdown()` waits for background work before it aborts it.
   * @default '5s', half of what a container has between `docker stop` and its end
   */
  readonly drain?: Duration | undefined
}

/** What `local` may contain. */
export const LOCAL_OPTIONS: KnownOptions = {
  of: 'local',
  names: { maxEntries: 'value', maxBytes: 'value', ttl: 'duration' } satisfies OptionNames<LocalOptions>,
  instead: { max: "its name here is 'maxEntries'", maxSize: "its name here is 'maxBytes'" },
}

/** What `coherence` may contain. */
export const COHERENCE_OPTIONS: KnownOptions = {
  of: 'coherence',
  main: 'mode',
  names: { mode: 'value', trust: 'duration', afterRestart: 'value' } satisfies OptionNames<CoherenceOptions>,
}

/** What `lease` may contain. */
export const LEASE_OPTIONS: KnownOptions = {
  of: 'lease',
  main: 'ttl',
  names: { ttl: 'duration', longestLoad: 'duration' } satisfies OptionNames<LeaseOptions>,
}

/** What `shutdown` may contain. */
export const SHUTDOWN_OPTIONS: KnownOptions = {
  of: 'shutdown',
  main: 'drain',
  names: { drain: 'duration' } satisfies OptionNames<ShutdownOptions>,
}

/** What to write in place of options that have their place in a group. */
export const INSTEAD_OF_GROUPED: Readonly<Record<string, string>> = {
  maxEntries: 'write local: { maxEntries }',
  maxBytes: 'write local: { maxBytes }',
  trust: 'write coherence: { trust }',
  afterRestart: 'write coherence: { afterRestart }',
  longestLoad: 'write lease: { longestLoad }',
  drain: 'write shutdown: { drain }',
}
