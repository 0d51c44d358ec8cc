import { unavailable } from './redis-errors.ts'
import type { ChannelListener, ChannelSubscription } from './redis-port.ts'

/** A connection that receives the messages of pub/sub channels. It does not reconnect. */
export interface Subscriber {
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
}

/** Receives what happens on a {@link Subscriber}. */
export interface SubscriberEvents {
  message(channel: string, text: string): void
  /** Called at the first event after which a message may have been missed. Nothing is called after it. */
  lost(reason: string): void
}

/**
 * Opens a connection. If it rejects, it leaves none behind.
 * @param signal gives the connection up, also while it is being opened
 */
export type OpenSubscriber = (events: SubscriberEvents, signal: AbortSignal) => Promise<Subscriber>

/** The subscriptions of one connection. */
class Session {
  readonly #listeners = new Map<string, Set<ChannelListener>>()
  readonly #onEnd: () => void
  readonly #end = new AbortController()
  readonly #subscriber: Promise<Subscriber>

  constructor(open: OpenSubscriber, onEnd: () => void) {
    this.#onEnd = onEnd
    const events: SubscriberEvents = {
      message: (channel, text) => {
        for (const listener of this.#listeners.get(channel) ?? []) listener.message(text)
      },
      lost: (reason) => this.#lose(reason),
    }
    this.#subscriber = open(events, this.#end.signal)
  }

  async subscribe(
    channel: string,
    listener: ChannelListener,
    signal?: AbortSignal,
  ): Promise<ChannelSubscription> {
    // A listener is told of the loss only once its subscription has been made.
    const pending: ChannelListener = { message: (text) => listener.message(text), lost: () => {} }
    this.#add(channel, pending)
    const giveUp = () => this.#lose('silent')
    signal?.addEventListener('abort', giveUp)
    try {
      await unlessAborted(listener.signal, this.#subscribed(channel))
      if (this.#end.signal.aborted) throw unavailable('lost while subscribing')
    } catch (error) {
      this.#remove(channel, pending)
      throw error
    } finally {
      signal?.removeEventListener('abort', giveUp)
    }
    pending.lost = (reason) => listener.lost(reason)
    return {
      close: async () => this.#remove(channel, pending),
      abandon: (reason) => this.#lose(reason),
    }
  }

  #lose(reason: string): void {
    const listeners = [...this.#listeners.values()].flatMap((all) => [...all])
    this.#close()
    for (const listener of listeners) listener.lost(reason)
  }

  async #subscribed(channel: string): Promise<void> {
    await (await this.#subscriber).subscribe(channel)
  }

  #add(channel: string, listener: ChannelListener): void {
    const listeners = this.#listeners.get(channel) ?? new Set()
    this.#listeners.set(channel, listeners.add(listener))
  }

  #remove(channel: string, listener: ChannelListener): void {
    const listeners = this.#listeners.get(channel)
    if (!listeners?.delete(listener) || listeners.size > 0) return
    this.#listeners.delete(channel)
    if (this.#listeners.size === 0) this.#close()
    else this.#subscriber.then((open) => open.unsubscribe(channel)).catch(() => {})
  }

  #close(): void {
    if (this.#end.signal.aborted) return
    this.#listeners.clear()
    this.#onEnd()
    this.#end.abort()
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
  subscribe(channel: string, listener: ChannelListener, signal?: AbortSignal): Promise<ChannelSubscription> {
    if (this.#session === undefined) {
      const session: Session = new Session(this.#open, () => {
        if (this.#session === session) this.#session = undefined
      })
      this.#session = session
    }
    return this.#session.subscribe(channel, listener, signal)
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
