import { LONGEST_REDIAL_MS } from '../node-redis/options.ts'

/** Lets a burst of signs that something has changed come to one look. */
const SOON_MS = 50
/** How often a process looks that meets no sign. */
const QUIET_MS = 5_000

/** Decides when to look at the slot map of a cluster again. */
export class SlotMapWatch {
  readonly #look: () => Promise<boolean>
  #timer: NodeJS.Timeout | undefined
  /** Counts the looks in a row that were in vain. */
  #vainLooks = 0
  #isSoon = false
  #isLooking = false
  #isVigilant = false
  #isStopped = true

  /** @param look answers whether all is well; where it is not, or where it rejects, it is called again after a pause */
  constructor(look: () => Promise<boolean>) {
    this.#look = look
  }

  /** From now on it looks. */
  start(): void {
    this.#isStopped = false
    this.#vainLooks = 0
    this.#next()
  }

  stop(): void {
    this.#isStopped = true
    this.#isSoon = false
    clearTimeout(this.#timer)
  }

  /** From now on it looks also without a sign: a quiet process meets none. */
  beVigilant(): void {
    this.#isVigilant = true
    if (!this.#isStopped && !this.#isSoon && !this.#isLooking) this.#next()
  }

  /** There is a sign that something has changed. */
  soon(): void {
    if (this.#isStopped || this.#isSoon) return
    this.#isSoon = true
    if (!this.#isLooking) this.#next()
  }

  async #watch(): Promise<void> {
    this.#isSoon = false
    this.#isLooking = true
    const isWell = await this.#look().catch(() => false)
    this.#isLooking = false
    this.#vainLooks = isWell ? 0 : this.#vainLooks + 1
    if (!this.#isStopped) this.#next()
  }

  #next(): void {
    clearTimeout(this.#timer)
    const pauseMs = this.#pauseMs()
    if (pauseMs !== undefined) this.#timer = setTimeout(() => this.#watch(), pauseMs).unref()
  }

  #pauseMs(): number | undefined {
    if (this.#isSoon) return SOON_MS
    if (this.#vainLooks > 0) {
      return Math.min(SOON_MS * 2 ** this.#vainLooks, LONGEST_REDIAL_MS) * (0.8 + 0.2 * Math.random())
    }
    return this.#isVigilant ? QUIET_MS : undefined
  }
}
