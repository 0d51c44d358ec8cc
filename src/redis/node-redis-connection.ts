import { createClient, type RedisClientOptions } from '@redis/client'
import { CacheError } from '../foundation/cache-error.ts'
import {
  connectionOptions,
  LONGEST_REDIAL_MS,
  type NodeRedisOptions,
  socketBounds,
} from './node-redis-options.ts'
import { commandOptions, fromNodeRedis, isErrorReply } from './node-redis-replies.ts'
import type { RedisAddress } from './redis-address.ts'
import { detailOf, isReply, unavailable } from './redis-errors.ts'
import type {
  RedisArgument,
  RedisNode,
  RedisPort,
  RedisPortListener,
  RedisReply,
  ReplyForm,
} from './redis-port.ts'
import { SilenceProbe } from './silence-probe.ts'

/** What a {@link NodeRedisConnection} needs to know. */
export interface ConnectionSettings {
  /** Where to connect; asked before every attempt. */
  readonly locate: (signal: AbortSignal) => Promise<RedisAddress>
  /** Whether a server that turns out to be a replica is to be left, and `locate` asked again. */
  readonly mustBePrimary: boolean
  readonly options: NodeRedisOptions
  readonly connectTimeoutMs: number
  /** The deadline of a command, in milliseconds. */
  readonly timeoutMs: number
}

type Client = ReturnType<typeof createClient>

/** First pause before dialling again, doubled until the longest; a fifth is random, so that a fleet spreads. */
const FIRST_REDIAL_MS = 50

/**
 * One connection of `@redis/client` to one server, which is dialled anew whenever it is lost. The address is
 * asked for each time, so the same class follows a Sentinel. The client's own reconnecting is off: a client
 * lives as long as its connection, and a new connection is a new client.
 */
export class NodeRedisConnection implements RedisPort {
  readonly isCluster = false
  readonly #locate: (signal: AbortSignal) => Promise<RedisAddress>
  readonly #options: NodeRedisOptions
  readonly #listener: RedisPortListener
  readonly #connectTimeoutMs: number
  readonly #mustBePrimary: boolean
  readonly #probe: SilenceProbe
  /** The client that commands go to: set once its handshake has succeeded, cleared when its connection is lost. */
  #client: Client | undefined
  /** A client that waits for its last replies. */
  #closing: Client | undefined
  /** Ends the attempt to connect that is under way. */
  #attempt: AbortController | undefined
  #endpoint = ''
  #redialTimer: NodeJS.Timeout | undefined
  #isWanted = false

  constructor(
    { connectTimeoutMs, locate, mustBePrimary, options, timeoutMs }: ConnectionSettings,
    listener: RedisPortListener,
  ) {
    this.#locate = locate
    this.#options = options
    this.#connectTimeoutMs = connectTimeoutMs
    this.#mustBePrimary = mustBePrimary
    this.#probe = new SilenceProbe(timeoutMs)
    this.#listener = listener
  }

