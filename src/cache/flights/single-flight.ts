import type { BoundGeneration } from '../../codec/envelope/entry-meta.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { servableAsReadTo, servableTo } from '../freshness/max-age.ts'
import { handOver } from '../inheritance/hand-over.ts'
import type { HeldLeases } from '../loading/held-leases.ts'
import type { FirstRead, LoadRequest } from '../loading/load-request.ts'
import { LoadRunner } from '../loading/load-runner.ts'
import { LoaderCall } from '../loading/loader-call.ts'
import { isUndoubted, type Outcome, served, throwFailure } from '../loading/outcome.ts'
import { StaleFallback } from '../loading/stale-fallback.ts'
import { WaitForGraph } from '../loading/wait-for-graph.ts'
import { handOut } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { admission } from './admission.ts'
import type { Answer } from './answer.ts'
import type { Caller } from './caller.ts'
import { backgroundCallerOf, callerOf } from './callers.ts'
import { Flight } from './flight.ts'
import { FlightCourse } from './flight-course.ts'
import type { Flights } from './flights.ts'
import { handOverRest } from './rest-of-flight.ts'

/**
 * Reads or loads values for all callers in the process. Each key has one current flight, which callers join, wait for
 * and leave. {@link FlightCourse} runs the flights.
 */
export class SingleFlight {
  readonly #core: CacheCore
  readonly #flights: Flights
  readonly #fallback: StaleFallback
  readonly #course: FlightCourse
  readonly #waits: WaitForGraph

  constructor(core: CacheCore, flights: Flights, leases: HeldLeases) {
    this.#core = core
    this.#flights = flights
    this.#fallback = new StaleFallback(core)
    this.#waits = new WaitForGraph(core)
    this.#course = new FlightCourse(core, new LoadRunner(core, this.#fallback, this.#waits), leases)
  }

