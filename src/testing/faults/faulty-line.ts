import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { CommandKind } from './armed-fault.ts'
import type { FaultState, FaultWatch, Strike } from './fault-state.ts'

/** A command that was sent and has not reached Redis. */
interface Held {
  isDue: boolean
  readonly run: () => void
}

const NOT_STRUCK: Strike = Object.freeze({ delayMs: 0, losesReply: false })

/**
 * One connection with faults. Commands keep their order, as on any connection: one that is held up delays those behind
 * it. Without active faults it passes everything through.
 */
export class FaultyLine implements FaultWatch {
  readonly #faults: FaultState
  /** In the order in which they were sent. */
  readonly #held: Held[] = []
  readonly #news: (() => void)[] = []
  /** The functions that fail the commands that wait for their reply. */
  readonly #unanswered = new Set<(error: CacheError) => void>()

  constructor(faults: FaultState) {
    this.#faults = faults
    faults.watch(this)
  }

  /** Executes a command, as the faults permit. */
  send<Result>(kind: CommandKind, work: () => Promise<Result>): Promise<Result> {
    const strike = this.#faults.strike(kind)
    if (strike instanceof CacheError) return Promise.reject(strike)
    const isFree = this.#held.length === 0 && !this.#faults.isHung
    return strike === undefined && isFree ? work() : this.#sendStruck(kind, strike ?? NOT_STRUCK, work)
  }

  /** Delivers a push of Redis, as the faults permit. */
  tell(news: () => void): void {
    if (this.#faults.losesMessages || this.#faults.isAway) return
    if (this.#faults.isHung) this.#news.push(news)
    else news()
  }

  /** Fails the commands under way, and drops those that have not arrived. */
  disconnected(): void {
    this.#held.length = 0
    this.#news.length = 0
    for (const fail of [...this.#unanswered]) {
      fail(new CacheError('CACHE_DISCONNECTED', 'The connection was lost while the command was on its way'))
    }
  }

  changed(): void {
    if (this.#faults.isHung) return
    for (const news of this.#news.splice(0)) news()
    if (!this.#faults.isHolding) for (const held of this.#held) held.isDue = true
    this.#runDue()
  }

  #sendStruck<Result>(
    kind: CommandKind,
    { delayMs, losesReply }: Strike,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const { timeoutMs, timers } = this.#faults
    return new Promise<Result>((resolve, reject) => {
      const held: Held = {
        isDue: delayMs === 0,
        run: () => {
          // A handshake without replies establishes no connection.
          if (losesReply && kind === 'connecting') return
          const working = work()
          if (losesReply) working.catch(() => {})
          else working.then(answer, fail)
        },
      }
      const end = () => {
        callOff()
        this.#unanswered.delete(fail)
      }
      const answer = (result: Result) => {
        end()
        resolve(result)
      }
      const fail = (error: unknown) => {
        end()
        reject(error)
      }
      const callOff = timers.after(timeoutMs, () => {
        // An attempt to connect that was given up must not succeed later; any other command may still arrive.
        if (kind === 'connecting') this.#drop(held)
        fail(new CacheError('CACHE_TIMEOUT', `No reply from Redis within ${timeoutMs} ms`))
      })
      this.#unanswered.add(fail)
      this.#held.push(held)
      if (delayMs === 0) this.#runDue()
      else timers.after(delayMs, () => this.#arrive(held))
    })
  }

  #arrive(held: Held): void {
    held.isDue = true
    this.#runDue()
  }

  #runDue(): void {
    while (!this.#faults.isHung && this.#held[0]?.isDue) this.#held.shift()?.run()
  }

  #drop(held: Held): void {
    const index = this.#held.indexOf(held)
    if (index >= 0) this.#held.splice(index, 1)
  }
}
