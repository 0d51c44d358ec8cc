import { BorrowedSessions } from '../port/borrowed-sessions.ts'
import type { PortConnection, PortWatch, RedisArgument, RedisReply, ReplyForm } from '../port/redis-port.ts'
import { callIoredis, type IoredisClient, type IoredisConnection, ioredisEndpoint } from './client.ts'

/** The way of a command to the server that has to answer it. */
export interface IoredisRoute {
  readonly isClosed: boolean
  /** Begins to follow what becomes of the connections. Idempotent. */
  attach(): void
  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply>
  /** A connection to each server that owns keys. */
  connections(): readonly IoredisConnection[]
  watch(watch: PortWatch): void
  connectionOf(storedKey: string): PortConnection | undefined
  /** Has every connection dialled anew. */
  reconnect(): void
  /** Closes what the route has opened, and leaves no listener behind. */
  close(): void
}

/** Ends and begins the lives of one connection as its events tell. */
export class IoredisLife {
  readonly #connection: IoredisConnection
  readonly #onReady: () => void
  readonly #onClose: () => void

  constructor(connection: IoredisConnection, lives: BorrowedSessions<IoredisConnection>) {
    this.#connection = connection
    this.#onReady = () => lives.open(connection)
    this.#onClose = () => lives.close(connection, 'closed')
    connection.on('ready', this.#onReady)
    connection.on('close', this.#onClose)
    if (connection.status === 'ready') lives.open(connection)
  }

  detach(): void {
    this.#connection.off('ready', this.#onReady)
    this.#connection.off('close', this.#onClose)
  }
}

/** The lives of `ioredis` connections. */
export function ioredisLives(): BorrowedSessions<IoredisConnection> {
  return new BorrowedSessions<IoredisConnection>(callIoredis, ioredisEndpoint)
}

/** A single server: by the caller's connection, and one beside it for what must not be sent twice. */
export class ClientRoute implements IoredisRoute {
  readonly #client: IoredisClient
  readonly #lives: BorrowedSessions<IoredisConnection> = ioredisLives()
  #life: IoredisLife | undefined
  /** Opened with the first use; fails what is in flight when it is lost. */
  #once: IoredisConnection | undefined

  constructor(client: IoredisClient) {
    this.#client = client
  }

  get isClosed(): boolean {
    return this.#client.status === 'end'
  }

  attach(): void {
    this.#life ??= new IoredisLife(this.#client, this.#lives)
  }

  send(_storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    const mayRunTwice = command[0] !== 'EVALSHA' && command[0] !== 'EVAL'
    if (mayRunTwice) return callIoredis(this.#client, command, form)
    this.#once ??= this.#openOnce()
    return callIoredis(this.#once, command, form)
  }

  connections(): readonly IoredisConnection[] {
    return [this.#client]
  }

  watch(watch: PortWatch): void {
    this.#lives.watch(watch)
  }

  connectionOf(): PortConnection | undefined {
    return this.#lives.of(this.#client)
  }

  reconnect(): void {
    this.#client.disconnect(true)
    this.#closeOnce()
  }

  close(): void {
    this.#life?.detach()
    this.#life = undefined
    this.#closeOnce()
    this.#lives.closeAll('closed')
  }

  #closeOnce(): void {
    this.#once?.disconnect()
    this.#once = undefined
  }

  #openOnce(): IoredisConnection {
    const connection = this.#client.duplicate({
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      lazyConnect: false,
    })
    connection.on('error', () => {})
    // To those outside the two are one connection: what was acquired on either is void with the other.
    connection.on('close', () => {
      if (this.#life !== undefined && this.#client.status === 'ready') this.#lives.open(this.#client)
    })
    return connection
  }
}
