import type { CacheCore } from '../core/cache-core.ts'
import type { EarlierRead } from '../entries/earlier-read.ts'
import { handOut } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { Caller } from './caller.ts'
import { Flight, type Outcome, served } from './flight.ts'
import { FlightCourse } from './flight-course.ts'
import type { Flights } from './flights.ts'
import type { LoadRequest } from './load-request.ts'
import { Loading } from './load-runner.ts'
import { StaleFallback } from './stale-fallback.ts'

/**
 * Get or load, for everybody in the process: one flight a key, which its callers join, wait for and leave. What a
 * flight does is told at {@link FlightCourse}.
 */
export class SingleFlight {
  readonly #core: CacheCore
  readonly #flights: Flights
  readonly #staleFallback: StaleFallback
  readonly #course: FlightCourse

  constructor(core: CacheCore, flights: Flights) {
    this.#core = core
    this.#flights = flights
    this.#staleFallback = new StaleFallback(core)
    this.#course = new FlightCourse(core, new Loading(core, this.#staleFallback))
  }

  /**
   * @param earlier what was read of the key already
   * @returns also the entry, where it was a hit
   */
  async getOrLoad<T>(
    request: LoadRequest,
    signal: AbortSignal | undefined,
    earlier?: EarlierRead,
  ): Promise<Answer<T>> {
    const caller = this.#callerOf(request, signal)
    for (let read = earlier; ; read = undefined) {
      signal?.throwIfAborted()
      const flight = await this.#flightFor(request, read)
      // Its last caller may have gone since it was found.
      if (flight.isAbandoned) continue
      const meanwhile = flight.found && (await this.#servedMeanwhile(flight.found, request))
      if (meanwhile !== undefined) return this.#serve(request, meanwhile)
      // Or while what is there was validated.
      if (flight.isAbandoned) continue
      const hasJoined = !flight.claim()
      const isLate = hasJoined && flight.isLoading
      const outcome = await this.#outcomeFor(caller, flight, request)
      if (outcome.origin === 'timeout') return this.#serve(request, outcome)
      const mayBeServed = isLate ? this.#mayServeLate(flight, outcome) : !hasJoined || isUndoubted(outcome)
      if (mayBeServed) return this.#serve(request, outcome)
    }
  }

  /**
   * What is there while it is being replaced: a value that is refreshed is served to all but those who asked for that.
   * It is no longer kept locally, since the lease was written into it; but the flight has let this caller in, so nothing
   * else has happened to it.
   */
  async #servedMeanwhile(found: LocalEntry, { accepts }: LoadRequest): Promise<Outcome | undefined> {
    const nowMs = this.#core.clock.monotonicMs()
    if (!found.isStaleServable(nowMs) || !this.#core.isCoherent(found, nowMs)) return undefined
    if (accepts !== undefined && !(await accepts(found.value))) return undefined
    return served(found, nowMs < found.freshUntilMs ? 'hit' : 'revalidate')
  }

  /** By a load that begins now, whatever is there and whoever is loading it. */
  async reload<T>(request: LoadRequest, signal: AbortSignal | undefined): Promise<Answer<T>> {
    signal?.throwIfAborted()
    const caller = this.#callerOf(request, signal)
    const flight = this.#reloadNotBegun(request) ?? this.#start(request)
    flight.claim()
    return this.#serve(request, await this.#outcomeFor(caller, flight, request))
  }

  /** A reload of the same key whose loader is yet to be called. */
  #reloadNotBegun({ generationKeys, storedKey }: LoadRequest): Flight | undefined {
    const { local } = this.#core
    const flight = this.#flights.get(storedKey)
    if (flight === undefined || !flight.isReload || flight.isLoading || flight.epoch !== local.epoch)
      return undefined
    const bearsAll = generationKeys.every((key) => flight.generationKeys.includes(key))
    return bearsAll && flight.admits() === true ? flight : undefined
  }

