import { createHash } from 'node:crypto'
import { isReply } from '../port/redis-errors.ts'
import type { RedisArgument, RedisPort, RedisReply, ReplyForm } from '../port/redis-port.ts'

/** Sends a command to the owner of a key. */
type Send = (command: readonly RedisArgument[], form: ReplyForm) => Promise<RedisReply>

/** A Lua script: sent by its digest (EVALSHA), and in full where the server does not know it yet. */
export class RedisScript {
  readonly #source: string
  readonly #digest: string

  constructor(source: string) {
    this.#source = source
    this.#digest = createHash('sha1').update(source).digest('hex')
  }

  /** Over one key. One round trip, two where the server has lost (or never seen) the script. */
  run(
    port: RedisPort,
    storedKey: string,
    args: readonly RedisArgument[],
    form: ReplyForm,
  ): Promise<RedisReply> {
    return this.runWith(
      (command, replyForm) => port.send(storedKey, command, replyForm),
      [storedKey],
      args,
      form,
    )
  }

  /** Over keys of one slot, sent to whom `send` says. */
  async runWith(
    send: Send,
    storedKeys: readonly RedisArgument[],
    args: readonly RedisArgument[],
    form: ReplyForm,
  ): Promise<RedisReply> {
    const words = [String(storedKeys.length), ...storedKeys, ...args]
    try {
      return await send(['EVALSHA', this.#digest, ...words], form)
    } catch (error) {
      if (!isReply(error, 'NOSCRIPT')) throw error
      return send(['EVAL', this.#source, ...words], form)
    }
  }
}
