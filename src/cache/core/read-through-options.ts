import { BACKEND_OPTIONS, type BackendOptions } from '../../backend/assembly/backend-options.ts'
import type { Coherence } from '../../backend/seams/shared-tier.ts'
import type { EnvironmentSettings } from '../../foundation/environment.ts'
import { shown } from '../../foundation/errors/shown-value.ts'
import {
  assertOptions,
  invalidOptions,
  type KnownOptions,
  type OptionNames,
  positiveInteger,
  refusedOption,
  timerDuration,
} from '../../foundation/option-checks.ts'
import { type Duration, parseDuration } from '../../foundation/time/duration.ts'
import {
  defaultPolicies,
  POLICY_NAMES,
  type Policies,
  type PolicyOptions,
  resolvePolicies,
} from '../freshness/policies.ts'
import type { Isolation } from '../local/isolation.ts'
import type { LocalBounds } from '../local/local-tier.ts'
import { LONGEST_LEASE_MS } from '../local/local-times.ts'

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

/** Options of a read-through cache, wherever its data is stored. */
export interface ReadThroughOptions extends Omit<BackendOptions, 'defaultTtl'>, PolicyOptions {
  /** `false` keeps nothing in this process. */
  readonly local?: LocalOptions | false | undefined
  /** @default 'freeze' */
  readonly isolate?: Isolation | undefined
  /** How local tiers learn of changes; `'auto'` takes the best mode that client and server allow. @default 'auto' */
  readonly coherence?: Exclude<Coherence, 'process'> | 'auto' | undefined
  /**
   * How long, in seconds or with a unit, local copies are served after the connection last proved to be alive. It bounds
   * how old a served value can be when the network silently drops everything.
   * @default '3s'
   */
  readonly trust?: Duration | undefined
  /**
   * How long, in seconds or with a unit, a lease lasts if the process that holds it dies; at most a minute. A lease that
   * seems to last longer stems from another clock, and every process ignores it. A loader that runs longer renews its
   * lease.
   * @default '5s'
   */
  readonly lease?: Duration | undefined
  /**
   * How long, in seconds or with a unit, a running loader renews its lease; after that other callers load the key too.
   * No call waits for the lease of another process longer than this and one `lease`.
   * @default '1m'
   */
  readonly longestLoad?: Duration | undefined
  /**
   * What to do after a restart or a failover, when the server may have forgotten what was acknowledged: `'replay'`
   * sends this process's invalidations of the last ten seconds again; `'bump'` also invalidates the whole cache.
   * @default 'replay'
   */
  readonly onRestart?: 'replay' | 'bump' | undefined
  /**
   * Whether a loader that waits for its own load, directly or through other loaders of this process, rejects with
   * `CACHE_CYCLE`. If not, it waits until a timeout of one of the callers, or for ever.
   *
   * Loaders run in an `AsyncLocalStorage` then. From Node 24 on, that costs next to nothing. On Node 20 and 22 it slows
   * down every promise of the process: a local hit takes two to three times as long, a load up to a third longer.
   * @default true; before Node 24, false if NODE_ENV is `production`
   */
  readonly detectCycles?: boolean | undefined
  /** How long, in seconds or with a unit, `shutdown()` waits for background work before it aborts it. @default '5s' */
  readonly drain?: Duration | undefined
}

const { defaultTtl: _, ...BACKEND_NAMES } = BACKEND_OPTIONS

/** The names of {@link ReadThroughOptions}. */
export const READ_THROUGH_NAMES: OptionNames<ReadThroughOptions> = {
  ...BACKEND_NAMES,
  ...POLICY_NAMES,
  local: 'value',
  isolate: 'value',
  coherence: 'value',
  trust: 'duration',
  lease: 'duration',
  longestLoad: 'duration',
  onRestart: 'value',
  detectCycles: 'value',
  drain: 'duration',
}

const LOCAL_OPTIONS: KnownOptions = {
  of: 'local',
  names: { maxEntries: 'value', maxBytes: 'value', ttl: 'duration' } satisfies OptionNames<LocalOptions>,
  instead: { max: "its name here is 'maxEntries'", maxSize: "its name here is 'maxBytes'" },
}

/** {@link ReadThroughOptions} resolved once; times in milliseconds. */
export interface ResolvedReadThrough {
  readonly policies: Policies
  readonly local: LocalBounds | undefined
  readonly localTtlMs: number
  readonly isolation: Isolation
  readonly coherence: Coherence | 'auto'
  readonly trustMs: number
  readonly leaseMs: number
  readonly longestLoadMs: number
  readonly onRestart: 'replay' | 'bump'
  readonly detectCycles: boolean
  readonly drainMs: number
}

const ISOLATIONS: readonly Isolation[] = ['freeze', 'clone', 'share']
const COHERENCES: readonly (Coherence | 'auto')[] = ['auto', 'tracking', 'bus', 'ttl']

/** The first version of Node where an `AsyncLocalStorage` is not built on hooks into every promise. */
const CHEAP_CONTEXTS_SINCE = 24

/** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION` */
export function resolveReadThrough(
  options: ReadThroughOptions,
  defaultTtlMs: number,
  { isProduction }: Pick<EnvironmentSettings, 'isProduction'> = {},
): ResolvedReadThrough {
  const { isolate = 'freeze', coherence = 'auto', local = {}, onRestart = 'replay' } = options
  const { detectCycles = isProduction !== true || nodeVersion() >= CHEAP_CONTEXTS_SINCE } = options
  assertIsolation(isolate)
  oneOf('coherence', coherence, COHERENCES)
  oneOf('onRestart', onRestart, ['replay', 'bump'])
  oneOf('detectCycles', detectCycles, [true, false])
  if (local !== false) assertOptions(local, LOCAL_OPTIONS)
  return Object.freeze({
    policies: resolvePolicies(options, defaultPolicies(defaultTtlMs)),
    local:
      local === false
        ? undefined
        : {
            maxEntries: positiveInteger('local.maxEntries', local.maxEntries ?? 10_000),
            maxBytes: positiveInteger('local.maxBytes', local.maxBytes ?? 64 * 1024 * 1024),
          },
    localTtlMs: parseDuration((local === false ? undefined : local.ttl) ?? '1s', 'local.ttl'),
    isolation: isolate,
    coherence,
    trustMs: timerDuration('trust', options.trust ?? '3s'),
    leaseMs: leaseDuration(options.lease ?? '5s'),
    longestLoadMs: timerDuration('longestLoad', options.longestLoad ?? '1m'),
    onRestart,
    detectCycles,
    drainMs: timerDuration('drain', options.drain ?? '5s'),
  })
}

/** @throws CacheError `CACHE_INVALID_OPTIONS` */
export function assertIsolation(isolate: unknown): asserts isolate is Isolation {
  oneOf('isolate', isolate, ISOLATIONS)
}

function leaseDuration(lease: Duration): number {
  const ms = parseDuration(lease, 'lease')
  if (ms <= LONGEST_LEASE_MS) return ms
  throw invalidOptions(
    `lease must be a minute at most, not ${shown(lease)}; longestLoad is how long a running loader renews it`,
  )
}

function nodeVersion(): number {
  return Number.parseInt(process.versions.node, 10)
}

function oneOf(name: string, value: unknown, choices: readonly unknown[]): void {
  if (choices.includes(value)) return
  throw refusedOption(name, `one of ${choices.join(', ')}`, value)
}
