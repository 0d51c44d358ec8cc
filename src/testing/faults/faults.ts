import type { CacheError } from '../../foundation/errors/cache-error.ts'
import { assertOptions, type KnownOptions, type OptionNames } from '../../foundation/option-checks.ts'
import { type Clock, SYSTEM_CLOCK, SYSTEM_TIMERS, type Timers } from '../../foundation/time/clock.ts'
import type { Duration } from '../../foundation/time/duration.ts'
import { parseFiniteDuration } from '../../foundation/time/duration.ts'
import { ArmedFault, type FaultScope } from './armed-fault.ts'
import { FaultState, unavailable } from './fault-state.ts'

/** Options of {@link Faults}. */
export interface FaultsOptions {
  /** The clock of delays and deadlines, which should be that of the caches under test. @default the system's */
  readonly clock?: (Clock & Timers) | undefined
  /** The deadline, in seconds or with a unit, of a command that is held up; it then fails with `CACHE_TIMEOUT`. @default '1s' */
  readonly commandTimeout?: Duration | undefined
}

/** Options of {@link Faults.fail}. */
export interface FailOptions extends FaultScope {
  /** The error of the affected commands. @default a CacheError `CACHE_UNAVAILABLE` */
  readonly error?: CacheError | undefined
}

const KNOWN: KnownOptions = {
  of: 'Faults',
  names: { clock: 'value', commandTimeout: 'duration' } satisfies OptionNames<FaultsOptions>,
}

const SYSTEM: Clock & Timers = Object.freeze({ ...SYSTEM_CLOCK, ...SYSTEM_TIMERS })

/** {@link Faults} offer their state to the affected connections under this name. */
export const STATE: unique symbol = Symbol('state')

/**
 * Faults between caches and Redis, for tests. `injectFaults` applies them to a backend; a `SimulatedRedis` has faults
 * of its own. Each method takes effect at once, and lasts until {@link heal} or for the next `times` commands. Faults
 * of different kinds add up; one of the same kind replaces the previous one.
 *
 * A command is one operation: a `getMany` or `setMany` counts once, an `existsMany` or
 * `getTtlMany` once for each key, and `keys` once for each step of its walk. If no command is answered, the question whether the connection is alive is not either:
 * local copies are then served for another `coherence.trust` (3 s by default), and no longer.
 *
 * @example
 * ```ts
 * import { createCache } from 'cachewright'
 * import { MemoryCacheBackend } from 'cachewright/memory'
 * import { Faults, injectFaults, ManualClock } from 'cachewright/testing'
 *
 * const clock = new ManualClock()
 * const faults = new Faults({ clock, commandTimeout: '500ms' })
 * const cache = createCache({ backend: injectFaults(new MemoryCacheBackend({ clock }), faults), clock })
 * faults.fail({ commands: 'writes', times: 1 })
 * await cache.delete('user:1') // false: it was refused, and is delivered later
 * faults.heal()
 * ```
 */
export class Faults {
  /** @internal */
  readonly [STATE]: FaultState

  /** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION` */
  constructor(options: FaultsOptions = {}) {
    assertOptions(options, KNOWN)
    const { clock = SYSTEM, commandTimeout = '1s' } = options
    this[STATE] = new FaultState(clock, parseFiniteDuration(commandTimeout))
  }

  /**
   * Delays each command on its way to Redis. Commands keep their order, so later ones wait behind a slow one. If the
   * delay is not shorter than the timeout, the caller gets `CACHE_TIMEOUT`, and the command is executed when it
   * arrives.
   * @throws CacheError `CACHE_INVALID_DURATION`, `CACHE_INVALID_ARGUMENT`
   */
  slow(delay: Duration, scope: FaultScope = {}): void {
    this[STATE].begin({ slow: new ArmedFault(parseFiniteDuration(delay), scope) })
  }

  /**
   * Refuses each command at once, without executing it; connections stay. Followed by {@link disconnect}, Redis is
   * gone.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` if `times` is not a positive integer
   */
  fail({ error, ...scope }: FailOptions = {}): void {
    this[STATE].begin({ fail: new ArmedFault(error ?? unavailable(), scope) })
  }

  /**
   * Stops Redis: commands fail with `CACHE_TIMEOUT`, and there are no pushes. After {@link heal} it first delivers the
   * pending pushes and executes the pending commands, in order; {@link disconnect} drops them instead.
   */
  hang(): void {
    this[STATE].begin({ isHung: true })
  }

  /**
   * Executes each command and loses its reply: the caller gets `CACHE_TIMEOUT`, and a counter `CACHE_AMBIGUOUS`.
   * @throws CacheError `CACHE_INVALID_ARGUMENT`
   */
  loseReplies(scope: FaultScope = {}): void {
    this[STATE].begin({ lostReplies: new ArmedFault(true, scope) })
  }

  /**
   * Loses the pushes of changes, while commands and heartbeats work. No cache notices, so old values are served until
   * their time to live ends or a connection is lost. Lost pushes are not delivered later.
   */
  loseMessages(): void {
    this[STATE].begin({ losesMessages: true })
  }

  /**
   * Closes every connection. Commands under way fail with `CACHE_DISCONNECTED`; those that have not arrived never will.
   * Connections come back at once, or after {@link heal} if Redis answers nothing ({@link fail}, {@link hang}).
   */
  disconnect(): void {
    this[STATE].disconnect()
  }

  /**
   * Ends all faults. Commands that are held up are executed first, in order. A cache with an open circuit asks Redis
   * again within a second.
   */
  heal(): void {
    this[STATE].endAll()
  }
}
