import type { TierSettings } from '../../backend/seams/cache-store.ts'
import type { Coherence, TierListener } from '../../backend/seams/shared-tier.ts'
import { clearInterval, setInterval } from '../../foundation/time/timers.ts'
import type { PortConnection, PortWatch, RedisPort } from '../port/redis-port.ts'
import { timeUsIn } from '../port/time-reply.ts'
import { BusPresence } from './bus-presence.ts'
import { InvalidationBus } from './invalidation-bus.ts'
import { isProven, lifeOf, markOf, type ProvenConnection, serverName } from './news-token.ts'
import { ServerClock } from './server-clock.ts'
import { askServerState, type ServerState } from './server-state.ts'

/** Heartbeats within the time that a connection is trusted without a reply. */
const HEARTBEATS_PER_TRUST = 3

/** The state of an open connection. */
interface ConnectionState extends ProvenConnection {
  replicationId: string | undefined
  readonly clock: ServerClock
  /** Every invalidation that was pushed before this moment has arrived. */
  completeUntilMs: number
}

/**
 * Keeps the local tiers of processes coherent, in the best mode that client and server allow, and knows until when
 * the local copies may be trusted.
 *
 * With tracking, the invalidation of a key arrives on the connection that read the key. So the reply to a `TIME` proves
 * that every invalidation from before it was sent has arrived; the same reply also feeds the server clock. It proves
 * nothing if the server is not the primary any more, so its role is asked for in the same round trip. Copies are not
 * trusted longer than `trustMs` after the last such proof, by which a half-open connection is detected at the latest.
 */
export class TierCoherence implements PortWatch {
  readonly wantsTracking: boolean
  readonly trustMs: number
  readonly #port: RedisPort
  readonly #settings: TierSettings
  readonly #connections = new Map<PortConnection, ConnectionState>()
  readonly #bus: InvalidationBus
  /**
   * The servers that may be met again without having forgotten anything: those that are connected, and those that were
   * lost and that no other server has replaced since.
   */
  #lives = new Set<string>()
  #listener: TierListener | undefined
  #heartbeatTimer: NodeJS.Timeout | undefined
  #mode: Coherence
  #isOpen = false
  #isStopped = false
  /** Whether a connection was lost, or slots have moved: only then may a server be another one than before. */
  #hasLost = false
  #trackedUntilMs = Number.NEGATIVE_INFINITY
  readonly #presence: BusPresence

