import { clearTimeout, setTimeout } from '../../foundation/time/timers.ts'

/** Delay of a refresh, so that a burst of requests leads to a single one. */
const SOON_MS = 50
/** Longest pause after failures. A replica that has taken over is found after it at the latest. */
const LONGEST_PAUSE_MS = 1_000
/** Time between two polls. */
const POLL_MS = 5_000

/** Schedules refreshes of a cluster's slot map: soon after a request, after failures with backoff, and by polling. */
export class SlotMapWatch {
  readonly #refresh: () => Promise<boolean>
  #timer: NodeJS.Timeout | undefined
  /** Refreshes in a row that failed. */
  #failures = 0
  #isRequested = false
  #isRefreshing = false
  #isPolling = false
  #isStopped = true

  /**
   * @param refresh resolves to whether the cluster is complete; if it is not, or if `refresh` rejects, the refresh
   * counts as failed and is repeated
   */
  constructor(refresh: () => Promise<boolean>) {
    this.#refresh = refresh
  }

  start(): void {
    this.#isStopped = false
    this.#failures = 0
    this.#schedule()
  }

  stop(): void {
    this.#isStopped = true
    this.#isRequested = false
    clearTimeout(this.#timer)
  }

  /** @param isPolling whether to refresh every five seconds without a request, from now on */
  poll(isPolling: boolean): void {
    this.#isPolling = isPolling
    if (!this.#isStopped && !this.#isRequested && !this.#isRefreshing) this.#schedule()
  }

  /** Requests a refresh, since the slot map may have changed. */
  refreshSoon(): void {
    if (this.#isStopped || this.#isRequested) return
    this.#isRequested = true
    if (!this.#isRefreshing) this.#schedule()
  }

  async #run(): Promise<void> {
    this.#isRequested = false
    this.#isRefreshing = true
    const isComplete = await this.#refresh().catch(() => false)
    this.#isRefreshing = false
    this.#failures = isComplete ? 0 : this.#failures + 1
    if (!this.#isStopped) this.#schedule()
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    const delayMs = this.#delayMs()
    if (delayMs !== undefined) this.#timer = setTimeout(() => this.#run(), delayMs).unref()
  }

  /** `undefined` while there is no reason to refresh. */
  #delayMs(): number | undefined {
    if (this.#isRequested) return SOON_MS
    if (this.#failures > 0) {
      return Math.min(SOON_MS * 2 ** this.#failures, LONGEST_PAUSE_MS) * (0.8 + 0.2 * Math.random())
    }
    return this.#isPolling ? POLL_MS : undefined
  }
}
