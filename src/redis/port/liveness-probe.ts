import { clearTimeout, setImmediate, setTimeout } from '../../foundation/time/timers.ts'

/** Time that a PING may take, as a multiple of a command's deadline. */
const DEADLINES_PER_PROBE = 5
/** The same after a gap of the event loop, when a connection that has been dropped is likely. */
const DEADLINES_AFTER_GAP = 0.5

/**
 * Detects half-open connections, for which TCP takes about a quarter of an hour. After a command has met its deadline,
 * the probe sends a PING on the same connection; if that gets no reply within five deadlines, the connection is given
 * up. A server that is merely slow answers in time. After a gap of the event loop the probe comes at once, and has half a
 * deadline.
 */
export class LivenessProbe {
  readonly #timeoutMs: number
  /** What ends the probe of a connection. */
  readonly #inProgress = new Map<object, () => void>()

  /** @param timeoutMs the deadline of a command */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** Probes a connection, unless a probe of it is in progress. */
  check(connection: object, ping: () => Promise<unknown>, giveUp: () => void, isAfterGap: boolean): void {
    if (this.#inProgress.has(connection)) return
    let isOver = false
    const end = () => {
      isOver = true
      clearTimeout(timer)
      this.#inProgress.delete(connection)
    }
    this.#inProgress.set(connection, end)
    // setImmediate lets the event loop first read a reply that has arrived, should this process have been stalled.
    const timer = setTimeout(
      () =>
        setImmediate(() => {
          if (isOver) return
          end()
          giveUp()
        }),
      this.#timeoutMs * (isAfterGap ? DEADLINES_AFTER_GAP : DEADLINES_PER_PROBE),
    ).unref()
    // Any reply shows that the connection works, error replies included. One that failed has been reported already.
    ping().then(end, end)
  }

  /** Ends the probe of a connection that is not used any more. */
  cancel(connection: object): void {
    this.#inProgress.get(connection)?.()
  }
}
