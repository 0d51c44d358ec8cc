import { BorrowedSessions } from '../port/borrowed-sessions.ts'
import type { PortConnection, PortWatch, RedisArgument, RedisReply, ReplyForm } from '../port/redis-port.ts'
import { callIoredis, type IoredisClient, type IoredisConnection, ioredisEndpoint } from './client.ts'

/** Chooses the connection of a caller's client on which a command is sent. */
export interface IoredisRoute {
  readonly isClosed: boolean
  /** Begins to follow the events of the connections. Idempotent. */
  attach(): void
  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply>
  /** A connection to each server that owns keys. */
  connections(): readonly IoredisConnection[]
  watch(watch: PortWatch | undefined): void
  connectionOf(storedKey: string): PortConnection | undefined
  /** Makes the client reconnect every connection. */
  reconnect(): void
  /** Closes what the route has opened, and removes its listeners. */
  close(): void
}

/** Opens and closes the sessions of one connection when its events say so. */
export class IoredisSessionEvents {
  readonly #connection: IoredisConnection
  readonly #onReady: () => void
  readonly #onClose: () => void

  constructor(connection: IoredisConnection, sessions: BorrowedSessions<IoredisConnection>) {
    this.#connection = connection
    this.#onReady = () => sessions.open(connection)
    this.#onClose = () => sessions.close(connection, 'closed')
    connection.on('ready', this.#onReady)
    connection.on('close', this.#onClose)
    if (connection.status === 'ready') sessions.open(connection)
  }

  detach(): void {
    this.#connection.off('ready', this.#onReady)
    this.#connection.off('close', this.#onClose)
  }
}

/** The sessions of `ioredis` connections. */
export function ioredisSessions(): BorrowedSessions<IoredisConnection> {
  return new BorrowedSessions<IoredisConnection>(callIoredis, ioredisEndpoint)
}

/** The route to a single server: the caller's connection, and a second one for scripts, which must not run twice. */
export class ClientRoute implements IoredisRoute {
  readonly #client: IoredisClient
  readonly #sessions: BorrowedSessions<IoredisConnection> = ioredisSessions()
  #sessionEvents: IoredisSessionEvents | undefined
  /** Does not resend: commands in flight fail when it is lost. Opened at its first use. */
  #scriptConnection: IoredisConnection | undefined

  constructor(client: IoredisClient) {
    this.#client = client
  }

  get isClosed(): boolean {
    return this.#client.status === 'end'
  }

  attach(): void {
    this.#sessionEvents ??= new IoredisSessionEvents(this.#client, this.#sessions)
  }

  send(_storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    const mayRunTwice = command[0] !== 'EVALSHA' && command[0] !== 'EVAL'
    if (mayRunTwice) return callIoredis(this.#client, command, form)
    this.#scriptConnection ??= this.#openScriptConnection()
    return callIoredis(this.#scriptConnection, command, form)
  }

  connections(): readonly IoredisConnection[] {
    return [this.#client]
  }

  watch(watch: PortWatch | undefined): void {
    this.#sessions.watch(watch)
  }

  connectionOf(): PortConnection | undefined {
    return this.#sessions.of(this.#client)
  }

  reconnect(): void {
    this.#client.disconnect(true)
    this.#closeScriptConnection()
  }

  close(): void {
    this.#sessionEvents?.detach()
    this.#sessionEvents = undefined
    this.#closeScriptConnection()
    this.#sessions.closeAll('closed')
  }

  #closeScriptConnection(): void {
    this.#scriptConnection?.disconnect()
    this.#scriptConnection = undefined
  }

  #openScriptConnection(): IoredisConnection {
    const connection = this.#client.duplicate({
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      lazyConnect: false,
    })
    connection.on('error', () => {})
    // A watch sees the two as one connection, so the loss of either ends the session.
    connection.on('close', () => {
      if (this.#sessionEvents !== undefined && this.#client.status === 'ready')
        this.#sessions.open(this.#client)
    })
    return connection
  }
}
