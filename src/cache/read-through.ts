import { randomBytes } from 'node:crypto'
import type { AcquireReply } from '../backend/shared-tier.ts'
import type { CacheCore } from './cache-core.ts'
import { storedTtlMs } from './cache-options.ts'
import type { Judgement } from './entry-reader.ts'
import { Flight, type Outcome } from './flight.ts'
import { handOut } from './isolation.ts'
import { Lease } from './lease.ts'
import { type LeasedLoad, Loading, type LoadRequest } from './loading.ts'
import type { LocalEntry } from './local-tier.ts'

/** Looks at the key that another process loads at least this often, where a push is to be expected. */
const POLL_BEHIND_PUSH_MS = 500
/** Likewise where none is: at first, and at most. */
const FIRST_POLL_MS = 20
const LONGEST_POLL_MS = 250
/** Those who are woken by the same push read again within this time of one another. */
const WAKE_JITTER_MS = 4
/** A value that is changed under us more often than this in a row is loaded without being cached. */
const MOST_ATTEMPTS = 1_000
/** A deadline further off than this stems from another clock. */
const LONGEST_LEASE_MS = 60_000

/**
 * Get or load: the path of a read that the local tier cannot answer.
 *
 * ```
 * read entry and unknown generations ─ fresh ──────────────────────────────▶ serve
 *        │ absent, unusable, stale                                             ▲
 *        ▼                                                                     │
 * acquire the lease, capture generations ─ held elsewhere ─▶ wait, read again ─┘
 *        │ acquired
 *        ▼
 * run the loader (the lease is renewed) ─▶ fill: stored only if the key still bears the token
 * ```
 *
 * One flight a key runs this for everybody in the process. Whatever fails on the way to Redis, the loader is run, and
 * nothing is stored without a token (L6).
 */
export class ReadThrough {
  readonly #core: CacheCore
  readonly #loading: Loading

  constructor(core: CacheCore) {
    this.#core = core
    this.#loading = new Loading(core)
  }

  async getOrLoad<T>(request: LoadRequest, signal: AbortSignal | undefined): Promise<T> {
    for (;;) {
      signal?.throwIfAborted()
      const flight = await this.#flightFor(request)
      const isLate = !flight.claim() && flight.isLoading
      const outcome = await flight.join(signal)
      if (!isLate || this.#mayServeLate(flight, outcome)) return handOut<T>(outcome.isolated)
    }
  }

  /** Loads anew while a stale value is being served. */
  refresh(request: LoadRequest): void {
    if (!this.#core.flights.has(request.storedKey)) this.#start(request, true).claim()
  }

  /** The flight of this key, where a newcomer may still join it; a new one otherwise. Synchronous where it can be. */
  #flightFor(request: LoadRequest): Flight | Promise<Flight> {
    const { flights, generations, local } = this.#core
    const flight = flights.get(request.storedKey)
    if (flight === undefined) return this.#start(request, false)
    if (flight.epoch !== local.epoch) return this.#replace(flight, request)
    // What it loads could not be invalidated by a tag of this call.
    const bearsAll = request.generationKeys.every((key) => flight.generationKeys.includes(key))
    if (!bearsAll) return this.#start(request, false)
    const doubtful = flight.generationKeys.filter((key) =>
      generations.wasInvalidatedSince(key, flight.isCurrentAt),
    )
    if (doubtful.length > 0) return this.#settleGenerations(flight, request, doubtful)
    const admitted = flight.admits()
    if (admitted === true) return flight
    if (admitted === false) return this.#start(request, false)
    return admitted.then((isAdmitted) => (isAdmitted ? flight : this.#flightFor(request)))
  }

  /** What the flight loads will be of no use to newcomers, and should keep nobody waiting. */
  #replace(flight: Flight, request: LoadRequest): Flight {
    flight.close()
    void flight.lease?.release()
    return this.#start(request, false)
  }

  /** News of a generation may be the echo of its making for this very load: whether it was renewed, the server tells. */
  async #settleGenerations(
    flight: Flight,
    request: LoadRequest,
    doubtful: readonly string[],
  ): Promise<Flight> {
    const { flights, generations, reader } = this.#core
    const asOf = generations.now
    const current = await Promise.all(doubtful.map((key) => reader.fetch(key).catch(() => undefined)))
    const isCurrent = doubtful.every(
      (key, index) => current[index] !== undefined && current[index].generation === flight.boundTo(key),
    )
    if (isCurrent) flight.isCurrentAt = Math.max(flight.isCurrentAt, asOf)
    const isReplaced = flights.get(request.storedKey) !== flight
    return isCurrent || isReplaced ? this.#flightFor(request) : this.#replace(flight, request)
  }

  /** Who joined while the loader ran must not get what bears a tag that was invalidated before that (L4). */
  #mayServeLate(flight: Flight, { lateTagKeys }: Outcome): boolean {
    return lateTagKeys.every(
      ({ isKnown, tagKey }) =>
        isKnown && !this.#core.generations.wasInvalidatedSince(tagKey, flight.startedAt),
    )
  }

