import { detailOf, unavailable } from '../port/redis-errors.ts'
import type { ChannelListener, ChannelSubscription } from '../port/redis-port.ts'

/** The part of an unconnected client of `@redis/client` that a subscription uses. */
export interface NodeRedisSubscriber {
  on(event: 'error' | 'end' | 'reconnecting', listener: (error?: unknown) => void): unknown
  connect(): Promise<unknown>
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  destroy(): void
}

/**
 * Connects `client` and subscribes it to a channel (`SUBSCRIBE`). The subscription ends at the first event after which
 * a message may have been missed; the client does not reconnect.
 */
export async function subscribeWith(
  client: NodeRedisSubscriber,
  channel: string,
  listener: ChannelListener,
): Promise<ChannelSubscription> {
  let isOpen = false
  const end = () => {
    isOpen = false
    try {
      client.destroy()
    } catch {
      // The client was closed already.
    }
  }
  const lost = (error?: unknown) => {
    if (!isOpen) return
    end()
    listener.lost(error === undefined ? 'ended' : detailOf(error))
  }
  for (const event of ['error', 'end', 'reconnecting'] as const) client.on(event, lost)
  try {
    await client.connect()
    isOpen = true
    await client.subscribe(channel, (message) => {
      if (isOpen) listener.message(message)
    })
    if (!isOpen) throw unavailable('lost while subscribing')
  } catch (error) {
    end()
    throw error
  }
  return { close: async () => end() }
}