  constructor(port: RedisPort, settings: TierSettings) {
    this.#port = port
    this.#settings = settings
    const wanted = settings.coherence
    this.trustMs = settings.trustMs
    this.wantsTracking = wanted === 'auto' || wanted === 'tracking'
    this.#mode = wanted === 'auto' ? 'tracking' : wanted === 'bus' ? 'ttl' : wanted
    this.#bus = new InvalidationBus(port, settings.prefix, settings.trustMs, settings.clock, {
      changed: (storedKeys) => {
        for (const storedKey of storedKeys) this.#listener?.invalidated(storedKey)
      },
      joined: () => this.#presence.establish(),
      missed: () => this.#listener?.epochBegan('a message on the bus stayed away'),
      lost: (reason) => this.#enter('ttl', `the bus was lost (${reason})`),
    })
    this.#presence = new BusPresence(port, settings.prefix, settings.clock, {
      established: () => this.#bus.isJoined && this.#enter('bus', 'the bus delivers'),
      wasMissing: () => this.#enter('ttl', 'the key that marks the bus as in use was missing'),
    })
  }

  get mode(): Coherence {
    return this.#mode
  }

  /** The bus on which changes must be published; `undefined` while it surely has no subscribers. */
  get bus(): InvalidationBus | undefined {
    return this.#mode === 'tracking' && !this.#presence.mayHaveSubscribers ? undefined : this.#bus
  }

  get trustedUntilMs(): number {
    if (this.#mode === 'tracking') return this.#trackedUntilMs
    if (this.#mode === 'ttl') return Number.POSITIVE_INFINITY
    // A replica passes this process's own heartbeats on, too.
    return Math.min(this.#bus.trustedUntilMs, this.#trackedUntilMs)
  }

  get localTtlMs(): number {
    return this.#mode === 'ttl' ? this.#settings.localTtlMs : Number.POSITIVE_INFINITY
  }

  watch(listener: TierListener): void {
    this.#listener = listener
    this.#port.watch(this)
  }

  /** Called when all connections have been made. */
  start(): void {
    this.#isOpen = true
    this.#isStopped = false
    if (this.#settings.coherence === 'bus') this.#bus.join()
    const intervalMs = this.#settings.trustMs / HEARTBEATS_PER_TRUST
    this.#heartbeatTimer ??= setInterval(() => this.#heartbeat(), intervalMs).unref()
  }

  async stop(): Promise<void> {
    this.#isOpen = false
    this.#isStopped = true
    clearInterval(this.#heartbeatTimer)
    this.#heartbeatTimer = undefined
    this.#presence.stop()
    this.#port.watch(undefined)
    this.#connections.clear()
    this.#updateTrust()
    await this.#bus.leave()
  }

  opened(connection: PortConnection): void {
    const mayBeRestarted = !this.#isMetAgain(connection)
    const { clock } = this.#settings
    const { replicationId } = connection
    const completeUntilMs = clock.monotonicMs()
    this.#connections.set(connection, {
      ...{ clock: new ServerClock(clock), completeUntilMs, replicationId },
      ...{ server: serverName(lifeOf(connection)), provenUs: 0, isProbed: false },
    })
    this.#updateTrust()
    this.#listener?.epochBegan(`connected to ${connection.endpoint}`)
    if (this.#isOpen && this.#hasLost && mayBeRestarted) this.#listener?.restarted()
    this.#probe(connection)
    if (connection.isTracked) this.#presence.read()
    if (!connection.isTracked && this.#mode === 'tracking') this.#leaveTracking()
  }

  /**
   * Whether the server is the one of an earlier connection, in the same term as a primary. A stranger may have taken the
   * place of any server that is not connected, and what was written to the stranger is unknown to that server: all
   * those are forgotten.
   */
  #isMetAgain(connection: PortConnection): boolean {
    const life = lifeOf(connection)
    if (life !== undefined && this.#lives.has(life)) return true
    const present = [...this.#connections.keys(), connection].map((one) => lifeOf(one))
    this.#lives = new Set(present.filter((one) => one !== undefined))
    return false
  }

  closed(connection: PortConnection, reason: string): void {
    this.#hasLost = true
    this.#connections.delete(connection)
    this.#updateTrust()
    this.#listener?.epochBegan(`connection to ${connection.endpoint} lost (${reason})`)
  }

  invalidated(storedKey: string | null): void {
    if (storedKey === null || storedKey === this.#presence.storedKey) this.#presence.read()
    if (storedKey === null) this.#listener?.epochBegan('the server was flushed')
    else this.#listener?.invalidated(storedKey)
  }

  rerouted(): void {
    this.#hasLost = true
    this.#presence.read()
    this.#listener?.epochBegan('slots have moved')
  }

  clockOf(storedKey: string): ServerClock | undefined {
    const connection = this.#port.connectionOf(storedKey)
    return connection && this.#connections.get(connection)?.clock
  }

  /** As `SharedTier.mark`. */
  mark(): Promise<string> {
    return markOf(this.#connections)
  }

  /** As `SharedTier.hasNewsOf`. Asks servers whose last proof is too old, so that a later call is told more. */
  hasNewsOf(token: string): boolean {
    if (this.#mode !== 'tracking') return false
    return isProven(token, this.#connections, (connection) => this.#probe(connection))
  }

  /** Called if one connection is untracked: copies of values that were read on it would become stale without notice. */
  #leaveTracking(): void {
    this.#enter('ttl', 'what is read cannot be tracked')
    if (this.#settings.coherence !== 'ttl' && !this.#isStopped) this.#bus.join()
  }

  #enter(mode: Coherence, reason: string): void {
    this.#mode = mode
    this.#listener?.epochBegan(reason)
  }

  #heartbeat(): void {
    for (const connection of this.#connections.keys()) this.#probe(connection)
    this.#bus.heartbeat()
    if (this.#bus.isJoined) this.#presence.heartbeat()
    else if (this.#mode === 'tracking') this.#presence.retryRead()
  }

  #probe(connection: PortConnection): void {
    const sentMs = this.#settings.clock.monotonicMs()
    const probed = this.#connections.get(connection)
    if (probed !== undefined) probed.isProbed = true
    const time = connection.send(['TIME'], 'text').then((reply) => {
      const timeUs = timeUsIn(reply)
      this.#connections.get(connection)?.clock.learn(timeUs / 1_000, sentMs)
      return timeUs
    })
    Promise.all([askServerState(connection, this.#port.isCluster), time])
      .then(
        ([state, timeUs]) => this.#proved(connection, sentMs, timeUs, state),
        () => {},
      )
      .finally(() => {
        if (probed !== undefined) probed.isProbed = false
      })
  }

  /**
   * The server has answered. That proves nothing if it is not the one that takes the writes.
   * @param timeUs what it answered to `TIME`
   */
  #proved(
    connection: PortConnection,
    sentMs: number,
    timeUs: number,
    { isServing, replicationId, role }: ServerState,
  ): void {
    const state = this.#connections.get(connection)
    if (state === undefined) return
    if (role === 'replica') {
      connection.demoted()
      return
    }
    if (replicationId !== state.replicationId) {
      if (state.replicationId !== undefined) this.#promotedAnew(connection)
      state.replicationId = replicationId
      state.server = serverName(lifeOf(connection, replicationId))
    }
    if (!isServing) return
    const confirmedAtMs = this.#settings.clock.monotonicMs() - connection.unconfirmedMs()
    state.completeUntilMs = Math.max(state.completeUntilMs, Math.min(sentMs, confirmedAtMs))
    const unconfirmedMs = Math.max(0, sentMs - confirmedAtMs)
    state.provenUs = Math.max(state.provenUs, timeUs - unconfirmedMs * 1_000)
    this.#updateTrust()
  }

  /** The server followed another one since the last answer, and may have taken that one's data. */
  #promotedAnew({ endpoint }: PortConnection): void {
    this.#listener?.epochBegan(`${endpoint} has become the primary anew`)
    if (this.#isOpen) this.#listener?.restarted()
  }

  /** Copies come from any connection, so the one whose last proof is oldest decides. */
  #updateTrust(): void {
    let completeUntilMs = Number.POSITIVE_INFINITY
    for (const state of this.#connections.values()) {
      completeUntilMs = Math.min(completeUntilMs, state.completeUntilMs)
    }
    this.#trackedUntilMs =
      this.#connections.size === 0 ? Number.NEGATIVE_INFINITY : completeUntilMs + this.#settings.trustMs
  }
}
