import { CacheError } from '../../foundation/errors/cache-error.ts'
import { Deadlines, type DeadlineWatch } from '../../foundation/time/deadlines.ts'
import { disconnected, isReply } from './redis-errors.ts'
import type {
  BatchingPort,
  ChannelListener,
  ChannelSubscription,
  PortConnection,
  PortWatch,
  RedisArgument,
  RedisNode,
  RedisPort,
  RedisReply,
  ReplyForm,
} from './redis-port.ts'
import { isReplyTo } from './reply-shape.ts'

/** A command that waits for its reply. */
interface SentCommand {
  readonly command: readonly RedisArgument[]
  readonly epoch: number
  /** The key whose owner received the command, or the node that did. */
  readonly to: string | RedisNode
}

/**
 * A port that puts a deadline on every command of another port, so that each call settles whatever Redis, the
 * network or the client does. A command that repeats one which was not executed shares its deadline.
 *
 * It also checks that each reply has a shape that its command can have, translates errors, and has a connection left whose
 * server refuses a write as a replica. All of that happens only here. And it sends a batch that waits before any other
 * command.
 */
export class DeadlinePort implements BatchingPort {
  readonly #port: RedisPort
  readonly #deadlines: Deadlines
  readonly #connectDeadlines: Deadlines
  /** Counts protocol desyncs. Replies to commands that were sent before the last one are rejected. */
  #epoch = 0
  readonly #connections = new WeakMap<PortConnection, PortConnection>()
  #beforeNext: (() => void) | undefined

  /** @param holdsProcess whether commands in flight keep the process alive, since their sockets do not */
  constructor(port: RedisPort, timeoutMs: number, connectTimeoutMs: number, holdsProcess = false) {
    this.#port = port
    this.#deadlines = new Deadlines(timeoutMs, holdsProcess, true)
    this.#connectDeadlines = new Deadlines(connectTimeoutMs, holdsProcess)
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
      this.#port.drop()
      throw this.#port.translate(error)
    }
  }

  beforeNext(callback: () => void): void {
    this.#beforeNext = callback
  }

  async close(): Promise<void> {
    this.#sendBatch()
    const closed = this.#deadlines.guard(this.#port.close(), undefined, {
      expired: () => timeout('close', this.#deadlines.timeoutMs),
    })
    await closed.catch(() => this.#port.drop())
    // A caller's client still has the commands that were sent on it.
    await this.#deadlines.idle()
    this.#deadlines.wane()
  }

  drop(): void {
    this.#port.drop()
  }

  suspect(storedKey: string): void {
    this.#port.suspect(storedKey)
  }

  send(
    storedKey: string,
    command: readonly RedisArgument[],
    form: ReplyForm,
    sinceMs?: number,
  ): Promise<RedisReply> {
    this.#sendBatch()
    return this.#guard(this.#port.send(storedKey, command, form, sinceMs), command, storedKey, sinceMs)
  }

  async masters(): Promise<readonly RedisNode[]> {
    this.#sendBatch()
    const masters = await this.#deadlines.guard(this.#port.masters(), undefined, {
      expired: () => timeout('connect', this.#deadlines.timeoutMs),
      rejected: (error) => this.#port.translate(error),
    })
    return masters.map((master) => ({
      send: (command, form, sinceMs) =>
        this.#guard(master.send(command, form, sinceMs), command, master, sinceMs),
      suspect: () => master.suspect(),
    }))
  }

  watch(watch: PortWatch | undefined): void {
    if (watch === undefined) {
      this.#port.watch(undefined)
      return
    }
    this.#port.watch({
      wantsTracking: watch.wantsTracking,
      trustMs: watch.trustMs,
      opened: (connection) => watch.opened(this.#guarded(connection)),
      closed: (connection, reason) => watch.closed(this.#guarded(connection), reason),
      invalidated: (storedKey) => watch.invalidated(storedKey),
      rerouted: () => watch.rerouted(),
    })
  }

  connectionOf(storedKey: string): PortConnection | undefined {
    const connection = this.#port.connectionOf(storedKey)
    return connection && this.#guarded(connection)
  }

  nodeOf(slot: number): string | undefined {
    return this.#port.nodeOf(slot)
  }

  subscribe(channel: string, listener: ChannelListener): Promise<ChannelSubscription> {
    const giveUp = new AbortController()
    const subscribing = this.#port.subscribe(channel, listener, giveUp.signal)
    return this.#connectDeadlines.guard(subscribing, undefined, {
      expired: () => {
        giveUp.abort()
        return timeout('subscribe', this.#connectDeadlines.timeoutMs)
      },
      rejected: (error) => this.#port.translate(error),
    })
  }

  translate(error: unknown): CacheError {
    return this.#port.translate(error)
  }

  desynchronized(): void {
    this.#epoch++
    this.#port.desynchronized()
  }

  #sendBatch(): void {
    const send = this.#beforeNext
    if (send === undefined) return
    this.#beforeNext = undefined
    send()
  }

  /** Returns the same wrapper for the same connection: callers compare connections by identity. */
  #guarded(connection: PortConnection): PortConnection {
    let guarded = this.#connections.get(connection)
    if (guarded === undefined) {
      const { endpoint, isTracked, replicationId, runId, version } = connection
      guarded = {
        ...{ endpoint, isTracked, replicationId, runId, version },
        send: (command, form) => this.#guard(connection.send(command, form), command, connection),
        suspect: () => connection.suspect(),
        demoted: () => connection.demoted(),
        unconfirmedMs: () => connection.unconfirmedMs(),
      }
      this.#connections.set(connection, guarded)
    }
    return guarded
  }

  #guard<Result>(
    work: Promise<Result>,
    command: readonly RedisArgument[],
    to: string | RedisNode,
    sinceMs?: number,
  ): Promise<Result> {
    const deadlines = sinceMs === undefined ? this.#deadlines : this.#deadlines.leftSince(sinceMs)
    return deadlines.guard(work, { command, epoch: this.#epoch, to }, this.#watch)
  }

  readonly #watch: DeadlineWatch<SentCommand> = {
    resolved: ({ command, epoch }, reply) => {
      if (epoch === this.#epoch && isReplyTo(command, reply as RedisReply)) return undefined
      if (epoch === this.#epoch) this.desynchronized()
      return disconnected('its replies came out of step')
    },
    rejected: (error, { to }) => {
      const translated = this.#port.translate(error)
      if (typeof to === 'string' && isReply(translated, 'READONLY')) this.#port.connectionOf(to)?.demoted()
      return translated
    },
    expired: ({ command, to }) => {
      if (typeof to === 'string') this.#port.suspect(to)
      else to.suspect()
      return timeout(String(command[0]), this.#deadlines.timeoutMs)
    },
  }
}

function timeout(what: string, timeoutMs: number): CacheError {
  return new CacheError('CACHE_TIMEOUT', `No reply from Redis to ${what} within ${timeoutMs} ms`)
}
