import type { TierSettings } from '../../backend/cache-store.ts'
import type { Coherence, TierListener } from '../../backend/shared-tier.ts'
import { busChannel } from '../../foundation/reserved-keys.ts'
import type { PortConnection, PortWatch, RedisPort } from '../port/redis-port.ts'
import { BusPresence } from './bus-presence.ts'
import { InvalidationBus } from './invalidation-bus.ts'
import { ServerClock } from './server-clock.ts'

/** Signs of life are asked for this often within the time that a connection is trusted without one. */
const BEATS_PER_TRUST = 3

/** What is kept of a connection. */
interface Contact {
  readonly clock: ServerClock
  /** When the last question was asked that it has answered: all pushes from before that have arrived. */
  provenAtMs: number
}

/**
 * Keeps the local tiers of processes coherent, in the best mode that client and server allow, and knows until when
 * it can vouch for that.
 *
 * With tracking, a key's invalidation travels on the connection that read the key, so a reply to a question
 * (`TIME`, which also keeps the clock) proves that every push from before the question has arrived. A connection
 * that proves nothing for `trustMs` vouches for nothing: a half-open one is noticed by then at the latest.
 */
export class TierCoherence implements PortWatch {
  readonly wantsTracking: boolean
  readonly #port: RedisPort
  readonly #settings: TierSettings
  readonly #contacts = new Map<PortConnection, Contact>()
  readonly #bus: InvalidationBus
  /** Lives of servers that have been met. */
  readonly #runIds = new Set<string | undefined>()
  #listener: TierListener | undefined
  #beatTimer: NodeJS.Timeout | undefined
  #mode: Coherence
  #isOpen = false
  #isStopped = false
  #trackedUntilMs = Number.NEGATIVE_INFINITY
  readonly #presence: BusPresence

  constructor(port: RedisPort, settings: TierSettings) {
    this.#port = port
    this.#settings = settings
    const wanted = settings.coherence
    this.wantsTracking = wanted === 'auto' || wanted === 'tracking'
    this.#mode = wanted === 'auto' ? 'tracking' : wanted === 'bus' ? 'ttl' : wanted
    this.#bus = new InvalidationBus(port, busChannel(settings.prefix), settings.trustMs, settings.clock, {
      changed: (storedKeys) => {
        for (const storedKey of storedKeys) this.#listener?.invalidated(storedKey)
      },
      joined: () => this.#presence.appear(),
      missed: () => this.#listener?.epochBegan('a message on the bus stayed away'),
      lost: (reason) => this.#enter('ttl', `the bus was lost (${reason})`),
    })
    this.#presence = new BusPresence(port, settings.prefix, settings.clock, {
      established: () => this.#bus.isJoined && this.#enter('bus', 'the bus delivers'),
      wasMissing: () => this.#enter('ttl', 'others did not know that somebody listens to the bus'),
    })
  }

  get mode(): Coherence {
    return this.#mode
  }

  /** The bus that changes are to be told on; `undefined` where nobody listens to it. */
  get bus(): InvalidationBus | undefined {
    return this.#mode === 'tracking' && !this.#presence.isPossible ? undefined : this.#bus
  }

  get trustedUntilMs(): number {
    if (this.#mode === 'tracking') return this.#trackedUntilMs
    return this.#mode === 'bus' ? this.#bus.trustedUntilMs : Number.POSITIVE_INFINITY
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
    const beatMs = this.#settings.trustMs / BEATS_PER_TRUST
    this.#beatTimer ??= setInterval(() => this.#beat(), beatMs).unref()
  }

  async stop(): Promise<void> {
    this.#isOpen = false
    this.#isStopped = true
    clearInterval(this.#beatTimer)
    this.#beatTimer = undefined
    await this.#bus.leave()
  }

  opened(connection: PortConnection): void {
    const isNewLife = connection.runId === undefined || !this.#runIds.has(connection.runId)
    this.#runIds.add(connection.runId)
    const { clock } = this.#settings
    this.#contacts.set(connection, { clock: new ServerClock(clock), provenAtMs: clock.monotonicMs() })
    this.#listener?.epochBegan(`connected to ${connection.endpoint}`)
    if (this.#isOpen && isNewLife) this.#listener?.restarted()
    this.#updateTrust()
    this.#ask(connection)
    if (connection.isTracked) this.#presence.look()
    if (!connection.isTracked && this.#mode === 'tracking') this.#fallBack()
  }

  closed(connection: PortConnection, reason: string): void {
    this.#contacts.delete(connection)
    this.#listener?.epochBegan(`connection to ${connection.endpoint} lost (${reason})`)
    this.#updateTrust()
  }

  invalidated(storedKey: string | null): void {
    if (storedKey === null || storedKey === this.#presence.storedKey) this.#presence.look()
    if (storedKey === null) this.#listener?.epochBegan('the server was flushed')
    else this.#listener?.invalidated(storedKey)
  }

  rerouted(): void {
    this.#presence.look()
    this.#listener?.epochBegan('slots have moved')
  }

  clockOf(storedKey: string): ServerClock | undefined {
    const connection = this.#port.connectionOf(storedKey)
    return connection && this.#contacts.get(connection)?.clock
  }

  /** Some connection cannot be tracked, so none is relied on. */
  #fallBack(): void {
    this.#enter('ttl', 'what is read cannot be tracked')
    if (this.#settings.coherence !== 'ttl' && !this.#isStopped) this.#bus.join()
  }

  #enter(mode: Coherence, reason: string): void {
    this.#mode = mode
    this.#listener?.epochBegan(reason)
  }

  #beat(): void {
    for (const connection of this.#contacts.keys()) this.#ask(connection)
    this.#bus.beat()
    if (this.#bus.isJoined) this.#presence.beat()
    else if (this.#mode === 'tracking') this.#presence.lookAgain()
  }

  #ask(connection: PortConnection): void {
    const sentMs = this.#settings.clock.monotonicMs()
    connection.send(['TIME'], 'text').then(
      (time) => {
        const contact = this.#contacts.get(connection)
        if (contact === undefined) return
        contact.clock.learn(time as readonly string[], sentMs)
        contact.provenAtMs = Math.max(contact.provenAtMs, sentMs)
        this.#updateTrust()
      },
      () => {},
    )
  }

  #updateTrust(): void {
    let provenAtMs = Number.POSITIVE_INFINITY
    for (const contact of this.#contacts.values()) provenAtMs = Math.min(provenAtMs, contact.provenAtMs)
    this.#trackedUntilMs =
      this.#contacts.size === 0 ? Number.NEGATIVE_INFINITY : provenAtMs + this.#settings.trustMs
  }
}
