import { randomBytes } from 'node:crypto'
import type { Clock } from '../../foundation/clock.ts'
import type { ChannelSubscription, RedisPort } from '../port/redis-port.ts'

/** What a {@link InvalidationBus} tells. */
export interface BusListener {
  /** Other processes have changed these keys. */
  changed(storedKeys: readonly string[]): void
  /** The channel delivers from now on. */
  joined(): void
  /** A message was missed; the channel goes on delivering. */
  missed(): void
  /** The channel delivers nothing any more, until it is joined again. */
  lost(reason: string): void
}

/** What is known of another publisher. */
interface Publisher {
  /** The number that its next message bears. */
  next: number
  /** Numbers beyond `next` that have arrived already. */
  readonly early: Set<number>
  /** Since when `next` has been awaited though later ones arrived. */
  gapSinceMs: number | undefined
  heardAtMs: number
}

/** Pause before a lost channel is joined again. */
const REJOIN_MS = 250
/** A publisher that says nothing for this many bounds is forgotten. */
const FORGOTTEN_AFTER = 20

/**
 * Where Redis cannot track what was read, the caches tell one another over pub/sub.
 *
 * A write and its PUBLISH share one script, write first, so that a reader who is told reads the new value.
 * Messages are numbered by their publisher: a number that stays away means a lost message. Each process beats on
 * the channel and hears its own beats: one that comes back proves that everything published before it has come.
 */
export class InvalidationBus {
  readonly #port: RedisPort
  readonly #channel: string
  readonly #trustMs: number
  readonly #clock: Clock
  readonly #listener: BusListener
  readonly #id: string = randomBytes(9).toString('base64url')
  readonly #publishers = new Map<string, Publisher>()
  /** When each of our beats that has not come back was sent. */
  readonly #beats = new Map<number, number>()
  #published = 0
  #subscription: ChannelSubscription | undefined
  #rejoinTimer: NodeJS.Timeout | undefined
  #isWanted = false
  #provenAtMs = Number.NEGATIVE_INFINITY

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

  /** Until when nothing can have been missed. */
  get trustedUntilMs(): number {
    return this.isJoined ? this.#provenAtMs + this.#trustMs : Number.NEGATIVE_INFINITY
  }

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

  /** The next message, to be published by the script that makes the change. */
  message(storedKeys: readonly string[]): string {
    return JSON.stringify([this.#id, ++this.#published, storedKeys])
  }

  /** Publishes a message again that may not have left: its number must not be missed by anybody. */
  async publish(message: string): Promise<void> {
    await this.#port.send(this.#channel, ['PUBLISH', this.#channel, message], 'text')
  }

  /** Sends a sign of life, and looks whether anything is missing. */
  beat(): void {
    if (!this.isJoined) return
    this.#lookForGaps()
    const message = this.message([])
    this.#beats.set(this.#published, this.#clock.monotonicMs())
    if (this.#beats.size > 100) this.#beats.delete(this.#beats.keys().next().value as number)
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
        this.#provenAtMs = joinedAtMs
        this.#listener.joined()
        this.beat()
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
      this.#provenAtMs = Math.max(this.#provenAtMs, this.#beats.get(number) ?? this.#provenAtMs)
      this.#beats.delete(number)
      return
    }
    this.#count(id, number)
    if (storedKeys.length > 0) this.#listener.changed(storedKeys)
  }

  #count(id: string, number: number): void {
    const nowMs = this.#clock.monotonicMs()
    const publisher = this.#publishers.get(id) ?? {
      next: number,
      early: new Set<number>(),
      gapSinceMs: undefined,
      heardAtMs: nowMs,
    }
    this.#publishers.set(id, publisher)
    publisher.heardAtMs = nowMs
    if (number >= publisher.next) publisher.early.add(number)
    while (publisher.early.delete(publisher.next)) publisher.next++
    publisher.gapSinceMs = publisher.early.size === 0 ? undefined : (publisher.gapSinceMs ?? nowMs)
  }

  /** On a cluster messages of one publisher may overtake one another; what stays away is lost. */
  #lookForGaps(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const [id, publisher] of this.#publishers) {
      const { gapSinceMs, heardAtMs } = publisher
      if (gapSinceMs !== undefined && nowMs - gapSinceMs > this.#trustMs / 2) {
        this.#publishers.delete(id)
        this.#listener.missed()
      } else if (nowMs - heardAtMs > FORGOTTEN_AFTER * this.#trustMs) {
        this.#publishers.delete(id)
      }
    }
  }
}

type Message = readonly [id: string, number: number, storedKeys: readonly string[]]

/** What others publish on the channel is none of ours, and ignored. */
function parseMessage(text: string): Message | undefined {
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
