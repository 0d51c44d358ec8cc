import type { SharedTier } from '../../backend/shared-tier.ts'
import type { Clock, Timers } from '../../foundation/clock.ts'

/** What a {@link Lease} needs. */
export interface LeaseParts {
  readonly tier: SharedTier
  readonly clock: Clock
  readonly timers: Timers
  readonly leaseMs: number
  /** How long it is renewed. */
  readonly longestLoadMs: number
  /** The lease has been lost while its loader ran. */
  readonly onLost: () => void
}

/** A lease is renewed this often within its length. */
const RENEWALS_PER_LEASE = 3

/**
 * The right to fill one key, held while its loader runs. The token metrics only on the connection that took it (T2):
 * what else may have happened in between, nobody can tell.
 */
export class Lease {
  readonly token: string
  readonly #storedKey: string
  readonly #parts: LeaseParts
  readonly #connection: unknown
  readonly #takenAtMs: number
  #cancelRenewal: () => void = () => {}
  #isOver = false
  #isLost = false

  /** @param connection what the key's commands travelled on when the lease was asked for */
  constructor(storedKey: string, token: string, connection: unknown, parts: LeaseParts) {
    this.token = token
    this.#storedKey = storedKey
    this.#connection = connection
    this.#parts = parts
    this.#takenAtMs = parts.clock.monotonicMs()
    this.#renewLater()
  }

  /** Whether a fill under it may succeed. */
  get isValid(): boolean {
    return !this.#isLost && this.#parts.tier.connectionOf(this.#storedKey) === this.#connection
  }

  /** Whether the key still bears the token, asked of the server. */
  async verify(): Promise<boolean> {
    if (!this.isValid) return false
    const { leaseMs, tier } = this.#parts
    return tier.renew(this.#storedKey, this.token, leaseMs)
  }

  /** The loader has come to an end. */
  end(): void {
    this.#isOver = true
    this.#cancelRenewal()
  }

  /** Gives it back, so that others need not wait for it to run out. Never rejects. */
  async release(): Promise<void> {
    this.end()
    const wasValid = this.isValid
    this.#isLost = true
    if (wasValid) await this.#parts.tier.release(this.#storedKey, this.token).catch(() => {})
  }

  #renewLater(): void {
    const { leaseMs, timers } = this.#parts
    this.#cancelRenewal = timers.after(leaseMs / RENEWALS_PER_LEASE, () => void this.#renew())
  }

  async #renew(): Promise<void> {
    const { clock, longestLoadMs, onLost } = this.#parts
    if (this.#isOver || clock.monotonicMs() - this.#takenAtMs >= longestLoadMs) return
    try {
      this.#isLost ||= !(await this.verify())
    } catch {
      // Whether it was renewed, the fill will find out.
    }
    if (this.#isOver) return
    if (this.#isLost) onLost()
    else this.#renewLater()
  }
}
