import { randomBytes } from 'node:crypto'
import type { Clock } from '../../foundation/time/clock.ts'
import { clearTimeout, setTimeout } from '../../foundation/time/timers.ts'
import type { ChannelSubscription, RedisPort } from '../port/redis-port.ts'

/** Receives the events of an {@link InvalidationBus}. */
export interface BusListener {
  /** Other processes have changed these keys. */
  changed(storedKeys: readonly string[]): void
  /** The subscription has been made: messages arrive from now on. */
  joined(): void
  /** A message was lost; the subscription continues. */
  missed(): void
  /** The subscription was lost. No message arrives until it is made again. */
  lost(reason: string): void
}

/** An own message of an {@link InvalidationBus}. */
export interface BusMessage {
  readonly number: number
  /** The keys that a change concerns; none in a heartbeat. */
  readonly storedKeys: readonly string[]
}

/** What has been received from another publisher. */
interface Publisher {
  /** The number of the next message in order. */
  next: number
  /** Numbers greater than `next` that have arrived out of order. */
  readonly early: Set<number>
  /** When the first message after the missing `next` arrived; `undefined` while none is missing. */
  gapSinceMs: number | undefined
  lastMessageAtMs: number
}

/** Pause before a lost subscription is made again. */
const REJOIN_MS = 250
/** A publisher is forgotten when nothing has come from it for this many times the trust. */
const FORGOTTEN_AFTER = 20
/** Most own heartbeats whose time is remembered. */
const MAX_HEARTBEATS = 100

/**
 * A pub/sub channel on which processes tell one another which keys they changed. It is used if Redis cannot track the
 * keys that were read.
 *
 * A write and its PUBLISH share one script, write first, so a process that receives the message reads the new value.
 * Publishers number their messages, so a missing number means a lost message. Each process also publishes heartbeats
 * and receives its own: one that arrives proves that everything published before it has arrived.
 */
export class InvalidationBus {
  readonly #port: RedisPort
  readonly #channel: string
  readonly #trustMs: number
  readonly #clock: Clock
  readonly #listener: BusListener
  /** Names this publisher. */
  readonly #id: string = randomBytes(9).toString('base64url')
  readonly #publishers = new Map<string, Publisher>()
  /** When each own heartbeat that has not arrived yet was sent, by its number. */
  readonly #heartbeatsSentAtMs = new Map<number, number>()
  /** The number of the last own message. */
  #lastNumber = 0
  #subscription: ChannelSubscription | undefined
  #rejoinTimer: NodeJS.Timeout | undefined
  #isWanted = false
  /** Everything that was published before this moment has arrived. */
  #completeUntilMs = Number.NEGATIVE_INFINITY

  constructor(port: RedisPort, channel: string, trustMs: number, clock: Clock, listener: BusListener) {
    this.#port = port
    this.#channel = channel
    this.#trustMs = trustMs
    this.#clock = clock
    this.#listener = listener
  }

  get channel(): string {
    return this.#channel
  }

  get isJoined(): boolean {
    return this.#subscription !== undefined
  }

  /** Until when, on the monotonic clock, the subscription is trusted without another heartbeat. */
  get trustedUntilMs(): number {
    return this.isJoined ? this.#completeUntilMs + this.#trustMs : Number.NEGATIVE_INFINITY
  }

