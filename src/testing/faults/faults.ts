import type { CacheError } from '../../foundation/cache-error.ts'
import { type Clock, SYSTEM_CLOCK, SYSTEM_TIMERS, type Timers } from '../../foundation/clock.ts'
import type { Duration } from '../../foundation/duration.ts'
import { parseFiniteDuration } from '../../foundation/duration.ts'
import { ArmedFault, type FaultScope } from './armed-fault.ts'
import { FaultState, unavailable } from './fault-state.ts'

/** Options of {@link Faults}. */
export interface FaultsOptions {
  /** What delays and deadlines are measured by: the clock of the caches under test. @default the system's */
  readonly clock?: (Clock & Timers) | undefined
  /** How long a command that is held up waits before it ends with `CACHE_TIMEOUT`. @default '1s' */
  readonly timeout?: Duration | undefined
}

/** Options of {@link Faults.fail}. */
export interface FailOptions extends FaultScope {
  /** What commands reject with. @default a CacheError `CACHE_UNAVAILABLE` */
  readonly error?: CacheError | undefined
}

const SYSTEM: Clock & Timers = Object.freeze({ ...SYSTEM_CLOCK, ...SYSTEM_TIMERS })

/** Under this name {@link Faults} offer their state to the connections on which they strike. */
export const STATE: unique symbol = Symbol('state')

/**
 * What goes wrong between caches and Redis, for as long as a test wants it to. Given to backends by `injectFaults`;
 * a `SimulatedRedis` has faults of its own. Each method takes effect at once and lasts until {@link heal}, or for the
 * next `times` commands; faults of different kinds add up, and one of the same kind replaces the one before.
 *
 * A command is one operation: a `getMany` or `setMany` counts once. Where no command is answered, heartbeats are not
 * either: what a cache keeps locally is served for another `trust` (3 s by default) and no longer.
 *
 * @example
 * ```ts
 * import { createCache } from 'cachewright'
 * import { MemoryCacheBackend } from 'cachewright/memory'
 * import { Faults, injectFaults, ManualClock } from 'cachewright/testing'
 *
 * const clock = new ManualClock()
 * const faults = new Faults({ clock, timeout: '500ms' })
 * const cache = createCache({ backend: injectFaults(new MemoryCacheBackend({ clock }), faults), clock })
 * faults.fail({ commands: 'writes', times: 1 })
 * await cache.delete('user:1') // false: it was refused, and is delivered later
 * faults.heal()
 * ```
 */
export class Faults {
  /** @internal */
  readonly [STATE]: FaultState

  /** @throws CacheError `CACHE_INVALID_DURATION` */
  constructor({ clock = SYSTEM, timeout = '1s' }: FaultsOptions = {}) {
    this[STATE] = new FaultState(clock, parseFiniteDuration(timeout))
  }

  /**
   * Each command reaches Redis this much later. Commands keep their order: what is sent after a slow one waits behind
   * it. Where the delay is not shorter than the timeout the caller gets `CACHE_TIMEOUT`, and the command is executed
   * all the same when it arrives.
   * @throws CacheError `CACHE_INVALID_DURATION`, `CACHE_INVALID_ARGUMENT`
   */
  slow(delay: Duration, scope: FaultScope = {}): void {
    this[STATE].begin({ slow: new ArmedFault(parseFiniteDuration(delay), scope) })
  }

  /**
   * Each command is refused at once and not executed; connections stay. With {@link disconnect} after it, Redis is gone.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` where `times` is no positive whole number
   */
  fail({ error, ...scope }: FailOptions = {}): void {
    this[STATE].begin({ fail: new ArmedFault(error ?? unavailable(), scope) })
  }

  /**
   * Redis stands still: commands end with `CACHE_TIMEOUT`, and nothing is told. When it is healed it first tells what
   * it had to tell and executes what it was sent, in order; {@link disconnect} drops that instead.
   */
  hang(): void {
    this[STATE].begin({ isHung: true })
  }

  /**
   * Each command is executed, and its answer lost: the caller gets `CACHE_TIMEOUT`, a counter `CACHE_AMBIGUOUS`.
   * @throws CacheError `CACHE_INVALID_ARGUMENT`
   */
  loseReplies(scope: FaultScope = {}): void {
    this[STATE].begin({ lostReplies: new ArmedFault(true, scope) })
  }

  /**
   * What caches are told of one another's changes is swallowed, while commands and heartbeats work: nobody notices, so
   * old values are served until their time to live ends or a connection is lost. What was swallowed stays so.
   */
  loseMessages(): void {
    this[STATE].begin({ losesMessages: true })
  }

  /**
   * Every connection is lost. Commands on their way end with `CACHE_DISCONNECTED`; those that had not arrived never
   * will. It comes back at once, or, where Redis answers nothing ({@link fail}, {@link hang}), when it is healed.
   */
  disconnect(): void {
    this[STATE].disconnect()
  }

  /**
   * All is well again from here on. Commands that are held up are executed first, in order. A cache whose circuit has
   * opened asks Redis again within a second.
   */
  heal(): void {
    this[STATE].endAll()
  }
}
