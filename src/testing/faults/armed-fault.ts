import { CacheError } from '../../foundation/cache-error.ts'

/** What a fault may be confined to; connecting is neither. */
export type CommandKind = 'reads' | 'writes' | 'connecting'

/** Which commands a fault strikes. */
export interface FaultScope {
  /**
   * `'writes'` are those that change something: leases, captured generations and invalidations too. `'all'` includes
   * connecting and heartbeats.
   * @default 'all'
   */
  readonly commands?: 'all' | 'reads' | 'writes' | undefined
  /** How many of them: the next ones. @default all, until it is healed */
  readonly times?: number | undefined
}

/** A fault that waits for commands to strike. */
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

  /** Whether it strikes every command for as long as it lasts, heartbeats included. */
  get isTotal(): boolean {
    return this.#commands === 'all' && this.#left === Number.POSITIVE_INFINITY
  }

  /** Whether it strikes this command, which then counts. */
  strikes(kind: CommandKind): boolean {
    if (this.#left === 0 || (this.#commands !== 'all' && this.#commands !== kind)) return false
    this.#left--
    return true
  }
}
