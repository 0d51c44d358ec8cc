import { createHash } from 'node:crypto'
import { isReply } from './redis-errors.ts'
import type { RedisArgument, RedisPort, RedisReply, ReplyForm } from './redis-port.ts'

/** A Lua script over one key: sent by its digest (EVALSHA), and in full where the server does not know it yet. */
export class RedisScript {
  readonly #source: string
  readonly #digest: string

  constructor(source: string) {
    this.#source = source
    this.#digest = createHash('sha1').update(source).digest('hex')
  }

  /** One round trip, two where the server has lost (or never seen) the script. */
  async run(
    port: RedisPort,
    storedKey: string,
    args: readonly RedisArgument[],
    form: ReplyForm,
  ): Promise<RedisReply> {
    try {
      return await port.send(storedKey, ['EVALSHA', this.#digest, '1', storedKey, ...args], form)
    } catch (error) {
      if (!isReply(error, 'NOSCRIPT')) throw error
      return port.send(storedKey, ['EVAL', this.#source, '1', storedKey, ...args], form)
    }
  }
}
