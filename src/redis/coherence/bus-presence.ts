import type { Clock } from '../../foundation/clock.ts'
import { busPresenceKey } from '../../foundation/reserved-keys.ts'
import type { RedisPort } from '../port/redis-port.ts'

/** How long the sign stands without being renewed. */
const SIGN_TTL_MS = 60_000
/** How often it is renewed. Each time pushes it to everybody who reads it. */
const RENEWAL_MS = 20_000
/** How long those who read it are given to learn of it. */
const GRACE_MS = 500

/** What a {@link BusPresence} tells. */
export interface PresenceListener {
  /** Everybody knows by now that somebody listens. */
  established(): void
  /** The sign was not there though it should have been: what changed meanwhile may not have been told. */
  wasMissing(): void
}

/**
 * The sign that somebody listens to the bus: a key that listeners keep alive. Caches that are tracked have no need of
 * the bus and would publish to nobody; they read the sign, tracked, and publish while it stands or may stand.
 */
export class BusPresence {
  readonly storedKey: string
  readonly #port: RedisPort
  readonly #clock: Clock
  readonly #listener: PresenceListener
  /** Whether somebody may be listening, as far as this process knows. */
  #isPossible = true
  /** Counts the looks, since only the last one tells the present. */
  #looks = 0
  /** The look that was answered last. */
  #answered = 0
  #renewedAtMs = Number.NEGATIVE_INFINITY
  #isEstablished = false

  constructor(port: RedisPort, prefix: string, clock: Clock, listener: PresenceListener) {
    this.#port = port
    this.#clock = clock
    this.#listener = listener
    this.storedKey = busPresenceKey(prefix)
  }

  get isPossible(): boolean {
    return this.#isPossible
  }

  /** Reads the sign; until that is done, somebody may be listening. */
  look(): void {
    this.#isPossible = true
    const look = ++this.#looks
    this.#port.send(this.storedKey, ['MGET', this.storedKey], 'bytes').then(
      (reply) => {
        this.#answered = Math.max(this.#answered, look)
        if (look === this.#looks) this.#isPossible = (reply as readonly unknown[])[0] !== null
      },
      () => {},
    )
  }

  /** Looks again where the last look was in vain. */
  lookAgain(): void {
    if (this.#answered !== this.#looks) this.look()
  }

  /** This process listens from now on. */
  appear(): void {
    this.#isEstablished = false
    this.#sign()
  }

  /** Keeps the sign alive, and notices where it was lost. */
  beat(): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#renewedAtMs < RENEWAL_MS) {
      this.#sign()
      return
    }
    this.#renewedAtMs = nowMs
    this.#port
      .send(this.storedKey, ['SET', this.storedKey, '1', 'PX', String(SIGN_TTL_MS)], 'text')
      .catch(() => {})
  }

  #sign(): void {
    const command = ['SET', this.storedKey, '1', 'NX', 'PX', String(SIGN_TTL_MS)]
    this.#port.send(this.storedKey, command, 'text').then(
      (reply) => {
        const wasMissing = reply !== null
        if (wasMissing && this.#isEstablished) {
          this.#isEstablished = false
          this.#listener.wasMissing()
        }
        if (this.#isEstablished) return
        this.#isEstablished = true
        if (wasMissing) setTimeout(() => this.#listener.established(), GRACE_MS).unref()
        else this.#listener.established()
      },
      () => {},
    )
  }
}
