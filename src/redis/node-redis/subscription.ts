import { detailOf } from '../port/redis-errors.ts'
import type { Subscriber, SubscriberEvents } from '../port/shared-subscriber.ts'

/** The part of an unconnected client of `@redis/client` that a subscription uses. */
export interface NodeRedisSubscriber {
  on(event: 'error' | 'end' | 'reconnecting', listener: (error?: unknown) => void): unknown
  connect(): Promise<unknown>
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  destroy(): void
}

/** Connects `client` for subscriptions (`SUBSCRIBE`). */
export async function openSubscriber(
  client: NodeRedisSubscriber,
  events: SubscriberEvents,
  signal: AbortSignal,
): Promise<Subscriber> {
  let isOpen = false
  const close = () => {
    isOpen = false
    try {
      client.destroy()
    } catch {
      // The client was closed already.
    }
  }
  const lost = (error?: unknown) => {
    if (!isOpen) return
    close()
    events.lost(error === undefined ? 'ended' : detailOf(error))
  }
  for (const event of ['error', 'end', 'reconnecting'] as const) client.on(event, lost)
  signal.addEventListener('abort', close)
  try {
    signal.throwIfAborted()
    await client.connect()
    signal.throwIfAborted()
  } catch (error) {
    close()
    throw error
  }
  isOpen = true
  return {
    subscribe: (channel) =>
      client.subscribe(channel, (message) => {
        if (isOpen) events.message(channel, message)
      }),
    unsubscribe: (channel) => client.unsubscribe(channel),
  }
}
