import { CacheError } from '../../foundation/errors/cache-error.ts'
import { detailOf, unavailable } from '../port/redis-errors.ts'
import {
  type ConnectionClient,
  type ConnectionClientOptions,
  connectionClient,
  type Dialect,
} from './connection-client.ts'
import {
  assertPrimary,
  identifyServer,
  isTrackable,
  type ServerIdentity,
  simplerDialect,
  turnTrackingOn,
} from './handshake.ts'
import { connectionOptions, type NodeRedisOptions, socketBounds } from './options.ts'
import type { RedisAddress } from './redis-address.ts'
import { commandOptions, fromNodeRedis, isErrorReply } from './replies.ts'

/** Where and how a {@link Dialer} connects. */
export interface DialerSettings {
  /** Finds the server; called before every attempt. */
  readonly locate: () => Promise<RedisAddress>
  /** Whether a server that turns out to be a replica is refused, so that `locate` is asked again. */
  readonly mustBePrimary: boolean
  readonly options: NodeRedisOptions
  readonly connectTimeoutMs: number
  /** Whether connections let the process end. @default false */
  readonly isUnref?: boolean
}

/** A connected client whose handshake has succeeded. */
export interface DialledClient {
  readonly client: ConnectionClient
  readonly endpoint: string
  readonly isTracked: boolean
  /** `undefined` if servers are not identified: see {@link Dialer.identifyServers}. */
  readonly identity: ServerIdentity | undefined
}

/**
 * Makes connections to one server: finds its address, connects, and shakes hands in the richest dialect that the server
 * supports. Remembers that dialect, and the previous connection, which the next handshake ends on the server.
 */
export class Dialer {
  readonly #settings: DialerSettings
  readonly #onError: (client: ConnectionClient, reason: string) => void
  #dialect: Dialect = 'resp3'
  #identifies = false
  /** Of the last connection that was handed out. */
  #previous: ServerIdentity | undefined
  /** Aborts the attempt in progress. */
  #attempt: AbortController | undefined

  /** @param onError called for every error of a client, from its creation on */
  constructor(settings: DialerSettings, onError: (client: ConnectionClient, reason: string) => void) {
    this.#settings = settings
    this.#onError = onError
  }

  /** From the next handshake on, identifies the server and ends the previous connection. */
  identifyServers(wantsTracking: boolean): void {
    this.#identifies = true
    if (wantsTracking) this.#dialect = 'tracked'
  }

  /** Ends what {@link identifyServers} began. */
  ignoreServers(): void {
    this.#identifies = false
    this.#previous = undefined
    if (this.#dialect === 'tracked') this.#dialect = 'resp3'
  }

  /**
   * Identifies the server of a connection that is in use, and turns tracking on if it is wanted and possible. Commands
   * in flight are not affected: their replies arrive before this resolves.
   */
  async identify(
    client: ConnectionClient,
    wantsTracking: boolean,
  ): Promise<Pick<DialledClient, 'isTracked'> & { readonly identity: ServerIdentity }> {
    const identity = await identifyServer(client, undefined)
    this.#previous = identity
    const isTracked = wantsTracking && isTrackable(identity) && (await turnTrackingOn(client))
    return { identity, isTracked }
  }

  /**
   * Makes one attempt to connect.
   * @throws CacheError what the server answered to the handshake, else `CACHE_UNAVAILABLE`
   */
  async dial(): Promise<DialledClient> {
    const attempt = new AbortController()
    this.#attempt = attempt
    const address = await this.#settings.locate()
    const dialled = await this.#shakeHands(address, attempt.signal)
    this.#attempt = undefined
    return dialled
  }

  /** Ends the attempt in progress, which then rejects. */
  abort(): void {
    this.#attempt?.abort()
    this.#attempt = undefined
  }

  /** A new client that is not connected yet, without tracking, for a subscription. */
  async subscriber(): Promise<ConnectionClient> {
    const address = await this.#settings.locate()
    return this.#client(address, this.#dialect === 'resp2' ? 'resp2' : 'resp3')
  }

  /** Tries dialects from the richest to the simplest. */
  async #shakeHands(address: RedisAddress, signal: AbortSignal): Promise<DialledClient> {
    const { endpoint } = address
    for (;;) {
      const dialect = this.#dialect
      const client = this.#client(address, dialect)
      let failure: unknown
      client.on('error', (error) => {
        failure ??= error
        this.#onError(client, detailOf(error))
      })
      const abort = () => client.destroy()
      signal.addEventListener('abort', abort)
      try {
        if (signal.aborted) throw unavailable('closed while connecting')
        await client.connect()
        if (this.#settings.mustBePrimary) await assertPrimary(client)
        const identity = this.#identifies ? await identifyServer(client, this.#previous) : undefined
        if (signal.aborted) throw unavailable('closed while connecting')
        // A client that failed after its last reply would never report that again.
        if (failure !== undefined) throw failure
        const isUsable = dialect !== 'tracked' || identity === undefined || isTrackable(identity)
        // `identifyServers` may have been called meanwhile, and asks for another dialect than this client uses.
        if (isUsable && dialect === this.#dialect) {
          if (identity !== undefined) this.#previous = identity
          return { client, endpoint, identity, isTracked: dialect === 'tracked' }
        }
        if (!isUsable) this.#dialect = 'resp3'
        client.destroy()
      } catch (error) {
        client.destroy()
        const simpler = signal.aborted ? undefined : simplerDialect(dialect, failure ?? error)
        if (simpler === undefined) throw handshakeError(failure ?? error, endpoint)
        this.#dialect = simpler
      } finally {
        signal.removeEventListener('abort', abort)
      }
    }
  }

  #client(address: RedisAddress, dialect: Dialect): ConnectionClient {
    const { connectTimeoutMs, isUnref, options } = this.#settings
    const client = connectionClient(dialect, {
      ...connectionOptions(options, address),
      ...(isUnref ? { pingInterval: 0 } : {}),
      ...(address.database === 0 ? {} : { database: address.database }),
      commandOptions: commandOptions('text'),
      socket: {
        ...socketBounds(connectTimeoutMs),
        ...options.socket,
        ...address.socket,
        reconnectStrategy: false,
      } as NonNullable<ConnectionClientOptions['socket']>,
    })
    if (isUnref) client.unref()
    return client
  }
}

/** A server that refuses a handshake has answered. A handshake that breaks off means that no connection was made. */
function handshakeError(error: unknown, endpoint: string): CacheError {
  if (error instanceof CacheError) return error
  return isErrorReply(error) ? fromNodeRedis(error) : unavailable(`${detailOf(error)} at ${endpoint}`)
}
