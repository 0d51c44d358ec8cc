import { CacheError, isSilence } from '../../foundation/errors/cache-error.ts'
import type { Timers } from '../../foundation/time/clock.ts'
import type { ArmedFault, CommandKind } from './armed-fault.ts'

/** The active faults. */
export interface ActiveFaults {
  /** The delay in milliseconds. */
  readonly slow?: ArmedFault<number>
  readonly fail?: ArmedFault<CacheError>
  readonly lostReplies?: ArmedFault<true>
  readonly isHung?: boolean
  readonly losesMessages?: boolean
}

/** The effect of the faults on one command. */
export interface Strike {
  readonly delayMs: number
  readonly losesReply: boolean
}

/** Receives the beginning and the end of faults. */
export interface FaultWatch {
  disconnected(): void
  /** A fault has begun, or all have ended. */
  changed(): void
}

/** The present faults, as the affected connections see them. */
export class FaultState {
  readonly timers: Timers
  /** The deadline of a command that is held up. */
  readonly timeoutMs: number
  readonly #watches: FaultWatch[] = []
  #active: ActiveFaults = {}
  #isAway = false

  constructor(timers: Timers, timeoutMs: number) {
    this.timers = timers
    this.timeoutMs = timeoutMs
  }

  get isHung(): boolean {
    return this.#active.isHung === true
  }

  get losesMessages(): boolean {
    return this.#active.losesMessages === true
  }

  /** Whether a lost connection cannot be established again yet. */
  get isAway(): boolean {
    return this.#isAway
  }

  /** Whether a fault holds commands up. */
  get isHolding(): boolean {
    return this.isHung || this.#active.slow !== undefined
  }

  /** Whether no command is answered, not even a heartbeat. */
  get isSilent(): boolean {
    const { fail, lostReplies, slow } = this.#active
    const isTooSlow = slow?.isTotal === true && slow.effect >= this.timeoutMs
    const isRefused = fail?.isTotal === true && isSilence(fail.effect.code)
    return this.isHung || isTooSlow || isRefused || lostReplies?.isTotal === true
  }

  /** The effect on the next command; an error if it is refused, `undefined` if there is no effect. */
  strike(kind: CommandKind): Strike | CacheError | undefined {
    const { fail, lostReplies, slow } = this.#active
    if (this.#isAway) return unavailable()
    if (fail?.strikes(kind)) return fail.effect
    const delayMs = slow?.strikes(kind) ? slow.effect : 0
    const losesReply = lostReplies?.strikes(kind) ?? false
    return delayMs > 0 || losesReply ? { delayMs, losesReply } : undefined
  }

  watch(watch: FaultWatch): void {
    this.#watches.push(watch)
  }

  begin(faults: ActiveFaults): void {
    this.#active = { ...this.#active, ...faults }
    this.#changed()
  }

  endAll(): void {
    this.#active = {}
    this.#changed()
  }

  disconnect(): void {
    this.#isAway = true
    for (const watch of this.#watches) watch.disconnected()
    this.#changed()
  }

  #changed(): void {
    if (!this.isSilent) this.#isAway = false
    for (const watch of this.#watches) watch.changed()
  }
}

/** The error of a command that is not sent. */
export function unavailable(): CacheError {
  return new CacheError('CACHE_UNAVAILABLE', 'Redis cannot be reached: a fault is injected')
}
