import { CacheError } from '../../foundation/cache-error.ts'
import type { CommandKind } from './armed-fault.ts'
import type { FaultState, FaultWatch, Strike } from './fault-state.ts'

/** A command that has been sent and has not reached Redis. */
interface Held {
  isDue: boolean
  readonly run: () => void
}

const NOT_STRUCK: Strike = Object.freeze({ delayMs: 0, losesReply: false })

/**
 * One connection on which faults strike. Commands keep their order, as on any connection: one that is held up holds up
 * those behind it. Where nothing is wrong it is as if it were not there.
 */
export class FaultyLine implements FaultWatch {
  readonly #faults: FaultState
  /** In the order in which they were sent. */
  readonly #held: Held[] = []
  readonly #news: (() => void)[] = []
  /** Fails a command that waits for its answer. */
  readonly #unanswered = new Set<(error: CacheError) => void>()

  constructor(faults: FaultState) {
    this.#faults = faults
    faults.watch(this)
  }

  /** Does the work of a command, where and when the faults let it. */
  send<Result>(kind: CommandKind, work: () => Promise<Result>): Promise<Result> {
    const strike = this.#faults.strike(kind)
    if (strike instanceof CacheError) return Promise.reject(strike)
    const isFree = this.#held.length === 0 && !this.#faults.isHung
    return strike === undefined && isFree ? work() : this.#sendStruck(kind, strike ?? NOT_STRUCK, work)
  }

  /** Hands on what Redis tells, where and when the faults let it. */
  tell(news: () => void): void {
    if (this.#faults.losesMessages || this.#faults.isAway) return
    if (this.#faults.isHung) this.#news.push(news)
    else news()
  }

  /** What is on its way fails, and what has not arrived never will. */
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
          // A handshake whose answers are lost makes no connection.
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
        // Who gave up connecting wants no connection later on; any other command may still arrive.
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
