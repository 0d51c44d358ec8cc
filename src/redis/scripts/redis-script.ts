import { createHash } from 'node:crypto'
import { isReply } from '../port/redis-errors.ts'
import type { RedisArgument, RedisPort, RedisReply, ReplyForm } from '../port/redis-port.ts'

/** Sends a command to the node that is to run the script. */
type Send = (command: readonly RedisArgument[], form: ReplyForm) => Promise<RedisReply>

/** A Lua script, sent by its digest (`EVALSHA`), and in full (`EVAL`) if the server does not know it yet. */
export class RedisScript {
  readonly #source: string
  readonly #digest: string

  constructor(source: string) {
    this.#source = source
    this.#digest = createHash('sha1').update(source).digest('hex')
  }

  /** Runs the script over one key, at its owner. One round trip; two if the server does not know the script. */
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

  /** Runs the script over keys of one slot, at the node that `send` sends to. */
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
