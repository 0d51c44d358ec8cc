import { CacheError } from '../../foundation/errors/cache-error.ts'
import {
  assertOptions,
  invalidOptions,
  type KnownOptions,
  type OptionNames,
  positiveInteger,
  refusedOption,
} from '../../foundation/option-checks.ts'
import { type Duration, parseDuration } from '../../foundation/time/duration.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import { POLICY_NAMES, type PolicyOptions } from '../freshness/policy-options.ts'
import type { HeldSpace } from '../keys/held-space.ts'
import { DEFAULT_BOUNDS, type DisposeReason } from '../local/local-shelf.ts'

/** Room for values that stay in this process. */
export interface LocalStoreBounds {
  /** The most values; the least recently used are evicted. @default 10_000 */
  readonly maxEntries?: number | undefined
  /**
   * The longest time, in seconds or with a unit (`'5s'`), for which a value is served before Redis is asked again whether it
   * was invalidated, although that is announced. @default none
   */
  readonly ttl?: Duration | undefined
}

/** Options of a namespace whose values stay in this process. What they leave out is as in the namespace around it. */
export interface LocalNamespaceOptions<T = never> extends Omit<PolicyOptions, 'verify'> {
  /** Values stay in this process: they are never serialized, and never sent to Redis. */
  readonly store: 'local'
  /**
   * Called once for each value that was kept and is gone from this process, to close what it holds. A value that a loader
   * has returned and that was never kept is not disposed of: whoever called has it. Somebody may still use a value that is
   * disposed of. What it throws, or a promise it returns rejects with, becomes an `error` event.
   * @default none
   */
  readonly dispose?: ((value: T, reason: DisposeReason) => unknown) | undefined
  /** Its room, which it shares with nobody. */
  readonly local?: LocalStoreBounds | undefined
}

const BOUNDS: KnownOptions = {
  of: 'local',
  names: { maxEntries: 'value', ttl: 'duration' } satisfies OptionNames<LocalStoreBounds>,
  instead: {
    max: "its name here is 'maxEntries'",
    maxBytes: 'nobody knows the size of a value that is never serialized',
  },
}

const NO_ISOLATION = "the values of store: 'local' are handed out as they are"
const { verify: _verify, ...HELD_POLICIES } = POLICY_NAMES

/** What the options of a namespace with `store: 'local'` may contain. */
export const LOCAL_NAMESPACE_OPTIONS: KnownOptions = {
  of: "a namespace with store: 'local'",
  names: { ...HELD_POLICIES, store: 'value', dispose: 'value', local: BOUNDS } satisfies OptionNames<
    LocalNamespaceOptions<unknown>
  >,
  instead: {
    isolate: NO_ISOLATION,
    verify: 'there is nothing to compare with: such values are not serialized',
  },
}

/** {@link LocalNamespaceOptions}, resolved. */
export interface HeldOptions {
  readonly dispose: ((value: unknown, reason: DisposeReason) => unknown) | undefined
  readonly maxEntries: number
  readonly ttlMs: number
}

/** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION` */
export function resolveHeld(options: LocalNamespaceOptions<never>): HeldOptions {
  assertOptions(options, LOCAL_NAMESPACE_OPTIONS)
  const { dispose, local = {}, store } = options
  if (store !== 'local') throw refusedOption('store', "'local', or left out", store)
  if (dispose !== undefined && typeof dispose !== 'function') {
    throw refusedOption('dispose', 'a function', dispose)
  }
  if (typeof local !== 'object') {
    throw refusedOption("local with store: 'local'", 'an object with bounds or a ttl', local)
  }
  assertOptions(local, BOUNDS)
  const { maxEntries, ttl } = local
  return {
    dispose: dispose as HeldOptions['dispose'],
    maxEntries: positiveInteger('local.maxEntries', maxEntries ?? DEFAULT_BOUNDS.maxEntries),
    ttlMs: ttl === undefined ? Number.POSITIVE_INFINITY : parseDuration(ttl, 'local.ttl'),
  }
}

/**
 * Makes room for the values of a namespace, once.
 * @throws CacheError `CACHE_INVALID_OPTIONS` if it has other room, or another `dispose`
 */
export function claimHeld(
  { clock, local, metrics }: CacheCore,
  { name, namePrefix }: HeldSpace,
  { dispose, maxEntries, ttlMs }: HeldOptions,
  monitor: Monitor,
): void {
  const counts = metrics.of(namePrefix)
  const isNew = local.hold(namePrefix, {
    ...{ maxEntries, ttlMs, owner: dispose },
    onEvict: () => counts.add('evictions', 1, clock.monotonicMs()),
    onGone:
      dispose &&
      (({ value }, localName, reason) => {
        if (value === undefined) return
        const key = localName.slice(namePrefix.length, localName.indexOf('\u0000'))
        const failed = (cause: unknown) => {
          const message = 'The option `dispose` threw an error, which is the cause of this one'
          monitor.publish('dispose', key, new CacheError('CACHE_INVALID_OPTIONS', message, { cause }))
        }
        try {
          Promise.resolve(dispose(value, reason)).catch(failed)
        } catch (error) {
          failed(error)
        }
      }),
  })
  if (isNew !== undefined) return
  throw invalidOptions(`The namespace ${name} has other room, or another dispose already`)
}