  /** @param first a read of the key that has already been sent */
  async getOrLoad<T>(request: LoadRequest, first?: FirstRead): Promise<Answer<T>> {
    if (request.isPast) return this.#loadPast(request)
    const caller = callerOf(this.#core, request)
    for (let read = first; ; read = undefined) {
      caller.assertWaiting()
      const flight = await this.#flightFor(request, read)
      // Its last caller may have left while this one was being admitted.
      if (flight.isAbandoned) continue
      const meanwhile = flight.found && (await this.#servedMeanwhile(flight.found, request))
      if (meanwhile !== undefined) return this.#serve(request, flight, meanwhile)
      // Or while the found value was validated.
      if (flight.isAbandoned) continue
      const hasJoined = !flight.claim()
      const isLate = hasJoined && flight.hasCalledLoader
      const outcome = await this.#outcomeFor(caller, flight, request)
      if (outcome.origin === 'released' && hasJoined) continue
      if (outcome.origin === 'timeout') return this.#serve(request, flight, outcome)
      if (hasJoined && !this.#isYoungEnough(flight, request, outcome)) continue
      const mayBeServed = isLate ? this.#mayServeLate(flight, outcome) : !hasJoined || isUndoubted(outcome)
      if (mayBeServed) return this.#serve(request, flight, outcome)
    }
  }

  /**
   * The value that the flight is replacing, if it may be served meanwhile. All callers get it except those that asked
   * for the refresh. The local tier has dropped it, since the lease was written into it. But the flight has admitted
   * this caller, so no other change has happened to the value.
   */
  async #servedMeanwhile(
    found: LocalEntry,
    { accepts, maxAgeMs }: LoadRequest,
  ): Promise<Outcome | undefined> {
    const { clock, generations } = this.#core
    const nowMs = clock.monotonicMs()
    const how = servableTo(maxAgeMs, found, nowMs)
    if (how !== 'fresh' && how !== 'revalidate') return undefined
    // A load that prolongs generations announces them as changed.
    const areKnown = (judgedBy: readonly BoundGeneration[]) =>
      judgedBy.every((one) => generations.known(one.storedKey)?.generation === one.generation)
    if (!this.#core.isStillCoherent(found, nowMs, areKnown)) return undefined
    if (accepts !== undefined && !(await accepts(found.value))) return undefined
    return served(found, how === 'fresh' ? 'hit' : 'revalidate')
  }

  /** Whether a caller may get the entry that a flight of another one ended with: by its age, or since it was awaited. */
  #isYoungEnough(flight: Flight, { maxAgeMs }: LoadRequest, { entry, origin }: Outcome): boolean {
    if (entry === undefined || maxAgeMs === undefined || flight.hasAwaited(entry)) return true
    const nowMs = this.#core.clock.monotonicMs()
    const how = servableAsReadTo(maxAgeMs, entry, nowMs)
    return origin === 'error' ? how !== 'no' : how === 'fresh' || how === 'revalidate'
  }

  /** Loads the key by a loader that is called from now on, whatever the cache holds and whoever is loading it. */
  async reload<T>(request: LoadRequest): Promise<Answer<T>> {
    if (request.isPast) return this.#loadPast(request)
    const caller = callerOf(this.#core, request)
    caller.assertWaiting()
    const flight = this.#reloadNotBegun(request) ?? this.#start(request)
    flight.claim()
    return this.#serve(request, flight, await this.#outcomeFor(caller, flight, request))
  }

  /** Loads a value past the cache, by a flight that nobody joins. Its transaction may hold what other loads wait for. */
  async #loadPast<T>(request: LoadRequest): Promise<Answer<T>> {
    const { generations, local } = this.#core
    const { shared, storedKey } = request
    const caller = callerOf(this.#core, request)
    caller.assertWaiting()
    const flight = new Flight(request, generations.now, local.epoch)
    shared?.expect(storedKey)
    shared?.hurry()
    flight.run(() => this.#course.runPast(flight, request).finally(() => shared?.decided(storedKey)))
    flight.claim()
    return this.#serve(request, flight, await this.#outcomeFor(caller, flight, request))
  }

  /** A reload of the same key that this caller may join: its loader has not been called yet. */
  #reloadNotBegun({ generationKeys, storedKey }: LoadRequest): Flight | undefined {
    const flight = this.#flights.get(storedKey)
    if (!flight?.isReload || flight.hasCalledLoader) return undefined
    const isCurrent = flight.epoch === this.#core.local.epoch && flight.admits() === true
    const bindsToAll = generationKeys.every((key) => flight.generationKeys.includes(key))
    return isCurrent && bindsToAll ? flight : undefined
  }

  /** Replaces a stale value in the background, unless this process or another one is loading the key. */
  revalidate(request: LoadRequest, { leasedUntilMs }: LocalEntry): void {
    const isLeased = this.#core.clock.monotonicMs() < leasedUntilMs
    const flight = this.#underWay(request.storedKey) ?? (isLeased ? undefined : this.#refresh(request))
    if (flight !== undefined) handOverRest(this.#core, request, flight)
  }

  /** Loads the key in the background. */
  #refresh(request: LoadRequest): Flight {
    const flight = this.#start({ ...request, isBackground: true })
    flight.claim()
    const waiting = this.#wait(backgroundCallerOf(this.#core, request), flight, request)
    request.monitor.follow('refresh', request.key, waiting.then(throwFailure))
    return flight
  }

  /** Replaces a fresh value in the background before it expires. */
  refreshEarly(request: LoadRequest, { stamp }: LocalEntry): void {
    let flight = this.#underWay(request.storedKey)
    if (flight === undefined) {
      request.monitor.earlyRefresh()
      flight = this.#refresh({ ...request, replaces: { stamp } })
    }
    handOverRest(this.#core, request, flight)
  }

  /** The flight of this key, if it may still bring a value. */
  #underWay(storedKey: string): Flight | undefined {
    const { clock, options } = this.#core
    const flight = this.#flights.get(storedKey)
    if (flight === undefined || flight.isAbandoned) return undefined
    return flight.isOverdue(clock.monotonicMs(), options.longestLoadMs) ? undefined : flight
  }

  /** The outcome of the flight. If it takes too long, a stale value; the caller then stays in the background. */
  #wait(caller: Caller, flight: Flight, request: LoadRequest): Promise<Outcome> {
    const { key, monitor } = request
    return caller.waitFor(
      flight,
      () => this.#fallback.forSlow(flight, request),
      (rest) => monitor.follow('refresh', key, rest.then(throwFailure)),
    )
  }

  /** As {@link #wait}. A call that fails counts as a miss. */
  async #outcomeFor(caller: Caller, flight: Flight, request: LoadRequest): Promise<Outcome> {
    this.#assertNoCycle(request)
    const endWait = this.#waits.wait(request.storedKey)
    if (this.#core.places.isLimited && LoaderCall.current() !== undefined) flight.hurry()
    try {
      const outcome = await this.#wait(caller, flight, request)
      const { error, origin } = outcome
      if (origin === 'error' && error !== undefined && !this.#isYoungEnough(flight, request, outcome))
        throw error
      return outcome
    } catch (error) {
      request.monitor.miss(request.key, flight.missReason)
      handOverRest(this.#core, request, flight)
      throw error
    } finally {
      endWait?.()
    }
  }

  /** @throws CacheError `CACHE_CYCLE` if the load would wait for the loader that is asking */
  #assertNoCycle({ key, monitor, shared, storedKey }: LoadRequest): void {
    const cycle = this.#waits.cycleThrough(storedKey)
    if (cycle === undefined) return
    monitor.miss(key, 'absent')
    shared?.decided(storedKey)
    throw new CacheError('CACHE_CYCLE', `A loader waits for its own load: ${cycle}`, {
      operation: 'getOrSet',
      key,
    })
  }

  #serve<T>(request: LoadRequest, flight: Flight, outcome: Outcome): Answer<T> {
    const { key, monitor } = request
    const { entry, failure, isolated, lateTagKeys, origin, stored } = outcome
    if (origin === 'hit') monitor.sharedHit(key, this.#core.clock.monotonicMs(), entry?.loadCostMs ?? 0)
    else if (origin === 'load' || origin === 'released') monitor.miss(key, flight.missReason)
    else monitor.staleServe(key, origin)
    handOver(request, entry ?? stored, lateTagKeys)
    const found = origin === 'hit' ? entry : undefined
    const tier = entry === undefined || entry === flight.found ? 'shared' : 'local'
    handOverRest(this.#core, request, flight)
    return { value: handOut<T>(isolated), entry: found, served: entry, tier, stored, failure, lateTagKeys }
  }

  /** The flight of this key if the caller may join it, otherwise a new one. Synchronous if Redis need not be asked. */
  #flightFor(request: LoadRequest, first?: FirstRead): Flight | Promise<Flight> {
    const flight = this.#flights.get(request.storedKey)
    if (flight === undefined) return this.#start(request, first)
    const admitted = admission(flight, request, this.#core.clock.monotonicMs(), this.#core)
    switch (admitted.step) {
      case 'join':
        return flight
      case 'start':
        // What was read for a caller that joins nothing older is as good as what its flight would read.
        return this.#start(request, request.since === undefined ? undefined : first)
      case 'replace':
        return this.#replace(flight, request)
      case 'await-decision':
        return flight.decided().then(() => this.#flightFor(request))
      case 'check-generations':
        return this.#checkGenerations(flight, request, admitted.doubtful)
      case 'check-lease':
        return this.#checkLease(flight, request)
    }
  }

  /** Starts a flight in place of one whose value is useless to newcomers, and releases the lease of that one. */
  #replace(flight: Flight, request: LoadRequest): Flight {
    flight.close()
    void flight.lease?.release()
    return this.#start(request)
  }

  async #checkGenerations(
    flight: Flight,
    request: LoadRequest,
    doubtful: readonly string[],
  ): Promise<Flight> {
    const { generations } = this.#core
    const asOf = generations.now
    const ask = (key: string) =>
      request.since === undefined ? generations.fetch(key) : generations.fetchAnew(key)
    const current = await Promise.all(doubtful.map((key) => ask(key).catch(() => undefined)))
    const areCurrent = doubtful.every(
      (key, index) => current[index] !== undefined && current[index].generation === flight.boundTo(key),
    )
    if (areCurrent) flight.confirm(asOf)
    const isReplaced = this.#flights.get(request.storedKey) !== flight
    return areCurrent || isReplaced ? this.#flightFor(request) : this.#replace(flight, request)
  }

  async #checkLease(flight: Flight, request: LoadRequest): Promise<Flight> {
    return (await flight.admits()) ? flight : this.#flightFor(request)
  }

  /** Whether a caller that joined while the loader ran may get its value: no late tag of it was invalidated (L4). */
  #mayServeLate(flight: Flight, { lateTagKeys }: Outcome): boolean {
    return lateTagKeys.every(
      ({ isKnown, tagKey }) =>
        isKnown && !this.#core.generations.wasInvalidatedSince(tagKey, flight.startedAt),
    )
  }

  #start(request: LoadRequest, first?: FirstRead): Flight {
    const { generations, local } = this.#core
    const { isBackground, shared, storedKey } = request
    if (isBackground !== true) this.#assertNoCycle(request)
    const flight = new Flight(request, generations.now, local.epoch)
    this.#flights.begin(storedKey, flight)
    shared?.expect(storedKey)
    flight.run(async () => {
      try {
        return await this.#course.run(flight, request, first)
      } finally {
        shared?.decided(storedKey)
        flight.close()
        this.#flights.end(storedKey, flight)
        // A flight that did not join this one has waited for its lease, and on the bus own news go to other processes alone.
        this.#core.waiters.invalidated(storedKey)
        if (flight.successor !== undefined)
          flight.next = this.#underWay(storedKey) ?? this.#refresh(flight.successor)
      }
    })
    return flight
  }
}
