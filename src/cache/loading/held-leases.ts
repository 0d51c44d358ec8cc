import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import { chunks } from '../../foundation/chunks.ts'
import type { Clock, Timers } from '../../foundation/time/clock.ts'

/** What {@link HeldLeases} needs. */
export interface HeldLeasesParts {
  /** The tier without the gate: leases are given back even while a circuit is open, and failures do not count. */
  readonly tier: Pick<SharedTier, 'release'>
  readonly clock: Clock
  readonly timers: Timers
  readonly leaseMs: number
}

/** A lease that a loader runs under. */
interface Releasable {
  /** Never rejects. */
  release(): Promise<void>
}

/** A lease that is given back. */
interface Returned {
  readonly storedKey: string
  readonly token: string
  /** Whether the load has ended without a value, so that those who waited for it need to know. */
  readonly isFruitless: boolean
  /** How long nobody is to load the entry again. */
  readonly pauseMs?: number | undefined
}

/** What is known of a lease whose return Redis has not acknowledged. */
interface Unreturned {
  /** When it has expired. */
  readonly expiresAtMs: number
  /** Called when it is not given back again: it is acknowledged, has expired, or is dropped. */
  readonly end: () => void
}

/** The pause before leases are given back again that Redis has not acknowledged. */
const RETRY_MS = 250
/** The most leases that are given back again. The oldest ones are dropped; they expire by themselves. */
const MOST_UNRETURNED = 10_000
/** How many of them are given back at once. If Redis acknowledges none of these, the others wait for the next time. */
const RETRIED_AT_ONCE = 100

/**
 * The leases that this process holds, has asked for, or gives back.
 *
 * Nobody else loads a key while it is leased. So a lease must not outlive its load, even if the connection was lost
 * meanwhile: if Redis does not acknowledge that a lease was given back, it is given back again until it has expired. That
 * is safe on any connection, since the script does nothing if the key no longer holds the token.
 */
export class HeldLeases {
  readonly #parts: HeldLeasesParts
  readonly #held = new Set<Releasable>()
  readonly #requests = new Set<Promise<unknown>>()
  readonly #unreturned = new Map<Returned, Unreturned>()
  #isRetryDue = false
  #cancelRetry: () => void = () => {}
  #isClosed = false

  constructor(parts: HeldLeasesParts) {
    this.#parts = parts
  }

  /** Follows a request that may bring a lease, and must not reject. {@link releaseAll} resumes after its caller. */
  follow<Reply>(request: Promise<Reply>): Promise<Reply> {
    const followed = request.finally(() => this.#requests.delete(followed))
    this.#requests.add(followed)
    return followed
  }

  add(lease: Releasable): void {
    this.#held.add(lease)
  }

  /** Called when the key no longer holds the lease's token, or the lease has been given back. */
  delete(lease: Releasable): void {
    this.#held.delete(lease)
  }

  /**
   * Gives a lease back that no loader runs under any more. One round trip, repeated until it succeeds or the lease has
   * expired. Never rejects.
   */
  async giveBack(returned: Returned): Promise<void> {
    const { clock, leaseMs } = this.#parts
    const expiresAtMs = clock.monotonicMs() + leaseMs
    if ((await this.follow(this.#isAcknowledged(returned))) || this.#isClosed) return
    await new Promise<void>((end) => {
      this.#unreturned.set(returned, { expiresAtMs, end })
      const [oldest] = this.#unreturned.keys()
      if (oldest !== undefined && this.#unreturned.size > MOST_UNRETURNED) this.#end(oldest)
      this.#retryLater()
    })
  }

  /** The lease is not given back again. */
  #end(returned: Returned): void {
    this.#unreturned.get(returned)?.end()
    this.#unreturned.delete(returned)
  }

  #retryLater(): void {
    if (this.#isRetryDue || this.#isClosed || this.#unreturned.size === 0) return
    this.#isRetryDue = true
    this.#cancelRetry = this.#parts.timers.after(RETRY_MS, () => {
      void this.#retry().then(() => {
        this.#isRetryDue = false
        this.#retryLater()
      })
    })
  }

  async #retry(): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs()
    for (const [returned, { expiresAtMs }] of this.#unreturned) {
      if (nowMs >= expiresAtMs) this.#end(returned)
    }
    for (const some of chunks([...this.#unreturned], RETRIED_AT_ONCE)) {
      const acknowledged = await Promise.all(some.map((entry) => this.#retryOne(...entry)))
      if (!acknowledged.includes(true)) return
    }
  }

  /** A lease that Redis does not acknowledge goes behind the others, which may belong to another server. */
  async #retryOne(returned: Returned, unreturned: Unreturned): Promise<boolean> {
    const isAcknowledged = await this.#isAcknowledged(returned)
    if (isAcknowledged) this.#end(returned)
    else if (this.#unreturned.delete(returned)) this.#unreturned.set(returned, unreturned)
    return isAcknowledged
  }

  /**
   * Gives all leases back, so that no other process waits for loads whose values this one cannot store any more. One
   * round trip after the last pending request. Never rejects.
   */
  async releaseAll(): Promise<void> {
    await Promise.all(this.#requests)
    this.#isClosed = true
    this.#cancelRetry()
    await Promise.all([this.#retry(), ...[...this.#held].map((lease) => lease.release())])
    for (const returned of [...this.#unreturned.keys()]) this.#end(returned)
  }

  async #isAcknowledged({ isFruitless, pauseMs, storedKey, token }: Returned): Promise<boolean> {
    try {
      await this.#parts.tier.release(storedKey, token, isFruitless, pauseMs)
      return true
    } catch {
      return false
    }
  }
}
