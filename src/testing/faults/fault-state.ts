import { CacheError, isSilence } from '../../foundation/cache-error.ts'
import type { Timers } from '../../foundation/clock.ts'
import type { ArmedFault, CommandKind } from './armed-fault.ts'

/** The faults that are in force. */
export interface ActiveFaults {
  /** By how many milliseconds. */
  readonly slow?: ArmedFault<number>
  readonly fail?: ArmedFault<CacheError>
  readonly lostReplies?: ArmedFault<true>
  readonly isHung?: boolean
  readonly losesMessages?: boolean
}

/** What becomes of a command that is struck. */
export interface Strike {
  readonly delayMs: number
  readonly losesReply: boolean
}

/** Is told when faults begin and end. */
export interface FaultWatch {
  disconnected(): void
  /** A fault has begun, or all have ended. */
  changed(): void
}

/** Errors that are no sign of life. */

/** What goes wrong at present, as the connections on which it strikes see it. */
export class FaultState {
  readonly timers: Timers
  /** How long a command that is held up waits. */
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

  /** Whether a connection that was lost cannot be made again yet. */
  get isAway(): boolean {
    return this.#isAway
  }

  /** Whether commands that are held up have something to wait for. */
  get isHolding(): boolean {
    return this.isHung || this.#active.slow !== undefined
  }

  /** Whether nothing at all is answered, heartbeats included. */
  get isSilent(): boolean {
    const { fail, lostReplies, slow } = this.#active
    const isTooSlow = slow?.isTotal === true && slow.effect >= this.timeoutMs
    const isRefused = fail?.isTotal === true && isSilence(fail.effect.code)
    return this.isHung || isTooSlow || isRefused || lostReplies?.isTotal === true
  }

  /** What becomes of the next command; an error where it is refused, `undefined` where nothing does. */
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

/** What a command comes to that is not sent. */
export function unavailable(): CacheError {
  return new CacheError('CACHE_UNAVAILABLE', 'Redis cannot be reached: a fault is injected')
}
