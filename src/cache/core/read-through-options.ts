import { BACKEND_OPTIONS, type BackendOptions } from '../../backend/assembly/backend-options.ts'
import type { Coherence } from '../../backend/seams/shared-tier.ts'
import type { BackgroundHook, BackgroundOptions } from '../../contract/background-hook.ts'
import type { EnvironmentSettings } from '../../foundation/environment.ts'
import { shown } from '../../foundation/errors/shown-value.ts'
import {
  assertOptions,
  invalidOptions,
  type OptionNames,
  positiveInteger,
  refusedOption,
  timerDuration,
} from '../../foundation/option-checks.ts'
import { type Duration, parseDuration } from '../../foundation/time/duration.ts'
import { defaultPolicies, type Policies, resolvePolicies } from '../freshness/policies.ts'
import { POLICY_NAMES, type PolicyOptions } from '../freshness/policy-options.ts'
import type { Isolation } from '../local/isolation.ts'
import type { LocalBounds } from '../local/local-shelf.ts'
import { LONGEST_LEASE_MS } from '../local/local-times.ts'
import { checkedHook } from './background.ts'
import { processNameOf } from './labels.ts'
import { resolveBounds } from './namespace-local.ts'
import {
  COHERENCE_OPTIONS,
  type CoherenceOptions,
  LEASE_OPTIONS,
  type LeaseOptions,
  LOCAL_OPTIONS,
  type LocalOptions,
  SHUTDOWN_OPTIONS,
  type ShutdownOptions,
} from './option-groups.ts'

/** Options of a read-through cache, wherever its data is stored. */
export interface ReadThroughOptions<Isolate extends Isolation = Isolation>
  extends Omit<BackendOptions, 'ttl'>,
    PolicyOptions,
    BackgroundOptions {
  /** The tier of decoded values in this process; `false` keeps nothing here. @default 10,000 entries and 64 MiB */
  readonly local?: LocalOptions | false | undefined
  /**
   * How a caller is kept from changing the value of another one, since all of them share the local tier.
   * @default 'freeze'
   */
  readonly isolate?: Isolate | undefined
  /** How this cache learns of the changes of others, and how long it trusts what it has heard. */
  readonly coherence?: CoherenceOptions | undefined
  /** How long a process may be the only one that loads a key. */
  readonly lease?: LeaseOptions | undefined
  /**
   * Whether a loader that waits for its own load, directly or through other loaders of this process, rejects with
   * `CACHE_CYCLE`. If not, it waits until a timeout of one of the callers, or for ever.
   *
   * With `true`, loaders run in an `AsyncLocalStorage`. From Node 24 on, that costs next to nothing. On Node 20 and 22 it
   * slows down every promise of the process: a local hit takes two to three times as long, a load up to a third longer.
   * @default true; before Node 24, false if NODE_ENV is `production`
   */
  readonly detectCycles?: boolean | undefined
  /**
   * The most loaders that run at once in this process; the others wait in their order, each caller within its timeouts and
   * its signal. A call of a batch loader counts as one. A load that another loader waits for runs at once and does not
   * count, and neither does a slot. With a number, loaders run in an `AsyncLocalStorage`, whose cost is that of
   * {@link detectCycles}.
   * @default false: as many as are asked for
   */
  readonly maxLoads?: number | false | undefined
  /**
   * The name of this process in what `explain` says of an invalidation with `by`; at most 32 bytes.
   * @default host name and process id
   */
  readonly processName?: string | undefined
  /** What `shutdown()` waits for. */
  readonly shutdown?: ShutdownOptions | undefined
}

/** The names of {@link ReadThroughOptions}. */
export const READ_THROUGH_NAMES: OptionNames<ReadThroughOptions> = {
  ...BACKEND_OPTIONS,
  ...POLICY_NAMES,
  local: LOCAL_OPTIONS,
  isolate: 'value',
  coherence: COHERENCE_OPTIONS,
  lease: LEASE_OPTIONS,
  detectCycles: 'value',
  maxLoads: 'value',
  processName: 'value',
  shutdown: SHUTDOWN_OPTIONS,
  background: 'value',
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
  readonly afterRestart: 'replay' | 'invalidate'
  readonly detectCycles: boolean
  /** `Infinity` if there is no limit. */
  readonly maxLoads: number
  readonly drainMs: number
  readonly processName: string
  readonly background: BackgroundHook | undefined
}

const ISOLATIONS: readonly Isolation[] = ['freeze', 'clone', 'share']
const MODES: readonly (Coherence | 'auto')[] = ['auto', 'tracking', 'bus', 'ttl']

/** The first version of Node where an `AsyncLocalStorage` is not built on hooks into every promise. */
const CHEAP_CONTEXTS_SINCE = 24

/** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION` */
export function resolveReadThrough(
  options: ReadThroughOptions,
  defaultTtlMs: number,
  { isProduction }: Pick<EnvironmentSettings, 'isProduction'> = {},
): ResolvedReadThrough {
  const { isolate = 'freeze', coherence = {}, lease = {}, local = {}, shutdown = {} } = options
  const { maxLoads = false } = options
  const { detectCycles = isProduction !== true || nodeVersion() >= CHEAP_CONTEXTS_SINCE } = options
  assertIsolation(isolate)
  oneOf('detectCycles', detectCycles, [true, false])
  if (local !== false) assertOptions(local, LOCAL_OPTIONS)
  assertOptions(coherence, COHERENCE_OPTIONS)
  assertOptions(lease, LEASE_OPTIONS)
  assertOptions(shutdown, SHUTDOWN_OPTIONS)
  const { mode = 'auto', afterRestart = 'replay' } = coherence
  oneOf('coherence.mode', mode, MODES)
  oneOf('coherence.afterRestart', afterRestart, ['replay', 'invalidate'])
  return Object.freeze({
    policies: resolvePolicies(options, defaultPolicies(defaultTtlMs)),
    local: local === false ? undefined : resolveBounds(local),
    localTtlMs: parseDuration((local === false ? undefined : local.ttl) ?? '1s', 'local.ttl'),
    isolation: isolate,
    coherence: mode,
    trustMs: timerDuration('coherence.trust', coherence.trust ?? '3s'),
    leaseMs: leaseDuration(lease.ttl ?? '5s'),
    longestLoadMs: timerDuration('lease.longestLoad', lease.longestLoad ?? '1m'),
    afterRestart,
    detectCycles,
    maxLoads: maxLoads === false ? Number.POSITIVE_INFINITY : positiveInteger('maxLoads', maxLoads),
    drainMs: timerDuration('shutdown.drain', shutdown.drain ?? '5s'),
    background: checkedHook(options.background),
    processName: processNameOf(options.processName),
  })
}

/** @throws CacheError `CACHE_INVALID_OPTIONS` */
export function assertIsolation(isolate: unknown): asserts isolate is Isolation {
  oneOf('isolate', isolate, ISOLATIONS)
}

function leaseDuration(ttl: Duration): number {
  const ms = parseDuration(ttl, 'lease.ttl')
  if (ms <= LONGEST_LEASE_MS) return ms
  throw invalidOptions(
    `lease.ttl must be a minute at most, not ${shown(ttl)}; lease.longestLoad is how long a running loader renews it`,
  )
}

function nodeVersion(): number {
  return Number.parseInt(process.versions.node, 10)
}

function oneOf(name: string, value: unknown, choices: readonly unknown[]): void {
  if (choices.includes(value)) return
  throw refusedOption(name, `one of ${choices.join(', ')}`, value)
}
