import { randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { AcquireReply } from '../backend/shared-tier.ts'
import type { BoundGeneration, EntryMeta } from '../codec/entry-meta.ts'
import { isProgrammingMistake } from '../foundation/cache-error.ts'
import type { CacheCore } from './cache-core.ts'
import { type ResolvedEntryOptions, storedTtlMs } from './cache-options.ts'
import type { Judgement } from './entry-reader.ts'
import { Flight, type Outcome } from './flight.ts'
import { handOut, type IsolatedValue, isolate } from './isolation.ts'
import type { KeySpace } from './key-space.ts'
import { Lease } from './lease.ts'
import { LoadContext, type Loader } from './load-context.ts'
import type { LocalEntry } from './local-tier.ts'

/** One call of `getOrSet` that the local tier could not answer. */
export interface LoadRequest {
  readonly space: KeySpace
  readonly key: string
  readonly storedKey: string
  /** Stored keys of the generations that the entry must depend on: of its namespaces and of its tags. */
  readonly generationKeys: readonly string[]
  readonly options: ResolvedEntryOptions
  readonly loader: Loader<unknown>
}

/** Looks at the key that another process loads at least this often, where a push is to be expected. */
const POLL_BEHIND_PUSH_MS = 500
/** Likewise where none is: at first, and at most. */
const FIRST_POLL_MS = 20
const LONGEST_POLL_MS = 250
/** Those who are woken by the same push read again within this time of one another. */
const WAKE_JITTER_MS = 4
/** A value that is changed under us more often than this in a row is loaded without being cached. */
const MOST_ATTEMPTS = 1_000
/** Keys whose tags are remembered, since only their values tell them. */
const MOST_LEARNED = 10_000

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
  /** Tags that only the value of a key told, to be captured before it is loaded the next time (G3). */
  readonly #learnedTags = new LRUCache<string, readonly string[]>({ max: MOST_LEARNED })

  constructor(core: CacheCore) {
    this.#core = core
  }

  async getOrLoad<T>(request: LoadRequest, signal: AbortSignal | undefined): Promise<T> {
    for (;;) {
      signal?.throwIfAborted()
      const flight = await this.#flightFor(request)
      const isLate = flight.isLoading
      const outcome = await flight.join(signal)
      if (!isLate || this.#mayServeLate(flight, outcome)) return handOut<T>(outcome.isolated)
    }
  }

  /** Loads anew while a stale value is being served. */
  refresh(request: LoadRequest): void {
    if (!this.#core.flights.has(request.storedKey)) this.#start(request, true)
  }

  /** The flight of this key, where a newcomer may still join it; a new one otherwise. Synchronous where it can be. */
  #flightFor(request: LoadRequest): Flight | Promise<Flight> {
    const flight = this.#core.flights.get(request.storedKey)
    if (flight === undefined) return this.#start(request, false)
    if (this.#isOutdated(flight)) {
      // What it loads will be of no use to anybody, and should keep nobody waiting.
      flight.close()
      void flight.lease?.release()
      return this.#start(request, false)
    }
    // What it loads could not be invalidated by a tag of this call.
    if (!request.generationKeys.every((key) => flight.generationKeys.includes(key)))
      return this.#start(request, false)
    const admitted = flight.admits()
    if (admitted === true) return flight
    if (admitted === false) return this.#start(request, false)
    return admitted.then((isAdmitted) => (isAdmitted ? flight : this.#flightFor(request)))
  }

  /** Whether a generation was renewed, or an invalidation may have been missed, since the flight began. */
  #isOutdated({ epoch, generationKeys, startedAt }: Flight): boolean {
    const { generations, local } = this.#core
    return (
      epoch !== local.epoch || generationKeys.some((key) => generations.wasInvalidatedSince(key, startedAt))
    )
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
    return this.#loadUncached(flight, request)
  }

  async #attempt(
    flight: Flight,
    request: LoadRequest,
    isRefresh: boolean,
    attempt: number,
  ): Promise<Outcome | 'again'> {
    const { arrivals, clock, reader, tier } = this.#core
    const { key, storedKey } = request
    let judgement: Judgement
    try {
      judgement = await reader.read(storedKey, request.generationKeys)
    } catch (error) {
      this.#tell(key, error)
      return this.#loadUncached(flight, request)
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
      if (attempted === undefined) return await this.#loadUncached(flight, request, entry)
      const { lease, reply } = attempted
      if (lease !== undefined) return await this.#loadUnderLease(flight, request, attempted, lease, entry)
      if (reply.status === 'foreign') return await this.#loadUncached(flight, request, entry)
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
    const { clock, options, policy, tier, timers } = this.#core
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
      this.#capture(request),
    ])
    flight.isAcquiring = false
    if (acquired.status === 'rejected') {
      this.#tell(key, acquired.reason)
      return undefined
    }
    const reply = acquired.value
    if (reply.status !== 'acquired') return { reply, lease: undefined, bound: [] }
    const lease = new Lease(storedKey, token, connection, {
      ...{ clock, timers, tier, leaseMs: options.leaseMs, longestLoadMs: options.longestLoadMs },
      onLost: () => policy.events.emit('lease-lost', { key }),
    })
    flight.lease = lease
    if (captured.status === 'fulfilled') return { reply, lease, bound: captured.value }
    this.#tell(key, captured.reason)
    void lease.release()
    return undefined
  }

  /** The generations that what is loaded now depends on (G2). */
  async #capture({ generationKeys, storedKey }: LoadRequest): Promise<readonly BoundGeneration[]> {
    const learned = this.#learnedTags.get(storedKey) ?? []
    const wanted = learned.length === 0 ? generationKeys : [...new Set([...generationKeys, ...learned])]
    return Promise.all(wanted.map((generationKey) => this.captureOne(generationKey)))
  }

  /** As it is known here, or else as the server has it, made there where it has none. */
  async captureOne(generationKey: string): Promise<BoundGeneration> {
    const { clock, generationTtlMs, generations, tier } = this.#core
    const known = generations.known(generationKey)
    // One that is read seldom from Redis is renewed there by being asked for.
    const isYoung = known !== undefined && clock.monotonicMs() - known.learnedAtMs < generationTtlMs / 4
    if (known !== undefined && isYoung) return { storedKey: generationKey, generation: known.generation }
    const pending = generations.expect(generationKey)
    try {
      const generation = await tier.capture(generationKey, generationTtlMs)
      generations.learn(generationKey, pending, generation)
      return { storedKey: generationKey, generation }
    } finally {
      generations.forget(generationKey, pending)
    }
  }

  async #loadUnderLease(
    flight: Flight,
    request: LoadRequest,
    { bound, reply }: Attempt,
    lease: Lease,
    stale: LocalEntry | undefined,
  ): Promise<Outcome> {
    const loaderBeganAt = this.#core.generations.now
    let loaded: Loaded
    try {
      loaded = await this.#load(flight, request)
    } catch (error) {
      void lease.release()
      return this.#serveInstead(request.key, stale, error)
    }
    lease.end()
    const { context, durationMs, value } = loaded
    if (value === undefined || context.isSkipped) {
      void lease.release()
      return { isolated: { value, isCloned: false }, lateTagKeys: [] }
    }
    const late = this.#lateTags(request, context, bound, loaderBeganAt)
    const lateTagKeys = late.map(({ isKnown, storedKey }) => ({ isKnown, tagKey: storedKey }))
    if (late.some(({ isKnown }) => !isKnown)) {
      const tagKeys = late.map(({ storedKey }) => storedKey)
      this.#learnedTags.set(request.storedKey, tagKeys)
      void lease.release()
      return { isolated: await this.#isolated(request, value), lateTagKeys }
    }
    const options = context.resolve(request.options)
    const meta: EntryMeta = {
      ...options,
      stamp: newStamp(),
      createdAtMs: reply.serverNowMs,
      loadCostMs: durationMs,
      generations: [...bound, ...late.filter((tag) => !bound.some((one) => one.storedKey === tag.storedKey))],
    }
    try {
      return { isolated: await this.#fill(request, lease, value, meta), lateTagKeys }
    } catch (error) {
      void lease.release()
      if (isProgrammingMistake(error)) throw error
      this.#tell(request.key, error)
      return { isolated: { value, isCloned: false }, lateTagKeys }
    }
  }

  /**
   * Tags that only the value told bind to a generation that was read before the loader began and is still live (G3);
   * those that were captured for this load are bound already.
   */
  #lateTags(
    { generationKeys, space }: LoadRequest,
    context: LoadContext,
    bound: readonly BoundGeneration[],
    loaderBeganAt: number,
  ): LateTag[] {
    const tagKeys = context.tags
      .map((tag) => space.tagKey(tag))
      .filter((key) => !generationKeys.includes(key))
    return tagKeys.map((tagKey) => {
      const captured = bound.find(({ storedKey }) => storedKey === tagKey)
      if (captured !== undefined) return { ...captured, isKnown: true }
      const known = this.#core.generations.known(tagKey)
      const isKnown = known !== undefined && known.learnedAt <= loaderBeganAt
      return { storedKey: tagKey, generation: known?.generation ?? '', isKnown }
    })
  }

  /** Stores the entry under its token, and keeps it here: the script has read what it stored (L1). */
  async #fill(request: LoadRequest, lease: Lease, value: unknown, meta: EntryMeta): Promise<IsolatedValue> {
    const { codec, generations, local, policy, reader, tier } = this.#core
    const { key, storedKey } = request
    const bytes = codec.encodeEntry(storedKey, value, meta)
    const own = this.#core.options.isolation === 'share' ? value : await codec.decodeEntry(storedKey, bytes)
    const known = meta.generations.map(({ storedKey: generationKey }) => generations.known(generationKey))
    const isKeepable = known.every(
      (one, index) => one !== undefined && one.generation === meta.generations[index]?.generation,
    )
    const entry = reader.entry(storedKey, own, meta, isKeepable ? (known as never) : [])
    const pending = local.expect(storedKey)
    try {
      const isStored = lease.isValid && (await tier.fill(storedKey, lease.token, bytes, storedTtlMs(meta)))
      if (!isStored) policy.events.emit('lease-lost', { key })
      else if (isKeepable) local.keep(storedKey, pending, entry, bytes.length)
    } catch (error) {
      this.#tell(key, error)
    } finally {
      local.forget(storedKey, pending)
    }
    return entry.isolated
  }

  /** Without a token nothing is stored. */
  async #loadUncached(
    flight: Flight,
    request: LoadRequest,
    stale: LocalEntry | undefined = undefined,
  ): Promise<Outcome> {
    try {
      const { context, value } = await this.#load(flight, request)
      const tagKeys = context.tags.map((tag) => request.space.tagKey(tag))
      const lateTagKeys = tagKeys.map((tagKey) => ({ tagKey, isKnown: false }))
      const isRaw = value === undefined || context.isSkipped
      const isolated = isRaw ? { value, isCloned: false } : await this.#isolated(request, value)
      return { isolated, lateTagKeys }
    } catch (error) {
      if (isProgrammingMistake(error)) throw error
      return this.#serveInstead(request.key, stale ?? this.#unrefuted(request), error)
    }
  }

  async #load(flight: Flight, { key, loader }: LoadRequest): Promise<Loaded> {
    const { clock, policy } = this.#core
    flight.signal.throwIfAborted()
    flight.isLoading = true
    const context = new LoadContext(key, flight.signal)
    const beganMs = clock.monotonicMs()
    try {
      const value = await loader(context)
      const durationMs = clock.monotonicMs() - beganMs
      policy.events.emit('load', { key, durationMs })
      return { context, value, durationMs }
    } catch (error) {
      policy.events.emit('load', { key, durationMs: clock.monotonicMs() - beganMs, error })
      throw error
    }
  }

  /** A stale value within its window where the loader failed; else its error. */
  #serveInstead(key: string, stale: LocalEntry | undefined, error: unknown): Outcome {
    if (stale === undefined || !isWithinErrorWindow(stale, this.#core.clock.monotonicMs())) throw error
    return this.#stale(key, stale, 'error')
  }

  /** What this process still holds of an older epoch: nothing is known against it, so it may stand in for an error. */
  #unrefuted({ generationKeys, storedKey }: LoadRequest): LocalEntry | undefined {
    const entry = this.#core.localEntry(storedKey)
    return entry?.isUnrefuted && entry.dependsOn(generationKeys) ? entry : undefined
  }

  /** A value of the caller's own making, as if it had been stored and read. */
  async #isolated({ storedKey }: LoadRequest, value: unknown): Promise<IsolatedValue> {
    const { codec, options } = this.#core
    if (options.isolation === 'share') return { value, isCloned: false }
    const encoded = codec.encode(storedKey, value)
    return isolate(await codec.decode(storedKey, Buffer.from(encoded as string)), options.isolation)
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

/** A deadline further off than this stems from another clock. */
const LONGEST_LEASE_MS = 60_000

/** What came of asking for a lease. */
interface Attempt {
  readonly reply: AcquireReply
  readonly lease: Lease | undefined
  readonly bound: readonly BoundGeneration[]
}

interface Loaded {
  readonly value: unknown
  readonly context: LoadContext
  readonly durationMs: number
}

interface LateTag extends BoundGeneration {
  readonly isKnown: boolean
}

function isWithinErrorWindow(entry: LocalEntry, nowMs: number): boolean {
  return (entry.meta?.staleIfErrorMs ?? 0) > 0 && nowMs < entry.staleIfErrorUntilMs
}

/** Tells this write from every other. */
export function newStamp(): string {
  return randomBytes(8).toString('latin1')
}
