import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import type { Clock, Timers } from '../../foundation/time/clock.ts'
import type { HeldLeases } from './held-leases.ts'

/** What a {@link Lease} needs. */
export interface LeaseParts {
  readonly tier: SharedTier
  readonly clock: Clock
  readonly timers: Timers
  readonly leaseMs: number
  /** How long the lease is renewed. */
  readonly longestLoadMs: number
  readonly held: HeldLeases
  /** Called when the lease was lost while its loader ran. */
  readonly onLost: () => void
  /** Called when the lease is given back, with a promise of the acknowledgement, which never rejects. */
  readonly onReturn: (returning: Promise<void>) => void
}

/**
 * Time between two renewals, as a fraction of the lease's duration. Each renewal writes, since less than three fifths are
 * left by then (T5). A renewal that only read would leave the key tracked: Redis would announce the fill to this process,
 * which would not keep the entry (L2).
 */
const RENEW_AFTER = 0.5
/** Pause before a failed renewal is repeated, as a fraction of the lease's duration. */
const RETRY_AFTER = 0.125

/** What a load does with the lease that it runs under. */
export type LoadLease = Pick<Lease, keyof Lease>

/** Stands for the lease of a value that stays in this process, which each process makes for itself. */
export const NO_LEASE: LoadLease = Object.freeze({
  token: '',
  isHeld: true,
  isValid: true,
  verify: async () => true,
  end: () => {},
  filled: () => {},
  release: async () => {},
  releaseFruitless: async () => {},
  releaseAndPause: async () => {},
})

/**
 * The right to fill one key, held while its loader runs. The token is valid only on the connection that acquired it
 * (T2): after a reconnect, other changes of the key may have been missed.
 */
export class Lease {
  readonly token: string
  readonly #storedKey: string
  readonly #parts: LeaseParts
  readonly #connection: unknown
  readonly #takenAtMs: number
  #cancelRenewal: () => void = () => {}
  #isOver = false
  /** Whether the key holds the token no longer, or the lease has been given back. */
  #isLost = false

  /** @param connection the connection of the key when the lease was asked for */
  constructor(storedKey: string, token: string, connection: unknown, parts: LeaseParts) {
    this.token = token
    this.#storedKey = storedKey
    this.#connection = connection
    this.#parts = parts
    this.#takenAtMs = parts.clock.monotonicMs()
    parts.held.add(this)
    this.#renewAfter(RENEW_AFTER)
  }

  /** Whether the key holds the token, as far as this process knows. It may be void nevertheless. */
  get isHeld(): boolean {
    return !this.#isLost
  }

  /** Whether a fill under this lease may succeed, as far as this process knows. */
  get isValid(): boolean {
    return this.isHeld && this.#parts.tier.connectionOf(this.#storedKey) === this.#connection
  }

  /** Asks the server whether the key still holds the token. */
  async verify(): Promise<boolean> {
    return this.isValid && this.#isRenewed()
  }

  #isRenewed(): Promise<boolean> {
    const { leaseMs, tier } = this.#parts
    return tier.renew(this.#storedKey, this.token, leaseMs)
  }

  /** Called when the loader has ended: stops the renewals. */
  end(): void {
    this.#isOver = true
    this.#cancelRenewal()
  }

  /** Called when the fill was answered: the key no longer holds the token. */
  filled(): void {
    this.#isLost = true
    this.#parts.held.delete(this)
  }

  /** Releases the lease, so that another process need not wait until it expires to load the key. Never rejects. */
  release(): Promise<void> {
    return this.#giveBack(false)
  }

  /** As {@link release}, after a load that brought no value to store: those who waited for it learn that. */
  releaseFruitless(): Promise<void> {
    return this.#giveBack(true)
  }

  /** As {@link releaseFruitless}, of an entry that nobody is to load again for so long. */
  releaseAndPause(pauseMs: number): Promise<void> {
    return this.#giveBack(true, pauseMs)
  }

  async #giveBack(isFruitless: boolean, pauseMs = 0): Promise<void> {
    this.end()
    const { held, onReturn } = this.#parts
    if (!this.#isLost) {
      this.#isLost = true
      const returning = held.giveBack({ storedKey: this.#storedKey, token: this.token, isFruitless, pauseMs })
      onReturn(returning)
      await returning
    }
    held.delete(this)
  }

  #renewAfter(part: number): void {
    const { leaseMs, timers } = this.#parts
    this.#cancelRenewal = timers.after(leaseMs * part, () => void this.#renew())
  }

  async #renew(): Promise<void> {
    const { clock, longestLoadMs, onLost } = this.#parts
    if (this.#isOver || clock.monotonicMs() - this.#takenAtMs >= longestLoadMs) return
    if (!this.isValid) {
      // Nothing can be stored under it any more, so another process may load the key.
      onLost()
      return this.release()
    }
    let next = RENEW_AFTER
    try {
      this.#isLost ||= !(await this.#isRenewed())
    } catch {
      // It is unknown whether the lease was renewed; the fill will find out.
      next = RETRY_AFTER
    }
    if (this.#isOver) return
    if (this.#isLost) onLost()
    else this.#renewAfter(next)
  }
}