  /** Subscribes, and subscribes again whenever the subscription is lost. */
  join(): void {
    if (this.#isWanted) return
    this.#isWanted = true
    this.#subscribe()
  }

  async leave(): Promise<void> {
    this.#isWanted = false
    clearTimeout(this.#rejoinTimer)
    const subscription = this.#subscription
    this.#subscription = undefined
    await subscription?.close()
  }

  /** A numbered message. It must be published, with or without its keys: a missing number counts as a lost message. */
  message(storedKeys: readonly string[]): BusMessage {
    return { number: ++this.#lastNumber, storedKeys }
  }

  /** The form in which a message is published. */
  encode({ number, storedKeys }: BusMessage): string {
    return JSON.stringify([this.#id, number, storedKeys])
  }

  /** Publishes a message on its own, which may be one that a script has published already. */
  async publish(message: BusMessage): Promise<void> {
    await this.#port.send(this.#channel, ['PUBLISH', this.#channel, this.encode(message)], 'text')
  }

  /** Publishes a heartbeat, and checks whether a message of another publisher is missing. */
  heartbeat(): void {
    if (!this.isJoined) return
    this.#detectLosses()
    const message = this.message([])
    const sentAtMs = this.#heartbeatsSentAtMs
    sentAtMs.set(message.number, this.#clock.monotonicMs())
    if (sentAtMs.size > MAX_HEARTBEATS) sentAtMs.delete(sentAtMs.keys().next().value as number)
    this.publish(message).catch(() => {})
  }

  #subscribe(): void {
    const joinedAtMs = this.#clock.monotonicMs()
    const listener = {
      message: (text: string) => this.#receive(text),
      lost: (reason: string) => this.#lost(reason),
    }
    this.#port.subscribe(this.#channel, listener).then(
      (subscription) => {
        if (!this.#isWanted) {
          subscription.close().catch(() => {})
          return
        }
        this.#subscription = subscription
        this.#publishers.clear()
        this.#completeUntilMs = joinedAtMs
        this.#listener.joined()
        this.heartbeat()
      },
      () => this.#rejoinLater(),
    )
  }

  #lost(reason: string): void {
    this.#subscription = undefined
    this.#listener.lost(reason)
    this.#rejoinLater()
  }

  #rejoinLater(): void {
    if (!this.#isWanted) return
    clearTimeout(this.#rejoinTimer)
    this.#rejoinTimer = setTimeout(() => this.#subscribe(), REJOIN_MS).unref()
  }

  #receive(text: string): void {
    const message = parseMessage(text)
    if (message === undefined) return
    const [id, number, storedKeys] = message
    if (id === this.#id) {
      const sentAtMs = this.#heartbeatsSentAtMs.get(number) ?? Number.NEGATIVE_INFINITY
      this.#completeUntilMs = Math.max(this.#completeUntilMs, sentAtMs)
      this.#heartbeatsSentAtMs.delete(number)
      return
    }
    this.#recordNumber(id, number)
    if (storedKeys.length > 0) this.#listener.changed(storedKeys)
  }

  #recordNumber(id: string, number: number): void {
    const nowMs = this.#clock.monotonicMs()
    const publisher = this.#publishers.get(id) ?? {
      next: number,
      early: new Set<number>(),
      gapSinceMs: undefined,
      lastMessageAtMs: nowMs,
    }
    this.#publishers.set(id, publisher)
    publisher.lastMessageAtMs = nowMs
    if (number >= publisher.next) publisher.early.add(number)
    while (publisher.early.delete(publisher.next)) publisher.next++
    publisher.gapSinceMs = publisher.early.size === 0 ? undefined : (publisher.gapSinceMs ?? nowMs)
  }

  /**
   * On a cluster, messages of one publisher may overtake one another. So a missing one counts as lost only after half
   * of the trust.
   */
  #detectLosses(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const [id, publisher] of this.#publishers) {
      const { gapSinceMs, lastMessageAtMs } = publisher
      if (gapSinceMs !== undefined && nowMs - gapSinceMs > this.#trustMs / 2) {
        this.#publishers.delete(id)
        this.#listener.missed()
      } else if (nowMs - lastMessageAtMs > FORGOTTEN_AFTER * this.#trustMs) {
        this.#publishers.delete(id)
      }
    }
  }
}

type ReceivedMessage = readonly [id: string, number: number, storedKeys: readonly string[]]

/** @returns `undefined` for what other programs publish on the channel, which is ignored */
function parseMessage(text: string): ReceivedMessage | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    if (!Array.isArray(parsed) || parsed.length !== 3) return undefined
    const [id, number, storedKeys] = parsed
    const isMessage = typeof id === 'string' && Number.isSafeInteger(number) && Array.isArray(storedKeys)
    return isMessage && storedKeys.every((key) => typeof key === 'string') ? (parsed as never) : undefined
  } catch {
    return undefined
  }
}
