import { CacheError } from '../../foundation/errors/cache-error.ts'

/** The kind of a command, to which a fault may be limited. */
export type CommandKind = 'reads' | 'writes' | 'connecting'

/** The commands that a fault affects. */
export interface FaultScope {
  /**
   * `'writes'` are commands that change something, which includes leases, new generations and invalidations. `'all'`
   * includes connecting, and the question to Redis by which a cache finds out every second that its connection is alive.
   * @default 'all'
   */
  readonly commands?: 'all' | 'reads' | 'writes' | undefined
  /** The number of commands, from the next one on. @default all, until `heal()` */
  readonly times?: number | undefined
}

/** A fault that affects the next commands in its scope. */
export class ArmedFault<Effect> {
  readonly effect: Effect
  readonly #commands: 'all' | 'reads' | 'writes'
  #left: number

  /** @throws CacheError `CACHE_INVALID_ARGUMENT` */
  constructor(effect: Effect, { commands = 'all', times = Number.POSITIVE_INFINITY }: FaultScope) {
    if (!(Number.isSafeInteger(times) || times === Number.POSITIVE_INFINITY) || times <= 0) {
      throw new CacheError('CACHE_INVALID_ARGUMENT', 'times must be a positive whole number')
    }
    this.effect = effect
    this.#commands = commands
    this.#left = times
  }

  /** Whether it affects every command as long as it lasts, including heartbeats. */
  get isTotal(): boolean {
    return this.#commands === 'all' && this.#left === Number.POSITIVE_INFINITY
  }

  /** Whether it affects this command, which it then counts. */
  strikes(kind: CommandKind): boolean {
    if (this.#left === 0 || (this.#commands !== 'all' && this.#commands !== kind)) return false
    this.#left--
    return true
  }
}
