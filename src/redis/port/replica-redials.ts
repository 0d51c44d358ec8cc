import { systemMs } from '../../foundation/time/timers.ts'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 5_000

/**
 * When a connection to a server that has become a replica is dialled again. The name of the server may lead to the new
 * primary by now, or soon: a DNS record of a managed service moves some time after the roles have changed. A server that
 * stays a replica is dialled every five seconds.
 */
export class ReplicaRedials {
  #pauseMs = 0
  #latestMs = Number.NEGATIVE_INFINITY

  /** Called when the server says that it is a replica. Whether to dial again now. */
  isDue(): boolean {
    const sinceMs = systemMs() - this.#latestMs
    if (sinceMs < this.#pauseMs) return false
    const isAgain = sinceMs < 2 * LONGEST_PAUSE_MS
    this.#pauseMs = isAgain ? Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS
    this.#latestMs = systemMs()
    return true
  }
}
