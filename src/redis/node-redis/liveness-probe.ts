import { clearTimeout, setImmediate, setTimeout } from '../../foundation/timers.ts'

/** Time that a PING may take, as a multiple of a command's deadline. */
const DEADLINES_PER_PROBE = 5

/**
 * Detects half-open connections, for which TCP takes about a quarter of an hour. After a command has met its deadline,
 * the probe sends a PING on the same connection; if that gets no reply within five deadlines, the connection is given
 * up. A server that is merely slow answers in time.
 */
export class LivenessProbe {
  readonly #boundMs: number
  readonly #inProgress = new Set<object>()

  /** @param timeoutMs the deadline of a command */
  constructor(timeoutMs: number) {
    this.#boundMs = DEADLINES_PER_PROBE * timeoutMs
  }

  /** Probes a connection, unless a probe of it is in progress. */
  check(connection: object, ping: () => Promise<unknown>, giveUp: () => void): void {
    if (this.#inProgress.has(connection)) return
    this.#inProgress.add(connection)
    let isOver = false
    const end = () => {
      isOver = true
      clearTimeout(timer)
      this.#inProgress.delete(connection)
    }
    // setImmediate lets the event loop first read a reply that has arrived, should this process have been stalled.
    const timer = setTimeout(
      () =>
        setImmediate(() => {
          if (isOver) return
          end()
          giveUp()
        }),
      this.#boundMs,
    ).unref()
    // Any reply shows that the connection works, error replies included. One that failed has been reported already.
    ping().then(end, end)
  }
}
