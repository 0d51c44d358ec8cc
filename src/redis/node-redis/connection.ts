import type { CacheError } from '../../foundation/errors/cache-error.ts'
import { clearInterval, clearTimeout, setInterval, setTimeout } from '../../foundation/time/timers.ts'
import { onEventLoopGap } from '../port/event-loop-gaps.ts'
import { LivenessProbe } from '../port/liveness-probe.ts'
import { redialPauseMs } from '../port/redial-pause.ts'
import { unavailable } from '../port/redis-errors.ts'
import type {
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
import { ReplicaRedials } from '../port/replica-redials.ts'
import { SharedSubscriber } from '../port/shared-subscriber.ts'
import type { ConnectionClient } from './connection-client.ts'
import { Dialer, type DialerSettings, type DialledClient } from './dialer.ts'
import { type ServerIdentity, turnTrackingOff } from './handshake.ts'
import { commandOptions, fromNodeRedis } from './replies.ts'
import type { Sentinels } from './sentinels.ts'
import { openSubscriber } from './subscription.ts'

/** Settings of a {@link NodeRedisConnection}. */
export interface ConnectionSettings extends Omit<DialerSettings, 'mustBePrimary'> {
  /** They name the primary, which is left when they no longer do. */
  readonly sentinels?: Sentinels | undefined
  /** Called when the server turns out to be a replica, if there are no sentinels. */
  readonly onDemoted?: () => void
  /** The deadline of a command, in milliseconds. */
  readonly commandTimeoutMs: number
}

/** The client pings by a timer that keeps the process alive; a connection that does not has pings of its own. */
const UNREF_PING_MS = 5_000

/** How long a primary is believed in without a word from its sentinels, where no cache says how long. */
const UNWATCHED_TRUST_MS = 3_000

/**
 * One connection of `@redis/client` to one server. It is dialled again whenever it is lost; the {@link Dialer} asks for
 * the address each time, so the same class follows a Sentinel.
 *
 * The client's own reconnecting is off: each connection is a new client, so that a command cannot end up on another
 * connection than the one it was sent on.
 */
export class NodeRedisConnection implements RedisPort {
  readonly isCluster = false
  readonly #dialer: Dialer
  readonly #subscriber = new SharedSubscriber(async (events, signal) =>
    openSubscriber(await this.#dialer.subscriber(), events, signal),
  )
  readonly #listener: RedisPortListener
  readonly #isUnref: boolean
  readonly #connectTimeoutMs: number
  readonly #sentinels: Sentinels | undefined
  readonly #onDemoted: () => unknown
  readonly #probe: LivenessProbe
  /** The client that commands are sent to: set when its handshake has succeeded, cleared when it is lost. */
  #client: ConnectionClient | undefined
  /** A client that is closing and waits for its last replies. */
  #closing: ConnectionClient | undefined
  #endpoint = ''
  #watch: PortWatch | undefined
  /** Stands for {@link #client}; reported to the watch, if there is one. */
  #connection: PortConnection | undefined
  #redialTimer: NodeJS.Timeout | undefined
  #pingTimer: NodeJS.Timeout | undefined
  /** Ends the reaction to gaps of the event loop. */
  #forgetGaps: (() => void) | undefined
  /** Whether a lost connection is dialled again: from `connect` to `close` or `drop`. */
  #isWanted = false

  constructor(settings: ConnectionSettings, listener: RedisPortListener) {
    this.#isUnref = settings.isUnref ?? false
    const { connectTimeoutMs, onDemoted, sentinels } = settings
    this.#connectTimeoutMs = connectTimeoutMs
    this.#sentinels = sentinels
    const leave = () => this.#giveUp('no longer the primary')
    const replicas = new ReplicaRedials()
    this.#onDemoted = sentinels === undefined ? (onDemoted ?? (() => replicas.isDue() && leave())) : leave
    this.#dialer = new Dialer({ ...settings, mustBePrimary: sentinels !== undefined }, (client, reason) =>
      this.#lost(client, reason),
    )
    this.#probe = new LivenessProbe(settings.commandTimeoutMs)
    this.#listener = listener
  }

  async connect(): Promise<void> {
    this.#isWanted = true
    this.#forgetGaps ??= onEventLoopGap(() => this.#check(true))
    if (this.#client === undefined) await this.#dial()
  }

  async close(): Promise<void> {
    this.#stopDialling()
    this.#closing = this.#client
    this.#client = undefined
    this.#reportClosed('closed')
    if (this.#closing?.isOpen) await this.#closing.close().catch(() => {})
    this.#closing = undefined
  }

  drop(): void {
    this.#stopDialling()
    for (const client of [this.#client, this.#closing]) client?.destroy()
    this.#client = undefined
    this.#closing = undefined
    this.#reportClosed('closed')
  }

  desynchronized(): void {
    this.#giveUp('out of step')
  }

  suspect(): void {
    this.#check(false)
  }

  send(_storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    if (this.#client === undefined) return Promise.reject(unavailable('not connected'))
    const options = form === 'bytes' ? commandOptions(form) : undefined
    return this.#client.sendCommand(command as RedisArgument[], options) as Promise<RedisReply>
  }

  translate(error: unknown): CacheError {
    return fromNodeRedis(error)
  }

  watch(watch: PortWatch | undefined): void {
    const client = this.#client
    const wasTracked = this.#connection?.isTracked
    this.#watch = watch
    if (client !== undefined) this.#connection = this.#unwatched(client)
    if (watch !== undefined) {
      this.#dialer.identifyServers(watch.wantsTracking)
      if (client !== undefined) void this.#watchInUse(client, watch)
      return
    }
    this.#dialer.ignoreServers()
    if (wasTracked && client !== undefined) turnTrackingOff(client)
  }

  connectionOf(): PortConnection | undefined {
    return this.#connection
  }

  nodeOf(): string {
    return ''
  }

  async subscribe(...subscription: Parameters<RedisPort['subscribe']>): Promise<ChannelSubscription> {
    if (!this.#isWanted) throw unavailable('closed')
    return this.#subscriber.subscribe(...subscription)
  }

  async masters(): Promise<readonly RedisNode[]> {
    return [{ send: (command, form) => this.send('', command, form), suspect: () => this.suspect() }]
  }

  #check(isAfterGap: boolean): void {
    const client = this.#client
    if (client === undefined) return
    this.#probe.check(
      client,
      () => client.sendCommand(['PING']),
      () => {
        if (client === this.#client) this.#giveUp('silent')
      },
      isAfterGap,
    )
  }

  async #dial(): Promise<void> {
    const dialled = await this.#dialer.dial()
    const { client, endpoint, identity } = dialled
    if (!this.#isWanted) {
      client.destroy()
      throw unavailable('closed while connecting')
    }
    this.#client = client
    this.#endpoint = endpoint
    this.#connection = this.#unwatched(client)
    if (this.#isUnref) this.#pingTimer ??= setInterval(this.#ping, UNREF_PING_MS).unref()
    client.on('invalidate', (key: Buffer | string | null) => {
      if (client === this.#client) this.#watch?.invalidated(key === null ? null : key.toString())
    })
    const watch = this.#watch
    this.#sentinels?.follow(endpoint, watch?.trustMs ?? UNWATCHED_TRUST_MS, (reason) => this.#giveUp(reason))
    // Before any command can be sent on the new connection.
    if (identity !== undefined && watch !== undefined) this.#reportOpened(dialled, identity, watch)
    this.#listener.connected(endpoint)
    if (identity === undefined && watch !== undefined) void this.#watchInUse(client, watch)
  }

  /** Reports a connection that was opened without a watch. It is left as it is, with the commands in flight on it. */
  async #watchInUse(client: ConnectionClient, watch: PortWatch): Promise<void> {
    try {
      const { identity, isTracked } = await this.#dialer.identify(client, watch.wantsTracking)
      if (client !== this.#client || watch !== this.#watch) return
      this.#reportOpened({ client, isTracked }, identity, watch)
    } catch {
      // The connection was lost, and the next one is watched from its handshake on.
    }
  }

  #reportOpened(
    { client, isTracked }: Pick<DialledClient, 'client' | 'isTracked'>,
    { replicationId, runId, version }: ServerIdentity,
    watch: PortWatch,
  ): void {
    const connection = { ...this.#unwatched(client), isTracked, replicationId, runId, version }
    this.#connection = connection
    watch.opened(connection)
  }

  /** Stands for the connection of this client, whose server is not known. */
  #unwatched(client: ConnectionClient): PortConnection {
    return {
      endpoint: this.#endpoint,
      isTracked: false,
      replicationId: undefined,
      runId: undefined,
      version: '',
      send: (command, form) =>
        client === this.#client
          ? (client.sendCommand(command as RedisArgument[], commandOptions(form)) as Promise<RedisReply>)
          : Promise.reject(unavailable('not connected')),
      suspect: () => this.suspect(),
      demoted: () => this.#onDemoted(),
      unconfirmedMs: () => this.#sentinels?.unconfirmedMs ?? 0,
    }
  }

  #reportClosed(reason: string): void {
    const connection = this.#connection
    this.#connection = undefined
    if (connection !== undefined) this.#watch?.closed(connection, reason)
  }

  /** Destroys the client even after an error within a reply: replies that follow it could belong to other keys. */
  #lost(client: ConnectionClient, reason: string): void {
    if (this.#client !== client) return
    this.#client = undefined
    this.#sentinels?.unfollow()
    client.destroy()
    this.#reportClosed(reason)
    this.#listener.disconnected(this.#endpoint, reason)
    if (this.#isWanted) this.#redialLater(0)
  }

  #giveUp(reason: string): void {
    if (this.#client !== undefined) this.#lost(this.#client, reason)
  }

  #redialLater(failures: number): void {
    clearTimeout(this.#redialTimer)
    this.#redialTimer = setTimeout(() => {
      this.#redialTimer = undefined
      this.#redial().catch(() => {
        if (this.#isWanted) this.#redialLater(failures + 1)
      })
    }, redialPauseMs(failures))
    if (this.#isUnref) this.#redialTimer.unref()
  }

  /** The first dial has the deadline of {@link connect}. Without one, a handshake without a reply would never end. */
  #redial(): Promise<void> {
    const patience = setTimeout(() => this.#dialer.abort(), this.#connectTimeoutMs).unref()
    return this.#dial().finally(() => clearTimeout(patience))
  }

  readonly #ping = (): void => {
    this.#client?.sendCommand(['PING']).catch(() => {})
  }

  #stopDialling(): void {
    this.#isWanted = false
    this.#forgetGaps?.()
    this.#forgetGaps = undefined
    clearTimeout(this.#redialTimer)
    this.#redialTimer = undefined
    clearInterval(this.#pingTimer)
    this.#pingTimer = undefined
    this.#dialer.abort()
    this.#sentinels?.close()
  }
}
