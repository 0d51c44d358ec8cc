import { detailOf, unavailable } from '../port/redis-errors.ts'
import type { ChannelListener, ChannelSubscription } from '../port/redis-port.ts'
import type { IoredisConnection } from './client.ts'
import { OWN_OPTIONS } from './own-connection.ts'

/**
 * Subscribes to a channel (`SUBSCRIBE`) on a new connection with the options of `origin`. The subscription ends at the
 * first event after which a message may have been missed; the connection does not reconnect.
 */
export async function subscribeLike(
  origin: IoredisConnection,
  channel: string,
  listener: ChannelListener,
): Promise<ChannelSubscription> {
  const connection = origin.duplicate({ ...OWN_OPTIONS, retryStrategy: null })
  let isOpen = true
  let isListening = false
  let failure: unknown
  const end = () => {
    isOpen = false
    connection.disconnect()
  }
  connection.on('error', (error) => {
    failure ??= error
  })
  connection.on('close', () => {
    if (!isOpen) return
    end()
    if (isListening) listener.lost(failure === undefined ? 'ended' : detailOf(failure))
  })
  connection.on('message', (_channel: unknown, text: unknown) => {
    if (isOpen) listener.message(String(text))
  })
  try {
    await connection.connect()
    await connection.call('subscribe', [channel])
  } catch (error) {
    end()
    throw failure ?? error
  }
  if (!isOpen) throw unavailable('lost while subscribing')
  isListening = true
  return { close: async () => end() }
}
