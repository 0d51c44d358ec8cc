import { createClient, type RedisClientOptions } from '@redis/client'
import { CacheError } from '../../foundation/cache-error.ts'
import { detailOf, isReply, unavailable } from '../port/redis-errors.ts'
import type {
  ChannelListener,
  ChannelSubscription,
  PortConnection,
  PortWatch,
  RedisArgument,
  RedisNode,
  RedisPort,
  RedisPortListener,
  RedisReply,
  ReplyForm,
} from '../port/redis-port.ts'
import {
  assertPrimary,
  type Dialect,
  type Greeting,
  greet,
  isTrackable,
  simplerDialect,
} from './handshake.ts'
import { LivenessProbe } from './liveness-probe.ts'
import { connectionOptions, LONGEST_REDIAL_MS, type NodeRedisOptions, socketBounds } from './options.ts'
import type { RedisAddress } from './redis-address.ts'
import { commandOptions, fromNodeRedis, isErrorReply } from './replies.ts'
import { subscribeWith } from './subscription.ts'

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
  readonly #probe: LivenessProbe
  /** The client that commands go to: set once its handshake has succeeded, cleared when its connection is lost. */
  #client: Client | undefined
  /** A client that waits for its last replies. */
  #closing: Client | undefined
  /** Ends the attempt to connect that is under way. */
  #attempt: AbortController | undefined
  #endpoint = ''
  #watch: PortWatch | undefined
  /** Tells of {@link #client} to the watch. */
  #connection: PortConnection | undefined
  #greeting: Greeting | undefined
  #dialect: Dialect = 'resp3'
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
    this.#probe = new LivenessProbe(timeoutMs)
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
    this.#farewell('closed')
    if (this.#closing?.isOpen) await this.#closing.close().catch(() => {})
    this.#closing = undefined
  }

  drop(): void {
    this.#stopDialling()
    for (const client of [this.#client, this.#closing]) client?.destroy()
    this.#client = undefined
    this.#closing = undefined
    this.#farewell('closed')
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

  watch(watch: PortWatch): void {
    this.#watch = watch
    if (watch.wantsTracking) this.#dialect = 'tracked'
    this.#giveUp('to be watched from now on')
  }

  connectionOf(): PortConnection | undefined {
    return this.#connection
  }

  async subscribe(channel: string, listener: ChannelListener): Promise<ChannelSubscription> {
    const address = await this.#locate(new AbortController().signal)
    const dialect = this.#dialect === 'resp2' ? 'resp2' : 'resp3'
    return subscribeWith(createClient(this.#clientOptions(address, dialect)), channel, listener)
  }

  async masters(): Promise<readonly RedisNode[]> {
    return [{ send: (command, form) => this.send('', command, form), suspect: () => this.suspect() }]
  }

  async #dial(): Promise<void> {
    const attempt = new AbortController()
    this.#attempt = attempt
    const address = await this.#locate(attempt.signal)
    const { client, greeting } = await this.#shakeHands(address, attempt.signal)
    this.#attempt = undefined
    this.#client = client
    this.#endpoint = address.endpoint
    if (greeting !== undefined) this.#introduce(client, greeting)
    this.#listener.connected(address.endpoint)
    if (greeting === undefined && this.#watch !== undefined) this.#giveUp('to be watched from now on')
  }

  /** In the richest dialect that the server speaks. */
  async #shakeHands(
    address: RedisAddress,
    signal: AbortSignal,
  ): Promise<{ readonly client: Client; readonly greeting: Greeting | undefined }> {
    for (;;) {
      const dialect = this.#dialect
      const client = createClient(this.#clientOptions(address, dialect))
      let failure: unknown
      client.on('error', (error) => {
        failure ??= error
        this.#lost(client, detailOf(error))
      })
      const abort = () => client.destroy()
      signal.addEventListener('abort', abort)
      try {
        if (signal.aborted) throw unavailable('closed while connecting')
        await client.connect()
        if (this.#mustBePrimary) await assertPrimary(client)
        const greeting = this.#watch && (await greet(client, this.#greeting))
        if (signal.aborted) throw unavailable('closed while connecting')
        const isUsable = dialect !== 'tracked' || greeting === undefined || isTrackable(greeting)
        // The watch may have begun meanwhile, and asks for another dialect than this client speaks.
        if (isUsable && dialect === this.#dialect) return { client, greeting }
        if (!isUsable) this.#dialect = 'resp3'
        client.destroy()
      } catch (error) {
        client.destroy()
        const simpler = signal.aborted ? undefined : simplerDialect(dialect, failure ?? error)
        if (simpler === undefined) throw handshakeError(failure ?? error, address.endpoint)
        this.#dialect = simpler
      } finally {
        signal.removeEventListener('abort', abort)
      }
    }
  }

  /** Tells of the new connection before any command can be sent on it. */
  #introduce(client: Client, greeting: Greeting): void {
    this.#greeting = greeting
    const watch = this.#watch as PortWatch
    const connection: PortConnection = {
      endpoint: this.#endpoint,
      isTracked: this.#dialect === 'tracked',
      runId: greeting.runId,
      version: greeting.version,
      send: (command, form) =>
        client === this.#client
          ? (client.sendCommand(command as RedisArgument[], commandOptions(form)) as Promise<RedisReply>)
          : Promise.reject(unavailable('not connected')),
      suspect: () => this.suspect(),
    }
    this.#connection = connection
    client.on('invalidate', (key: Buffer | string | null) => {
      if (this.#connection === connection) watch.invalidated(key === null ? null : key.toString())
    })
    watch.opened(connection)
  }

  #clientOptions(address: RedisAddress, dialect: Dialect): RedisClientOptions {
    return {
      ...connectionOptions(this.#options, address),
      ...(address.database === 0 ? {} : { database: address.database }),
      ...((dialect === 'resp2' ? { RESP: 2 } : {}) as object),
      ...(dialect === 'tracked' ? { emitInvalidate: true } : {}),
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
    this.#farewell(reason)
    this.#listener.disconnected(this.#endpoint, reason)
    if (this.#isWanted) this.#redialLater(0)
  }

  #farewell(reason: string): void {
    const connection = this.#connection
    this.#connection = undefined
    if (connection !== undefined) this.#watch?.closed(connection, reason)
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

/** A server that refuses a handshake has answered; with one that breaks in it there was never a connection. */
function handshakeError(error: unknown, endpoint: string): CacheError {
  if (error instanceof CacheError) return error
  return isErrorReply(error) ? fromNodeRedis(error) : unavailable(`${detailOf(error)} at ${endpoint}`)
}
