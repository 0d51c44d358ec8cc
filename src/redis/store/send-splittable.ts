import { isReply } from '../port/redis-errors.ts'
import type { RedisPort, RedisReply, ReplyForm } from '../port/redis-port.ts'

/**
 * One command over several keys of the same slot. While that slot moves from one node to another, Redis
 * answers TRYAGAIN to it, since the keys lie on both: then each key is asked for by itself, which the client
 * redirects to where it is. Replies are combined by the caller.
 */
export async function sendSplittable(
  port: RedisPort,
  commandName: string,
  storedKeys: readonly string[],
  form: ReplyForm,
): Promise<readonly RedisReply[]> {
  const [first] = storedKeys
  if (first === undefined) return []
  try {
    return [await port.send(first, [commandName, ...storedKeys], form)]
  } catch (error) {
    if (storedKeys.length === 1 || !isReply(error, 'TRYAGAIN')) throw error
    return Promise.all(storedKeys.map((storedKey) => port.send(storedKey, [commandName, storedKey], form)))
  }
}
