import { randomBytes } from 'node:crypto'
import { busChannel } from '../../foundation/reserved-keys.ts'
import type { Clock } from '../../foundation/time/clock.ts'
import { clearTimeout, setTimeout } from '../../foundation/time/timers.ts'
import type { ChannelSubscription, RedisPort } from '../port/redis-port.ts'
import { encodeMessage, parseMessage } from './bus-message.ts'
import { Publishers } from './publishers.ts'

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

/** Pause before a lost subscription is made again. */
const REJOIN_MS = 250
/** After this many times the trust without an own heartbeat, the connection of the subscription is taken for dead. */
const SILENT_TRUSTS = 2
/** Pause before a subscription is made again that was given up. */
const GIVEN_UP_MS = 30_000
/** The most times that messages may have been missed, within this many times the trust. */
const MOST_DOUBTS = 10
const DOUBTS_WITHIN = 20
/** The most that is looked at in a second: characters, where a message and a key count as 32 more. */
const MOST_CONTENT = 16_777_216
const CONTENT_WITHIN_MS = 1_000
const ITEM_CONTENT = 32
/** Most own heartbeats whose time is remembered. */
const MAX_HEARTBEATS = 100

/**
 * A pub/sub channel on which processes tell one another which keys they changed. It is used if Redis cannot track the
 * keys that were read.
 *
 * A write and its PUBLISH share one script, write first, so a process that receives the message reads the new value.
 * Publishers number their messages, so a missing number means a lost message. Each process also publishes heartbeats
 * and receives its own: one that arrives proves that everything published before it has arrived.
 *
 * Whoever may publish on the channel can forge messages. They can make this process drop local copies, and no more: a
 * number that comes twice, a message that is too long to look at, and a missing number all mean that a change may have
 * been missed. That is reported at most once between two heartbeats. If it happens again and again, if more publishers
 * and early numbers come than there is room for, or more messages than can be looked at without holding up the process,
 * the subscription is given up for half a minute: local copies then live for their short time without messages (mode
 * `'ttl'`). Keys outside the prefix are ignored.
 */
export class InvalidationBus {
  readonly channel: string
  readonly #port: RedisPort
  readonly #prefix: string
  readonly #trustMs: number
  readonly #clock: Clock
  readonly #listener: BusListener
  /** Names this publisher. */
  readonly #id: string = randomBytes(9).toString('base64url')
  readonly #publishers: Publishers
  /** When each own heartbeat that has not arrived yet was sent, by its number. */
  readonly #heartbeatsSentAtMs = new Map<number, number>()
  /** The number of the last own message. */
  #lastNumber = 0
  #subscription: ChannelSubscription | undefined
  #rejoinTimer: NodeJS.Timeout | undefined
  #isWanted = false
  /** Ends a subscription that is being made. */
  #leaving = new AbortController()
  /** Everything that was published before this moment has arrived. */
  #completeUntilMs = Number.NEGATIVE_INFINITY
  /** Whether an own message has arrived on the present subscription. */
  #hasHeard = false
  /** When messages were last reported to be missing. */
  #missedAtMs = Number.NEGATIVE_INFINITY
  /** Whether messages may have been missed since then. */
  #isDoubtful = false
  #doubts = 0
  #countingSinceMs = Number.NEGATIVE_INFINITY
  /** What has been looked at since that moment. */
  #content = 0
  #contentSinceMs = Number.NEGATIVE_INFINITY

  /** @param prefix the prefix of all keys of the cache, which also names its channel */
  constructor(port: RedisPort, prefix: string, trustMs: number, clock: Clock, listener: BusListener) {
    this.channel = busChannel(prefix)
    this.#port = port
    this.#prefix = prefix
    this.#trustMs = trustMs
    this.#publishers = new Publishers(trustMs)
    this.#clock = clock
    this.#listener = listener
  }

  /** How much is remembered of what was received; bounded, whoever publishes. */
  get size(): number {
    return this.#publishers.size
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
    this.#leaving = new AbortController()
    this.#subscribe()
  }

