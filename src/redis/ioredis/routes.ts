import { BorrowedSessions } from '../port/borrowed-sessions.ts'
import { unavailable } from '../port/redis-errors.ts'
import type { RedisArgument, RedisPort, RedisReply, ReplyForm } from '../port/redis-port.ts'
import type { ResolvedTimeouts } from '../port/redis-timeouts.ts'
import { ReplicaRedials } from '../port/replica-redials.ts'
import { SharedSubscriber } from '../port/shared-subscriber.ts'
import type { IoredisClient, IoredisConnection } from './client.ts'
import { OwnConnection } from './own-connection.ts'
import { openSubscriber } from './subscription.ts'

/**
 * Chooses the own connection on which a command is sent. All ports over one client of the caller's share one route. Its
 * connections are opened for the first port that holds it, and belong to the last one that releases it.
 */
export interface IoredisRoute {
  /** Whether the caller has closed the client. */
  readonly isClosed: boolean
  readonly sessions: BorrowedSessions<OwnConnection>
  /** One more connection, for all subscriptions. */
  readonly subscriber: SharedSubscriber
  /** Resolves when commands can be sent. Idempotent for each holder. */
  hold(holder: object): Promise<void>
  /** Returns the connections that no holder is left for: closing them is up to the caller. */
  release(holder: object): readonly OwnConnection[]
  /** As `RedisPort.send`. */
  readonly send: RedisPort['send']
  /** The connections to all servers that own keys. */
  connections(): readonly OwnConnection[]
  /** The connection to the owner of a key; `undefined` if there is none. */
  connectionOf(storedKey: string): OwnConnection | undefined
  /** As `RedisPort.nodeOf`. */
  nodeOf(slot: number): string | undefined
  /** A connection of the caller's whose options a new one may copy. */
  origin(): IoredisConnection | undefined
}

/**
 * The sessions of own connections.
 * @param demoted called with one whose server has become a replica
 */
export function ownSessions(demoted?: (own: OwnConnection) => void): BorrowedSessions<OwnConnection> {
  return new BorrowedSessions<OwnConnection>(
    (own, command, form) => own.send(command, form),
    (own) => own.endpoint,
    (own) => own.suspect(),
    demoted,
  )
}

/** The connection for the subscriptions of a route. */
export function subscriberOf(route: Pick<IoredisRoute, 'origin'>): SharedSubscriber {
  return new SharedSubscriber(async (events, signal) => {
    const origin = route.origin()
    if (origin === undefined) throw unavailable('the cluster is not connected')
    return openSubscriber(origin, events, signal)
  })
}

/** The route to a single server. */
export class ClientRoute implements IoredisRoute {
  readonly #replicas = new ReplicaRedials()
  readonly sessions: BorrowedSessions<OwnConnection> = ownSessions((own) => {
    if (this.#replicas.isDue()) own.replace('no longer the primary')
  })
  readonly subscriber: SharedSubscriber = subscriberOf(this)
  readonly #client: IoredisClient
  readonly #timeouts: ResolvedTimeouts
  readonly #holders = new Set<object>()
  #own: OwnConnection | undefined

  constructor(client: IoredisClient, timeouts: ResolvedTimeouts) {
    this.#client = client
    this.#timeouts = timeouts
  }

  get isClosed(): boolean {
    return this.#client.status === 'end'
  }

  hold(holder: object): Promise<void> {
    if (this.#holders.size === 0) {
      this.#client.on('end', this.#followEnd)
      this.#client.on('ready', this.#followReady)
    }
    this.#holders.add(holder)
    return this.#followReady().ready()
  }

  release(holder: object): readonly OwnConnection[] {
    if (!this.#holders.delete(holder) || this.#holders.size > 0) return []
    this.#client.off('end', this.#followEnd)
    this.#client.off('ready', this.#followReady)
    const connections = this.connections()
    this.#own = undefined
    return connections
  }

  send(_storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    return this.#own?.send(command, form) ?? Promise.reject(unavailable('not connected'))
  }

  connections(): readonly OwnConnection[] {
    return this.#own === undefined ? [] : [this.#own]
  }

  connectionOf(): OwnConnection | undefined {
    return this.#own
  }

  nodeOf(): string {
    return ''
  }

  origin(): IoredisConnection {
    return this.#client
  }

  /** Who closes the client expects that nothing of it keeps the process alive. */
  readonly #followEnd = (): void => {
    this.#own?.drop()
    this.#own = undefined
  }

  readonly #followReady = (): OwnConnection => {
    this.#own ??= new OwnConnection(this.#client, this.sessions, this.#timeouts)
    return this.#own
  }
}
