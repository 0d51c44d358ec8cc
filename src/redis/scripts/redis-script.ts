import { createHash } from 'node:crypto'
import { systemMs } from '../../foundation/time/timers.ts'
import { isReply } from '../port/redis-errors.ts'
import type {
  PortConnection,
  RedisArgument,
  RedisPort,
  RedisReply,
  ReplyForm,
  SendCommand,
} from '../port/redis-port.ts'
import { declareScript, type ReplyShape } from '../port/reply-shape.ts'

/**
 * A Lua script, sent in full (`EVAL`) the first time on each connection, and by its digest (`EVALSHA`) after that.
 *
 * A server that does not know the digest executes nothing, and the script has to be sent again: by then, later commands
 * over the same key have overtaken it. So the first command on a connection must not depend on what the server knows.
 * Only `SCRIPT FLUSH`, or a slot that moves, makes a server forget or lack a script that was sent on the connection.
 */
export class RedisScript {
  readonly #source: string
  readonly #digest: string
  /** Connections on which the script has been sent in full. */
  readonly #sentOn = new WeakSet<PortConnection>()

  /** @param shape the form of its reply; a reply of another form is refused, and the connection with it */
  constructor(source: string, shape: ReplyShape) {
    this.#source = source
    this.#digest = createHash('sha1').update(source).digest('hex')
    declareScript(source, this.#digest, shape)
  }

  /** Runs the script over one key, at its owner. One round trip. */
  run(
    port: RedisPort,
    storedKey: string,
    args: readonly RedisArgument[],
    form: ReplyForm,
  ): Promise<RedisReply> {
    return this.runOver(port, [storedKey], args, form)
  }

  /**
   * Runs the script over keys of one slot, of which there is at least one, at their owner. One round trip.
   * @param sinceMs as for {@link RedisPort.send}
   */
  runOver(
    port: RedisPort,
    storedKeys: readonly string[],
    args: readonly RedisArgument[],
    form: ReplyForm,
    sinceMs?: number,
  ): Promise<RedisReply> {
    const first = storedKeys[0] as string
    const send: SendCommand = (command, replyForm, beganMs) => port.send(first, command, replyForm, beganMs)
    const connection = port.connectionOf(first)
    if (connection === undefined || this.#sentOn.has(connection))
      return this.runWith(send, storedKeys, args, form, sinceMs)
    this.#sentOn.add(connection)
    return send(['EVAL', this.#source, ...operands(storedKeys, args)], form, sinceMs)
  }

  /**
   * Runs the script over keys of one slot, at the node that `send` sends to. One round trip; two if the server does not
   * know the script, within one deadline. Later commands may overtake the second.
   * @param sinceMs as for {@link RedisPort.send}
   */
  async runWith(
    send: SendCommand,
    storedKeys: readonly RedisArgument[],
    args: readonly RedisArgument[],
    form: ReplyForm,
    sinceMs?: number,
  ): Promise<RedisReply> {
    const words = operands(storedKeys, args)
    const beganMs = sinceMs ?? systemMs()
    try {
      return await send(['EVALSHA', this.#digest, ...words], form, sinceMs)
    } catch (error) {
      if (!isReply(error, 'NOSCRIPT')) throw error
      return send(['EVAL', this.#source, ...words], form, beganMs)
    }
  }
}

/** What follows a script or its digest: the number of keys, the keys, and the arguments. */
function operands(storedKeys: readonly RedisArgument[], args: readonly RedisArgument[]): RedisArgument[] {
  return [String(storedKeys.length), ...storedKeys, ...args]
}