  async leave(): Promise<void> {
    this.#isWanted = false
    this.#leaving.abort()
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
    return encodeMessage(this.#id, number, storedKeys)
  }

  /** Publishes a message on its own, which may be one that a script has published already. */
  async publish(message: BusMessage): Promise<void> {
    await this.#port.send(this.channel, ['PUBLISH', this.channel, this.encode(message)], 'text')
  }

  /** Publishes a heartbeat, and checks whether those of before have arrived, and all messages of other publishers. */
  heartbeat(): void {
    if (!this.isJoined) return
    if (this.#isSilent()) {
      const subscription = this.#subscription
      this.#lost('silent', this.#hasHeard ? REJOIN_MS : GIVEN_UP_MS)
      subscription?.abandon('silent')
      return
    }
    if (this.#publishers.haveLost(this.#clock.monotonicMs()) || this.#isDoubtful) this.#doubt()
    if (!this.isJoined) return
    const message = this.message([])
    const sentAtMs = this.#heartbeatsSentAtMs
    sentAtMs.set(message.number, this.#clock.monotonicMs())
    if (sentAtMs.size > MAX_HEARTBEATS) sentAtMs.delete(sentAtMs.keys().next().value as number)
    this.publish(message).catch(() => {})
  }

  /**
   * Whether messages have stopped to arrive: the connection may be half-open, or lead to a node that is gone. While Redis
   * itself is away nothing arrives either; then a new subscription is as good as the present one.
   */
  #isSilent(): boolean {
    return this.#clock.monotonicMs() - this.#completeUntilMs > SILENT_TRUSTS * this.#trustMs
  }

  #subscribe(): void {
    const joinedAtMs = this.#clock.monotonicMs()
    const listener = {
      message: (text: string) => this.#receive(text),
      lost: (reason: string) => {
        if (this.isJoined) this.#lost(reason)
      },
      signal: this.#leaving.signal,
    }
    this.#port.subscribe(this.channel, listener).then(
      (subscription) => {
        if (!this.#isWanted) {
          subscription.close().catch(() => {})
          return
        }
        this.#subscription = subscription
        this.#publishers.clear()
        this.#completeUntilMs = joinedAtMs
        this.#hasHeard = false
        this.#listener.joined()
        this.heartbeat()
      },
      () => this.#rejoinLater(),
    )
  }

  #lost(reason: string, pauseMs = REJOIN_MS): void {
    this.#subscription = undefined
    this.#listener.lost(reason)
    this.#rejoinLater(pauseMs)
  }

  #rejoinLater(pauseMs = REJOIN_MS): void {
    if (!this.#isWanted) return
    clearTimeout(this.#rejoinTimer)
    this.#rejoinTimer = setTimeout(() => this.#subscribe(), pauseMs).unref()
  }

  #receive(text: string): void {
    if (this.#isFlooded(text.length + ITEM_CONTENT)) return
    const message = parseMessage(text)
    if (message === undefined) return
    if (message === 'oversized') {
      this.#doubt()
      return
    }
    const [id, number, storedKeys] = message
    if (id === this.#id) {
      this.#hasHeard = true
      const sentAtMs = this.#heartbeatsSentAtMs.get(number) ?? Number.NEGATIVE_INFINITY
      this.#completeUntilMs = Math.max(this.#completeUntilMs, sentAtMs)
      this.#heartbeatsSentAtMs.delete(number)
      return
    }
    if (this.#isFlooded(ITEM_CONTENT * storedKeys.length)) return
    const own = storedKeys.filter((storedKey) => storedKey.startsWith(this.#prefix))
    if (own.length > 0) this.#listener.changed(own)
    const numbered = this.#publishers.record(id, number, this.#clock.monotonicMs())
    if (numbered === 'repeated') this.#doubt()
    if (numbered === 'crowded') this.#giveUp('more publish on it than there is room for')
  }

  /** Counts what is about to be looked at; gives up if it is too much, so that no key needs to be looked at. */
  #isFlooded(content: number): boolean {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#contentSinceMs >= CONTENT_WITHIN_MS) {
      this.#contentSinceMs = nowMs
      this.#content = 0
    }
    this.#content += content
    if (this.#content <= MOST_CONTENT) return false
    this.#giveUp('more is published on it than can be looked at')
    return true
  }

  /** Messages may be missing. Reports it, at most once between two heartbeats; and gives up if that goes on. */
  #doubt(): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#missedAtMs < this.#trustMs / 3) {
      this.#isDoubtful = true
      return
    }
    this.#isDoubtful = false
    this.#missedAtMs = nowMs
    if (nowMs - this.#countingSinceMs > DOUBTS_WITHIN * this.#trustMs) {
      this.#countingSinceMs = nowMs
      this.#doubts = 0
    }
    if (++this.#doubts > MOST_DOUBTS) this.#giveUp('too many of its messages were missing or forged')
    else this.#listener.missed()
  }

  #giveUp(reason: string): void {
    const subscription = this.#subscription
    if (subscription === undefined) return
    this.#lost(reason, GIVEN_UP_MS)
    subscription.close().catch(() => {})
  }
}