  #callerOf({ key, policies }: LoadRequest, signal: AbortSignal | undefined): Caller {
    const { clock, options, stopping, timers } = this.#core
    return new Caller({
      key,
      policies,
      signal,
      stopping,
      clock,
      timers,
      longestStayMs: options.longestLoadMs,
    })
  }

  /** Loads anew in the background, unless that is being done. */
  refresh(request: LoadRequest): void {
    const { background, clock, options, stopping, timers } = this.#core
    const { key, policies, storedKey } = request
    if (this.#isUnderWay(storedKey)) return
    const flight = this.#start({ ...request, isBackground: true })
    flight.claim()
    const longestStayMs = options.longestLoadMs
    const bounds = {
      softTimeoutMs: Number.POSITIVE_INFINITY,
      hardTimeoutMs: Math.min(policies.hardTimeoutMs, longestStayMs),
    }
    const caller = new Caller({
      ...{ key, policies: bounds, signal: stopping, stopping, clock, timers, longestStayMs },
    })
    background.follow('refresh', key, this.#wait(caller, flight, request).then(throwError))
  }

  /** Loads a fresh value anew before it expires. */
  refreshEarly(request: LoadRequest, { stamp }: LocalEntry): void {
    const { clock, metrics } = this.#core
    if (this.#isUnderWay(request.storedKey)) return
    metrics.add('earlyRefreshes', 1, clock.monotonicMs())
    this.refresh({ ...request, replaces: { stamp } })
  }

  /** Whether something may still come of a flight of this key. */
  #isUnderWay(storedKey: string): boolean {
    const flight = this.#flights.get(storedKey)
    return flight !== undefined && !flight.isAbandoned && !this.#isOverdue(flight)
  }

  #isOverdue(flight: Flight): boolean {
    return flight.isOverdue(this.#core.clock.monotonicMs(), this.#core.options.longestLoadMs)
  }

  /** What the flight comes to; a stale value where that takes too long, and the rest goes on in the background. */
  #wait(caller: Caller, flight: Flight, request: LoadRequest): Promise<Outcome> {
    const { background } = this.#core
    return caller.waitFor(
      flight,
      () => this.#staleFallback.forSlow(flight, request),
      (rest) => background.follow('refresh', request.key, rest.then(throwError)),
    )
  }

  /** As {@link #wait}; a call that gets nothing is counted. */
  async #outcomeFor(caller: Caller, flight: Flight, request: LoadRequest): Promise<Outcome> {
    try {
      return await this.#wait(caller, flight, request)
    } catch (error) {
      const { clock, metrics } = this.#core
      metrics.add('misses', 1, clock.monotonicMs())
      throw error
    }
  }

  #serve<T>({ key }: LoadRequest, { entry, isolated, origin }: Outcome): Answer<T> {
    const { clock, metrics, policy } = this.#core
    const nowMs = clock.monotonicMs()
    if (origin === 'hit') {
      metrics.add('sharedHits', 1, nowMs)
      if (policy.events.has('hit')) policy.events.emit('hit', { key })
    } else if (origin === 'load') {
      metrics.add('misses', 1, nowMs)
    } else {
      metrics.add('staleServes', 1, nowMs)
      policy.events.emit('stale', { key, reason: origin })
    }
    return { value: handOut<T>(isolated), entry: origin === 'hit' ? entry : undefined }
  }

  /** The flight of this key, where a newcomer may still join it; a new one otherwise. Synchronous where it can be. */
  #flightFor(request: LoadRequest, earlier?: EarlierRead): Flight | Promise<Flight> {
    const { clock, generations, local } = this.#core
    const flight = this.#flights.get(request.storedKey)
    if (flight === undefined) return this.#start(request, earlier)
    if (flight.epoch !== local.epoch) return this.#replace(flight, request)
    if (this.#isOverdue(flight)) return this.#start(request)
    // What may be served meanwhile, it will know in a moment.
    const deciding = flight.deciding()
    if (deciding !== undefined) return deciding.then(() => this.#flightFor(request))
    if (flight.isPassedBy(clock.monotonicMs())) return this.#start(request)
    // What it loads could not be invalidated by a tag of this call.
    const bearsAll = request.generationKeys.every((key) => flight.generationKeys.includes(key))
    if (!bearsAll) return this.#start(request)
    const doubtful = flight.generationKeys.filter((key) =>
      generations.wasInvalidatedSince(key, flight.isCurrentAt),
    )
    if (doubtful.length > 0) return this.#settleGenerations(flight, request, doubtful)
    const admitted = flight.admits()
    if (admitted === true) return flight
    if (admitted === false) return this.#start(request)
    return admitted.then((isAdmitted) => (isAdmitted ? flight : this.#flightFor(request)))
  }

  /** What the flight loads will be of no use to newcomers, and should keep nobody waiting. */
  #replace(flight: Flight, request: LoadRequest): Flight {
    flight.close()
    void flight.lease?.release()
    return this.#start(request)
  }

  /** News of a generation may be the echo of its making for this very load: whether it was renewed, the server tells. */
  async #settleGenerations(
    flight: Flight,
    request: LoadRequest,
    doubtful: readonly string[],
  ): Promise<Flight> {
    const { generations, reader } = this.#core
    const asOf = generations.now
    const current = await Promise.all(doubtful.map((key) => reader.fetch(key).catch(() => undefined)))
    const isCurrent = doubtful.every(
      (key, index) => current[index] !== undefined && current[index].generation === flight.boundTo(key),
    )
    if (isCurrent) flight.isCurrentAt = Math.max(flight.isCurrentAt, asOf)
    const isReplaced = this.#flights.get(request.storedKey) !== flight
    return isCurrent || isReplaced ? this.#flightFor(request) : this.#replace(flight, request)
  }

  /** Who joined while the loader ran must not get what bears a tag that was invalidated before that (L4). */
  #mayServeLate(flight: Flight, { lateTagKeys }: Outcome): boolean {
    return lateTagKeys.every(
      ({ isKnown, tagKey }) =>
        isKnown && !this.#core.generations.wasInvalidatedSince(tagKey, flight.startedAt),
    )
  }

  #start(request: LoadRequest, earlier?: EarlierRead): Flight {
    const { generations, local } = this.#core
    const { shared, storedKey } = request
    const flight = new Flight(request, generations.now, local.epoch)
    this.#flights.begin(storedKey, flight)
    shared?.expect(storedKey)
    flight.run(async () => {
      try {
        return await this.#course.run(flight, request, earlier)
      } finally {
        shared?.decided(storedKey)
        flight.close()
        this.#flights.end(storedKey, flight)
        if (flight.successor !== undefined) this.refresh(flight.successor)
      }
    })
    return flight
  }
}

/** What a caller gets. */
interface Answer<T> {
  readonly value: T
  /** The fresh entry that it came from. */
  readonly entry: LocalEntry | undefined
}

/**
 * Whether what was found may go to somebody who came after the flight had begun: a tag that only the entry names may
 * have been invalidated in between, and its generation may have been read before that (L4).
 */
function isUndoubted({ entry }: Outcome): boolean {
  return entry === undefined || entry.generationSet.isValid
}

function throwError(outcome: Outcome | undefined): void {
  if (outcome?.error !== undefined) throw outcome.error
}
