import { detailOf } from '../port/redis-errors.ts'
import type { Subscriber, SubscriberEvents } from '../port/shared-subscriber.ts'
import type { IoredisConnection } from './client.ts'
import { ownDuplicate } from './own-duplicate.ts'

/** Opens a connection for subscriptions (`SUBSCRIBE`), with the options of `origin`. */
export async function openSubscriber(
  origin: IoredisConnection,
  events: SubscriberEvents,
  signal: AbortSignal,
): Promise<Subscriber> {
  const connection = ownDuplicate(origin)
  let isOpen = false
  let failure: unknown
  const close = () => {
    isOpen = false
    connection.disconnect()
  }
  connection.on('error', (error) => {
    failure ??= error
  })
  connection.on('close', () => {
    if (!isOpen) return
    close()
    events.lost(failure === undefined ? 'ended' : detailOf(failure))
  })
  connection.on('message', (channel: unknown, text: unknown) => {
    if (isOpen) events.message(String(channel), String(text))
  })
  signal.addEventListener('abort', close)
  try {
    signal.throwIfAborted()
    await connection.connect()
    signal.throwIfAborted()
  } catch (error) {
    close()
    throw failure ?? error
  }
  isOpen = true
  return {
    subscribe: (channel) => connection.call('subscribe', [channel]),
    unsubscribe: (channel) => connection.call('unsubscribe', [channel]),
  }
}
