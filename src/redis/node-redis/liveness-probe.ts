/** How many deadlines a connection has for answering a PING before it is given up. */
const PATIENCE_DEADLINES = 5

/**
 * Finds connections that are dead and do not know it. TCP notices a half-open connection after a quarter of an
 * hour; here a command that has met its deadline has a PING sent after it, and where that is not answered
 * either, the connection is given up. A server that is only slow answers it in the end.
 */
export class LivenessProbe {
  readonly #patienceMs: number
  readonly #probed = new Set<object>()

  /** @param timeoutMs the deadline of a command */
  constructor(timeoutMs: number) {
    this.#patienceMs = PATIENCE_DEADLINES * timeoutMs
  }

  /** Asks on `connection`, unless that has been asked already and has time left to answer. */
  check(connection: object, ping: () => Promise<unknown>, giveUp: () => void): void {
    if (this.#probed.has(connection)) return
    this.#probed.add(connection)
    let isOver = false
    const end = () => {
      isOver = true
      clearTimeout(timer)
      this.#probed.delete(connection)
    }
    // What has arrived is read before the verdict.
    const timer = setTimeout(
      () =>
        setImmediate(() => {
          if (isOver) return
          end()
          giveUp()
        }),
      this.#patienceMs,
    ).unref()
    // Any answer is a sign of life, and a connection that fails by itself needs no verdict.
    ping().then(end, end)
  }
}
