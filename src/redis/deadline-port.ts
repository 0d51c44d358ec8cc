import { CacheError } from '../foundation/cache-error.ts'
import { Deadlines, type DeadlineWatch } from '../foundation/deadlines.ts'
import type { RedisArgument, RedisNode, RedisPort, RedisReply, ReplyForm } from './redis-port.ts'

/** How many deadlines long Redis may be silent, with commands waiting, before the connection is given up. */
const SILENCE_DEADLINES = 5

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

  #guard<Result>(work: Promise<Result>, command: readonly RedisArgument[]): Promise<Result> {
    return this.#deadlines.guard(work, command, this.#watch)
  }

  readonly #watch: DeadlineWatch<readonly RedisArgument[]> = {
    resolved: () => {
      this.#silentSinceMs = undefined
    },
    /** An error reply is a sign of life as well; a failure of the client is none. */
    rejected: (error) => {
      const failure = this.#port.translate(error)
      if (failure.replyCode !== undefined) this.#silentSinceMs = undefined
      return failure
    },
    expired: ([commandName]) => this.#expired(String(commandName)),
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
