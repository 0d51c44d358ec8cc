import { systemMs } from '../../foundation/time/timers.ts'
import { isReply } from '../port/redis-errors.ts'

/**
 * Whether a command over several keys of one slot must be sent again key by key.
 *
 * While a slot moves from one node to another, its keys are on both, and Redis answers TRYAGAIN to a command that
 * names several of them. It has not executed that command. A command over one key is redirected to where the key is.
 */
export function mustSplit(error: unknown, keyCount: number): boolean {
  return keyCount > 1 && isReply(error, 'TRYAGAIN')
}

/**
 * As {@link mustSplit}, also if the user may not use one of the keys: that must not fail what is asked of the others.
 * Redis has not executed the command then either.
 */
export function mustSplitKeys(error: unknown, keyCount: number): boolean {
  return mustSplit(error, keyCount) || (keyCount > 1 && isReply(error, 'NOPERM'))
}

/**
 * Sends one command over keys of one slot, and one command for each key while their slot moves, within one deadline.
 * @param send sends one command over the keys it is given; `sinceMs` as for `RedisPort.send`
 * @returns the replies, which the caller combines: one for all keys, or one for each
 */
export async function sendSplittable<Key, Reply>(
  keys: readonly Key[],
  send: (keys: readonly Key[], sinceMs?: number) => Promise<Reply>,
): Promise<readonly Reply[]> {
  const beganMs = systemMs()
  try {
    return [await send(keys)]
  } catch (error) {
    if (!mustSplit(error, keys.length)) throw error
    return Promise.all(keys.map((key) => send([key], beganMs)))
  }
}