  async connect(): Promise<void> {
    this.#isWanted = true
    if (this.#client === undefined) await this.#dial()
  }

  async close(): Promise<void> {
    this.#stopDialling()
    this.#closing = this.#client
    this.#client = undefined
    if (this.#closing?.isOpen) await this.#closing.close().catch(() => {})
    this.#closing = undefined
  }

  drop(): void {
    this.#stopDialling()
    for (const client of [this.#client, this.#closing]) client?.destroy()
    this.#client = undefined
    this.#closing = undefined
  }

  outOfStep(): void {
    this.#giveUp('out of step')
  }

  suspect(): void {
    const client = this.#client
    if (client === undefined) return
    this.#probe.check(
      client,
      () => client.sendCommand(['PING']),
      () => {
        if (client === this.#client) this.#giveUp('silent')
      },
    )
  }

  send(_storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    if (this.#client === undefined) return Promise.reject(unavailable('not connected'))
    const options = form === 'bytes' ? commandOptions(form) : undefined
    const reply = this.#client.sendCommand(command as RedisArgument[], options) as Promise<RedisReply>
    return this.#mustBePrimary ? reply.catch(this.#leaveReplica) : reply
  }

  translate(error: unknown): CacheError {
    return fromNodeRedis(error)
  }

  async masters(): Promise<readonly RedisNode[]> {
    return [{ send: (command, form) => this.send('', command, form), suspect: () => this.suspect() }]
  }

  async #dial(): Promise<void> {
    const attempt = new AbortController()
    this.#attempt = attempt
    const address = await this.#locate(attempt.signal)
    const client = createClient(this.#clientOptions(address))
    let failure: unknown
    client.on('error', (error) => {
      failure ??= error
      this.#lost(client, detailOf(error))
    })
    attempt.signal.addEventListener('abort', () => client.destroy())
    try {
      if (attempt.signal.aborted) throw unavailable('closed while connecting')
      await client.connect()
      if (this.#mustBePrimary) await assertPrimary(client)
      if (attempt.signal.aborted) throw unavailable('closed while connecting')
    } catch (error) {
      client.destroy()
      throw handshakeError(failure ?? error, address.endpoint)
    }
    this.#attempt = undefined
    this.#client = client
    this.#endpoint = address.endpoint
    this.#listener.connected(address.endpoint)
  }

  #clientOptions(address: RedisAddress): RedisClientOptions {
    return {
      ...connectionOptions(this.#options, address),
      ...(address.database === 0 ? {} : { database: address.database }),
      commandOptions: commandOptions('text'),
      socket: {
        ...socketBounds(this.#connectTimeoutMs),
        ...this.#options.socket,
        ...withoutFalseTls(address.socket),
        reconnectStrategy: false,
      } as NonNullable<RedisClientOptions['socket']>,
    }
  }

  /** Also after an error in the middle of a reply: what follows on such a connection could belong to another key. */
  #lost(client: Client, reason: string): void {
    if (this.#client !== client) return
    this.#client = undefined
    client.destroy()
    this.#listener.disconnected(this.#endpoint, reason)
    if (this.#isWanted) this.#redialLater(0)
  }

  #giveUp(reason: string): void {
    if (this.#client !== undefined) this.#lost(this.#client, reason)
  }

  readonly #leaveReplica = (error: unknown): never => {
    if (isReply(fromNodeRedis(error), 'READONLY')) this.#giveUp('no longer the primary')
    throw error
  }

  #redialLater(attempt: number): void {
    const pauseMs = Math.min(FIRST_REDIAL_MS * 2 ** attempt, LONGEST_REDIAL_MS) * (0.8 + 0.2 * Math.random())
    clearTimeout(this.#redialTimer)
    this.#redialTimer = setTimeout(() => {
      this.#redialTimer = undefined
      this.#dial().catch(() => {
        if (this.#isWanted) this.#redialLater(attempt + 1)
      })
    }, pauseMs)
  }

  #stopDialling(): void {
    this.#isWanted = false
    clearTimeout(this.#redialTimer)
    this.#redialTimer = undefined
    this.#attempt?.abort()
    this.#attempt = undefined
  }
}

/** A `redis:` URL says nothing of TLS; the caller's own socket options may. */
function withoutFalseTls(socket: RedisAddress['socket']): object {
  const { tls, ...rest } = socket
  return tls ? socket : rest
}

async function assertPrimary(client: Client): Promise<void> {
  const [role] = (await client.sendCommand(['ROLE'], commandOptions('text'))) as unknown as readonly string[]
  if (role !== 'master') throw unavailable('the server is a replica')
}

/** A server that refuses a handshake has answered; with one that breaks in it there was never a connection. */
function handshakeError(error: unknown, endpoint: string): CacheError {
  if (error instanceof CacheError) return error
  return isErrorReply(error) ? fromNodeRedis(error) : unavailable(`${detailOf(error)} at ${endpoint}`)
}
