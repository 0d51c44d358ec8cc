import { CacheError } from '../foundation/cache-error.ts'
import { Deadlines, type DeadlineWatch } from '../foundation/deadlines.ts'
import { disconnected } from './redis-errors.ts'
import type { RedisArgument, RedisNode, RedisPort, RedisReply, ReplyForm } from './redis-port.ts'
import { isReplyTo } from './reply-shape.ts'

/** How many deadlines long Redis may be silent, with commands waiting, before the connection is given up. */
const SILENCE_DEADLINES = 5

/** A command on its way. */
interface Sent {
  readonly command: readonly RedisArgument[]
  readonly epoch: number
}

/**
 * Any port, with a deadline over every command: whatever Redis, the network or the client does, the call
 * settles. Where commands time out and nothing at all is heard for a while (a half-open connection, which TCP
 * itself notices after a quarter of an hour), the connection is dropped and dialled anew.
 */
export class DeadlinePort implements RedisPort {
  readonly #port: RedisPort
  readonly #deadlines: Deadlines
  readonly #connectDeadlines: Deadlines
  #silentSinceMs: number | undefined
  /** Counts the times that replies have come out of step; what was sent before the last is not believed. */
  #epoch = 0

  constructor(port: RedisPort, timeoutMs: number, connectTimeoutMs: number) {
    this.#port = port
    this.#deadlines = new Deadlines(timeoutMs)
    this.#connectDeadlines = new Deadlines(connectTimeoutMs)
  }

  get isCluster(): boolean {
    return this.#port.isCluster
  }

  async connect(): Promise<void> {
    try {
      await this.#connectDeadlines.guard(this.#port.connect(), undefined, {
        expired: () => timeout('connect', this.#connectDeadlines.timeoutMs),
      })
    } catch (error) {
      this.#port.drop(false)
      throw this.#port.translate(error)
    }
  }

  async close(): Promise<void> {
    const closed = this.#deadlines.guard(this.#port.close(), undefined, {
      expired: () => timeout('close', this.#deadlines.timeoutMs),
    })
    await closed.catch(() => this.#port.drop(false))
  }

  drop(redial: boolean): void {
    this.#port.drop(redial)
  }

  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    return this.#guard(this.#port.send(storedKey, command, form), command)
  }

  async masters(): Promise<readonly RedisNode[]> {
    const masters = await this.#guard(this.#port.masters(), ['masters'])
    return masters.map((master) => ({
      send: (command, form) => this.#guard(master.send(command, form), command),
    }))
  }

  translate(error: unknown): CacheError {
    return this.#port.translate(error)
  }

  outOfStep(): void {
    this.#epoch++
    this.#port.outOfStep()
  }

  #guard<Result>(work: Promise<Result>, command: readonly RedisArgument[]): Promise<Result> {
    return this.#deadlines.guard(work, { command, epoch: this.#epoch }, this.#watch)
  }

  readonly #watch: DeadlineWatch<Sent> = {
    resolved: ({ command, epoch }, reply) => {
      this.#silentSinceMs = undefined
      if (epoch === this.#epoch && isReplyTo(command, reply as RedisReply)) return undefined
      if (epoch === this.#epoch) this.outOfStep()
      return disconnected('its replies came out of step')
    },
    /** An error reply is a sign of life as well; a failure of the client is none. */
    rejected: (error) => {
      const failure = this.#port.translate(error)
      if (failure.replyCode !== undefined) this.#silentSinceMs = undefined
      return failure
    },
    expired: ({ command }) => this.#expired(String(command[0])),
  }

  #expired(commandName: string): CacheError {
    const { timeoutMs } = this.#deadlines
    const nowMs = performance.now()
    this.#silentSinceMs ??= nowMs - timeoutMs
    if (nowMs - this.#silentSinceMs >= SILENCE_DEADLINES * timeoutMs) {
      this.#silentSinceMs = undefined
      this.#port.drop(true)
    }
    return timeout(commandName, timeoutMs)
  }
}

function timeout(what: string, timeoutMs: number): CacheError {
  return new CacheError('CACHE_TIMEOUT', `No reply from Redis to ${what} within ${timeoutMs} ms`)
}