  #start(request: LoadRequest, isRefresh: boolean): Flight {
    const { flights, generations, local } = this.#core
    const { generationKeys, storedKey } = request
    const flight = new Flight(generationKeys, generations.now, local.epoch)
    flights.set(storedKey, flight)
    flight.run(async () => {
      try {
        return await this.#run(flight, request, isRefresh)
      } finally {
        flight.close()
        if (flights.get(storedKey) === flight) flights.delete(storedKey)
        if (flight.wantsRefresh) this.refresh(request)
      }
    })
    return flight
  }

  async #run(flight: Flight, request: LoadRequest, isRefresh: boolean): Promise<Outcome> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const outcome = await this.#attempt(flight, request, isRefresh, attempt)
      if (outcome !== 'again') return outcome
      flight.signal.throwIfAborted()
    }
    return this.#loading.uncached(flight, request)
  }

  async #attempt(
    flight: Flight,
    request: LoadRequest,
    isRefresh: boolean,
    attempt: number,
  ): Promise<Outcome | 'again'> {
    const { arrivals, clock, generations, local, opened, reader, tier } = this.#core
    const { key, storedKey } = request
    let judgement: Judgement
    try {
      await opened()
      // Whatever was invalidated before this moment, what is read or loaded from here on is newer.
      flight.beginAttempt(generations.now, local.epoch)
      judgement = await reader.read(storedKey, request.generationKeys)
    } catch (error) {
      this.#tell(key, error)
      return this.#loading.uncached(flight, request)
    }
    const entry = judgement.state === 'usable' ? judgement.entry : undefined
    if (entry !== undefined && clock.monotonicMs() < entry.freshUntilMs) return this.#hit(key, entry)
    const isServable = entry !== undefined && clock.monotonicMs() < entry.staleWhileRevalidateUntilMs
    if (isServable && !isRefresh) {
      // This flight ends with the stale value; the next one loads.
      flight.wantsRefresh = true
      return this.#stale(key, entry, 'revalidate')
    }
    const arrival = arrivals.expect(storedKey)
    try {
      const attempted = await this.#acquire(flight, request, judgement)
      if (attempted === undefined) return await this.#loading.uncached(flight, request, entry)
      const { leased, reply } = attempted
      if (leased !== undefined) return await this.#loading.underLease(flight, request, leased, entry)
      if (reply.status === 'foreign') return await this.#loading.uncached(flight, request, entry)
      if (reply.status === 'changed') return 'again'
      if (isServable) return this.#stale(key, entry, 'revalidate')
      flight.isWaiting = true
      await arrival.wait(this.#patienceMs(reply.remainingMs, attempt), flight.signal)
      if (tier.coherence === 'tracking') await this.#pause(Math.random() * WAKE_JITTER_MS)
      flight.isWaiting = false
      return 'again'
    } finally {
      arrival.end()
    }
  }

  /** Lease and generations are asked for in one tick: both stand before the loader begins. */
  async #acquire(flight: Flight, request: LoadRequest, judgement: Judgement): Promise<Attempt | undefined> {
    const { captures, clock, options, policy, tier, timers } = this.#core
    const { key, storedKey } = request
    const token = randomBytes(16).toString('latin1')
    const connection = tier.connectionOf(storedKey)
    flight.isAcquiring = true
    const [acquired, captured] = await Promise.allSettled([
      tier.acquire(storedKey, {
        token,
        leaseMs: options.leaseMs,
        longestLeaseMs: Math.max(options.leaseMs, LONGEST_LEASE_MS),
        stamp: judgement.stamp,
        purpose: judgement.state === 'usable' && judgement.entry.meta !== undefined ? 'refresh' : 'replace',
      }),
      captures.all(this.#loading.generationKeysOf(request), storedTtlMs(request.options)),
    ])
    flight.isAcquiring = false
    if (acquired.status === 'rejected') {
      this.#tell(key, acquired.reason)
      return undefined
    }
    const reply = acquired.value
    if (reply.status !== 'acquired') return { reply, leased: undefined }
    const lease = new Lease(storedKey, token, connection, {
      ...{ clock, timers, tier, leaseMs: options.leaseMs, longestLoadMs: options.longestLoadMs },
      onLost: () => policy.events.emit('lease-lost', { key }),
    })
    flight.lease = lease
    if (captured.status === 'fulfilled') {
      flight.bound = captured.value
      return { reply, leased: { lease, bound: captured.value, serverNowMs: reply.serverNowMs } }
    }
    this.#tell(key, captured.reason)
    void lease.release()
    return undefined
  }

  #hit(key: string, { isolated }: LocalEntry): Outcome {
    const { events } = this.#core.policy
    if (events.has('hit')) events.emit('hit', { key })
    return { isolated, lateTagKeys: [] }
  }

  #stale(key: string, { isolated }: LocalEntry, reason: 'revalidate' | 'error'): Outcome {
    this.#core.policy.events.emit('stale', { key, reason })
    return { isolated, lateTagKeys: [] }
  }

  #patienceMs(remainingMs: number, attempt: number): number {
    const { coherence } = this.#core.tier
    const isTold = coherence === 'tracking' || coherence === 'bus'
    const pollMs = isTold ? POLL_BEHIND_PUSH_MS : Math.min(FIRST_POLL_MS * 2 ** attempt, LONGEST_POLL_MS)
    return Math.min(remainingMs + 1, pollMs)
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#core.timers.after(delayMs, resolve)
    })
  }

  #tell(key: string, error: unknown): void {
    this.#core.policy.tell('getOrSet', key, error)
  }
}

/** What came of asking for a lease. */
interface Attempt {
  readonly reply: AcquireReply
  /** `undefined` where it was not acquired. */
  readonly leased: LeasedLoad | undefined
}
