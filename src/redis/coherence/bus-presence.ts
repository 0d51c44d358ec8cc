import { busPresenceKey } from '../../foundation/reserved-keys.ts'
import type { Clock } from '../../foundation/time/clock.ts'
import { clearTimeout, setTimeout } from '../../foundation/time/timers.ts'
import type { RedisPort } from '../port/redis-port.ts'

/** Lifetime of the presence key without a renewal. */
const PRESENCE_TTL_MS = 60_000
/** Time between two renewals. Each renewal pushes an invalidation to every process that has read the key. */
const RENEWAL_MS = 20_000
/** Time that processes which have read the key are given to learn that it exists now. */
const GRACE_MS = 500

/** Receives the events of a {@link BusPresence}. */
export interface PresenceListener {
  /** Called when every process knows that the bus has a subscriber. */
  established(): void
  /** Called when the key was missing though it should exist: changes made meanwhile may not have been published. */
  wasMissing(): void
}

/**
 * The presence key, which exists while some process is subscribed to the bus. Subscribers renew it.
 *
 * Processes with tracked connections do not need the bus themselves, and only subscribers need their messages. They
 * read the key on a tracked connection, and publish while it exists or may exist.
 */
export class BusPresence {
  readonly storedKey: string
  readonly #port: RedisPort
  readonly #clock: Clock
  readonly #listener: PresenceListener
  #mayHaveSubscribers = true
  /** Numbers the reads of the key: only the last one gives its current state. */
  #lastRead = 0
  /** The highest number of a read that was answered. */
  #lastAnswered = 0
  #renewedAtMs = Number.NEGATIVE_INFINITY
  #isEstablished = false

  #establishTimer: NodeJS.Timeout | undefined

  constructor(port: RedisPort, prefix: string, clock: Clock, listener: PresenceListener) {
    this.#port = port
    this.#clock = clock
    this.#listener = listener
    this.storedKey = busPresenceKey(prefix)
  }

  /** Whether some process may be subscribed to the bus, as far as this process knows. */
  get mayHaveSubscribers(): boolean {
    return this.#mayHaveSubscribers
  }

  /** Reads the key. Until the reply arrives, the bus may have subscribers. */
  read(): void {
    this.#mayHaveSubscribers = true
    const read = ++this.#lastRead
    // Whatever its type, a key counts: a subscriber does not replace it before the next renewal.
    this.#port.send(this.storedKey, ['EXISTS', this.storedKey], 'text').then(
      (reply) => {
        this.#lastAnswered = Math.max(this.#lastAnswered, read)
        if (read === this.#lastRead) this.#mayHaveSubscribers = reply !== 0
      },
      () => {},
    )
  }

  /** Reads the key again if the last read was not answered. */
  retryRead(): void {
    if (this.#lastAnswered !== this.#lastRead) this.read()
  }

  /** Called when this process has subscribed to the bus. */
  establish(): void {
    this.#isEstablished = false
    this.#createIfMissing()
  }

  /** Called when this process leaves the bus for good. */
  stop(): void {
    clearTimeout(this.#establishTimer)
  }

  /** Renews the key when it is time to, and checks at every other call that it still exists. */
  heartbeat(): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#renewedAtMs < RENEWAL_MS) {
      this.#createIfMissing()
      return
    }
    this.#renewedAtMs = nowMs
    this.#port
      .send(this.storedKey, ['SET', this.storedKey, '1', 'PX', String(PRESENCE_TTL_MS)], 'text')
      .catch(() => {})
  }

  #createIfMissing(): void {
    const command = ['SET', this.storedKey, '1', 'NX', 'PX', String(PRESENCE_TTL_MS)]
    this.#port.send(this.storedKey, command, 'text').then(
      (reply) => {
        const wasMissing = reply !== null
        if (wasMissing && this.#isEstablished) {
          this.#isEstablished = false
          this.#listener.wasMissing()
        }
        if (this.#isEstablished) return
        this.#isEstablished = true
        clearTimeout(this.#establishTimer)
        if (wasMissing) {
          this.#establishTimer = setTimeout(() => this.#listener.established(), GRACE_MS).unref()
        } else this.#listener.established()
      },
      () => {},
    )
  }
}
