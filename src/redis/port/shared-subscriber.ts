import { unavailable } from './redis-errors.ts'
import type { ChannelListener, ChannelSubscription } from './redis-port.ts'

/** A connection that receives the messages of pub/sub channels. It does not reconnect. */
export interface Subscriber {
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  /** Closes the connection at once. Does not call `lost`. */
  close(): void
}

/** Receives what happens on a {@link Subscriber}. */
export interface SubscriberEvents {
  message(channel: string, text: string): void
  /** Called at the first event after which a message may have been missed. Nothing is called after it. */
  lost(reason: string): void
}

/** Connects; if it rejects, or the signal aborts before, it leaves no connection behind. */
type OpenSubscriber = (events: SubscriberEvents, signal: AbortSignal) => Promise<Subscriber>

/** The subscriptions of one connection. */
class Session {
  readonly #listeners = new Map<string, Set<ChannelListener>>()
  readonly #onEnd: () => void
  readonly #ending = new AbortController()
  #subscriber: Promise<Subscriber> | undefined
  #isOver = false

  constructor(open: OpenSubscriber, onEnd: () => void) {
    this.#onEnd = onEnd
    const events: SubscriberEvents = {
      message: (channel, text) => {
        for (const listener of this.#listeners.get(channel) ?? []) listener.message(text)
      },
      lost: (reason) => {
        const listeners = [...this.#listeners.values()].flatMap((all) => [...all])
        this.#end()
        for (const listener of listeners) listener.lost(reason)
      },
    }
    this.#subscriber = open(events, this.#ending.signal)
  }

  async subscribe(channel: string, listener: ChannelListener): Promise<ChannelSubscription> {
    // A listener is told of the loss only once its subscription has been made.
    const pending: ChannelListener = { message: (text) => listener.message(text), lost: () => {} }
    this.#add(channel, pending)
    try {
      await unlessAborted(listener.signal, this.#subscribed(channel))
      if (this.#isOver) throw unavailable('lost while subscribing')
    } catch (error) {
      this.#remove(channel, pending)
      throw error
    }
    pending.lost = (reason) => listener.lost(reason)
    return { close: async () => this.#remove(channel, pending) }
  }

  async #subscribed(channel: string): Promise<void> {
    await (await this.#subscriber)?.subscribe(channel)
  }

  #add(channel: string, listener: ChannelListener): void {
    const listeners = this.#listeners.get(channel) ?? new Set()
    this.#listeners.set(channel, listeners.add(listener))
  }

  #remove(channel: string, listener: ChannelListener): void {
    const listeners = this.#listeners.get(channel)
    if (!listeners?.delete(listener) || listeners.size > 0) return
    this.#listeners.delete(channel)
    const subscriber = this.#subscriber
    if (this.#listeners.size === 0) this.#end()
    else subscriber?.then((open) => open.unsubscribe(channel)).catch(() => {})
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#listeners.clear()
    this.#onEnd()
    this.#ending.abort()
    this.#subscriber?.then((open) => open.close()).catch(() => {})
    this.#subscriber = undefined
  }
}

/** One connection for all channels that are subscribed to at the same time. */
export class SharedSubscriber {
  readonly #open: OpenSubscriber
  #session: Session | undefined

  constructor(open: OpenSubscriber) {
    this.#open = open
  }

  /** As `RedisPort.subscribe`. The first subscription connects, and the end of the last one closes. */
  subscribe(channel: string, listener: ChannelListener): Promise<ChannelSubscription> {
    if (this.#session === undefined) {
      const session: Session = new Session(this.#open, () => {
        if (this.#session === session) this.#session = undefined
      })
      this.#session = session
    }
    return this.#session.subscribe(channel, listener)
  }
}

/** Settles as `work` does, or rejects as soon as the signal aborts. */
function unlessAborted<Result>(signal: AbortSignal | undefined, work: Promise<Result>): Promise<Result> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const abort = () => reject(unavailable('closed while subscribing'))
    signal.addEventListener('abort', abort)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
