import type { BoundGeneration } from '../codec/entry-meta.ts'
import type { IsolatedValue } from './isolation.ts'
import type { Lease } from './lease.ts'

/** What a flight comes to. */
export interface Outcome {
  readonly isolated: IsolatedValue
  /** Tags that only the loaded value told, and whether their generations were known before its loader began. */
  readonly lateTagKeys: readonly { readonly tagKey: string; readonly isKnown: boolean }[]
}

/**
 * One load of one key, and everybody in this process who waits for it.
 *
 * An invalidation closes it to newcomers (L4): who is in it gets its value, who comes after the acknowledgement starts
 * anew. A push cannot be told from the echo of the flight's own lease, so under a lease it only raises a doubt, which
 * the next newcomer settles by asking whether the key still bears the token.
 */
export class Flight {
  /** Stored keys of the generations whose renewal closes it. */
  readonly generationKeys: readonly string[]
  /** Moments of this process, as `Generations.now`. */
  readonly startedAt: number
  /** Until then no generation that it depends on is known to have been renewed since it began. */
  isCurrentAt: number
  epoch: number
  lease: Lease | undefined
  /** The generations that what it loads will depend on, once they have been captured. */
  bound: readonly BoundGeneration[] = []
  /** Set while the lease is being asked for: a push may then be its echo. */
  isAcquiring = false
  /** Set where the value will come from a read that is yet to be sent. */
  isWaiting = false
  /** Set where it ends with a stale value, which another flight is to renew. */
  wantsRefresh = false
  /** Set once the loader has been called. */
  isLoading = false
  #result: Promise<Outcome> | undefined
  #isClaimed = false
  #callers = 0
  #isOpen = true
  /** Counts the pushes that may have been more than echoes. */
  #doubts = 0
  /** The doubts that have been settled. */
  #settled = 0
  #verifying: Promise<boolean> | undefined
  readonly #controller = new AbortController()

  constructor(generationKeys: readonly string[], startedAt: number, epoch: number) {
    this.generationKeys = generationKeys
    this.startedAt = startedAt
    this.isCurrentAt = startedAt
    this.epoch = epoch
  }

  run(work: () => Promise<Outcome>): void {
    this.#result = work()
    // Each caller is told by its own promise; a flight that all have left has nobody to tell.
    this.#result.catch(() => {})
  }

  /** Aborts when every caller has gone. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** What it brings will have been read or loaded after this moment. */
  beginAttempt(now: number, epoch: number): void {
    this.isCurrentAt = now
    this.epoch = epoch
    this.bound = []
  }

  /** `true` for who began it, and asks first. */
  claim(): boolean {
    const isFirst = !this.#isClaimed
    this.#isClaimed = true
    return isFirst
  }

  /** The generation that what it loads will depend on. */
  boundTo(generationKey: string): string | undefined {
    return this.bound.find(({ storedKey }) => storedKey === generationKey)?.generation
  }

  close(): void {
    this.#isOpen = false
  }

  /** A push for its key has come. */
  pushed(): void {
    if (this.isWaiting) return
    if (this.lease !== undefined || this.isAcquiring) this.#doubts++
    else this.close()
  }

  /** Whether a newcomer may join: at once where nothing has happened, else after the key has been looked at. */
  admits(): boolean | Promise<boolean> {
    if (!this.#isOpen || this.signal.aborted) return false
    if (this.#doubts === this.#settled) return true
    this.#verifying ??= this.#verify().finally(() => {
      this.#verifying = undefined
    })
    return this.#verifying
  }

  async #verify(): Promise<boolean> {
    while (this.#isOpen && this.#doubts !== this.#settled) {
      const doubts = this.#doubts
      const isHeld = (await this.lease?.verify().catch(() => false)) ?? false
      if (isHeld) this.#settled = doubts
      else this.close()
    }
    return this.#isOpen
  }

  /** One more caller waits for it, until the signal aborts. */
  join(signal: AbortSignal | undefined): Promise<Outcome> {
    const result = this.#result as Promise<Outcome>
    this.#callers++
    if (signal === undefined) return result
    return new Promise((resolve, reject) => {
      const leave = () => {
        reject(signal.reason)
        this.#leave()
      }
      if (signal.aborted) {
        leave()
        return
      }
      signal.addEventListener('abort', leave, { once: true })
      result.finally(() => signal.removeEventListener('abort', leave)).then(resolve, reject)
    })
  }

  #leave(): void {
    if (--this.#callers > 0) return
    this.close()
    this.#controller.abort(new DOMException('Every caller has gone', 'AbortError'))
  }
}
