import type { AcquireReply } from '../../backend/seams/shared-tier.ts'
import { tokenAfter } from '../../codec/envelope/entry-meta.ts'
import { isAnyHeld } from '../../codec/envelope/hold-mark.ts'
import { isLostReply, isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import { randomText } from '../../foundation/random-text.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { type Judgement, judgementFor, missReasonOf } from '../entries/judgement.ts'
import { storedTtlMs } from '../freshness/entry-lifetimes.ts'
import { heldLoad } from '../holding/held-load.ts'
import type { HeldLeases } from '../loading/held-leases.ts'
import { Lease, NO_LEASE } from '../loading/lease.ts'
import type { FirstRead, LoadRequest } from '../loading/load-request.ts'
import type { LeasedLoad, LoadRunner } from '../loading/load-runner.ts'
import { type Outcome, served } from '../loading/outcome.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { LONGEST_LEASE_MS } from '../local/local-times.ts'
import type { Flight } from './flight.ts'
import { type Attempt, entryIn, isToBeReplaced, servableIn } from './flight-attempt.ts'
import { LoadTurns } from './load-turns.ts'
import { longestWaitMs } from './poll-interval.ts'

/** Longest random delay before a woken process reads again: one push wakes many, which should not read all at once. */
const WAKE_JITTER_MS = 4
/** Most attempts of a flight, after waits or after changes of the entry; one more then takes the lease over. */
const MOST_ATTEMPTS = 1_000
/** After this many attempts, the flight pauses whenever the entry was changed, so that other work gets its turn. */
const HASTY_ATTEMPTS = 10
const LONGEST_PAUSE_MS = 50

/**
 * Runs one flight: the steps of a read that has found no fresh value.
 *
 * ```
 * judge what was read ─ fresh ─────────────────────────────────────────────▶ serve
 *        │ absent, unusable, stale                                            ▲
 *        ▼                                                                    │
 * acquire the lease, capture generations ─ held elsewhere ─▶ wait, read again ┘
 *        │ acquired
 *        ▼
 * run the loader (the lease is renewed) ─▶ fill: stored only if the key still holds the token
 * ```
 *
 * If Redis fails at any step, the loader runs nevertheless; nothing is stored without a token (L6).
 *
 * A flight does not wait twice for loads that bring nothing: because they fail, skip, or find no value. One process
 * after another would try, and the last one would wait for all of them. So if the load that a flight waited for was
 * fruitless, and another process has begun the next one, the flight runs its own loader beside it, without a lease,
 * unless its process runs one already. It waits for two loads at most. The source gets about one load per key and
 * process, as in an outage of Redis. If failures are to be told to all (`retryAfterError`, `errorTtl`), it does not: it
 * serves its stale value, or waits until it is told of a failure. An error is not passed from process to process: callers
 * tell errors apart by class and identity, which JSON does not carry.
 *
 * Anybody who can write to Redis can write a lease. So a flight does not go on trying for longer than one load may hold
 * its lease. Then it takes the lease over, whoever holds it, and loads the value itself.
 */
export class FlightCourse {
  readonly #core: CacheCore
  readonly #runner: LoadRunner
  readonly #leases: HeldLeases
  readonly #turns: LoadTurns

  constructor(core: CacheCore, runner: LoadRunner, leases: HeldLeases) {
    this.#core = core
    this.#runner = runner
    this.#leases = leases
    this.#turns = new LoadTurns(core.places)
  }

  /**
   * Runs a flight from its first read to its outcome.
   * @param first the first read, if it was sent already
   */
  async run(flight: Flight, request: LoadRequest, first: FirstRead | undefined): Promise<Outcome> {
    const { clock, options } = this.#core
    const untilMs = clock.monotonicMs() + options.longestLoadMs + options.leaseMs
    let isLast = false
    for (let attempt = 0; !isLast; attempt++) {
      isLast = attempt === MOST_ATTEMPTS || (attempt > 0 && clock.monotonicMs() >= untilMs)
      const outcome = await this.#attempt(
        flight,
        request,
        { attempt, isLast },
        attempt === 0 ? first : undefined,
      )
      if (outcome !== 'again') return outcome
      if (flight.isAbandoned) flight.signal.throwIfAborted()
    }
    return this.#turns.within(flight, request, () => this.#runner.uncached(flight, request))
  }

  /** Runs a flight that neither reads nor stores anything. */
  runPast(flight: Flight, request: LoadRequest): Promise<Outcome> {
    return this.#runner.uncached(flight, request)
  }

  async #attempt(
    flight: Flight,
    request: LoadRequest,
    { attempt, isLast }: Attempt,
    first: FirstRead | undefined,
  ): Promise<Outcome | 'again'> {
    const { clock, waiters } = this.#core
    let judgement: Judgement
    try {
      judgement = await this.#judged(flight, request, first)
    } catch (error) {
      // No load would help against a wrong configuration, and none of them would be told of.
      if (isProgrammingMistake(error)) throw error
      flight.missReason = 'unavailable'
      request.monitor.tell('getOrSet', request.key, error)
      return this.#turns.within(flight, request, () => this.#runner.uncached(flight, request))
    }
    const entry = entryIn(judgement)
    flight.missReason = missReasonOf(judgement)
    flight.found = entry
    const how = entry === undefined ? 'no' : servableIn(flight, request, entry, clock.monotonicMs())
    if (entry !== undefined && !isToBeReplaced(entry, request)) {
      if (how === 'fresh') return this.#hit(flight, request, entry)
      if (how === 'revalidate' && !request.isBackground) return this.#stale(flight, request, entry)
    }
    const place = this.#turns.ask(flight, request)
    if (place?.granted !== undefined) await this.#turns.wait(flight, place)
    const remembered = request.space.isHeld ? this.#runner.failed.remembered(request, entry) : undefined
    if (remembered !== undefined) return remembered
    const waiter = waiters.expect(request.storedKey)
    try {
      const acquired = await this.#acquire(flight, request, judgement, isLast)
      if (acquired === undefined) return await this.#runner.uncached(flight, request, entry)
      if (acquired === 'changing') return await this.#heldBack(flight, request)
      if ('lease' in acquired) return await this.#runner.underLease(flight, request, acquired, entry)
      switch (acquired.status) {
        case 'foreign':
          return await this.#runner.uncached(flight, request, entry)
        case 'changing':
          return await this.#heldBack(flight, request)
        case 'held':
          if (request.isBackground && entry !== undefined && (how === 'fresh' || how === 'revalidate')) {
            return served(entry, 'revalidate')
          }
          // The load that it waited for brought nothing, and the next one may not either.
          if (flight.hasWaitedInVain(acquired)) {
            const heedsPause = this.#runner.failed.heedsPause(request, entry)
            const instead = heedsPause && entry && this.#runner.failed.paused(request, acquired, entry)
            if (instead) return instead
            if (!heedsPause && !this.#runner.isLoading(request.storedKey)) {
              return await this.#runner.uncached(flight, request, entry)
            }
          }
          place?.end()
          flight.beginWaiting(acquired)
          request.shared?.decided(request.storedKey)
          await waiter.wait(
            longestWaitMs(this.#core.tier.coherence, acquired.remainingMs, attempt),
            flight.signal,
          )
          if (this.#core.tier.coherence === 'tracking') await this.#pause(Math.random() * WAKE_JITTER_MS)
          return 'again'
        case 'paused': {
          const outcome = this.#runner.failed.paused(request, acquired, entry)
          if (outcome !== undefined) return outcome
          return 'again'
        }
        default:
          // The entry has changed since it was read.
          if (attempt >= HASTY_ATTEMPTS) await this.#pause(Math.min(attempt, LONGEST_PAUSE_MS))
          return 'again'
      }
    } finally {
      waiter.end()
      place?.end()
    }
  }

  /**
   * What the key holds, judged for this request. Drops the local copy of an unusable entry: the load replaces the entry
   * in Redis, and without a notification of that change the copy would outlive it.
   * @throws CacheError if the key cannot be read
   */
  async #judged(flight: Flight, request: LoadRequest, first: FirstRead | undefined): Promise<Judgement> {
    const judgement = await this.#read(flight, request, first)
    if (judgement.state === 'unusable') this.#core.local.drop(request.storedKey)
    return judgement
  }

  async #read(flight: Flight, request: LoadRequest, first: FirstRead | undefined): Promise<Judgement> {
    const { generations, local, opened, reader } = this.#core
    // The flight keeps its own epoch: that of a failed read may have ended with the connection, and would admit nobody.
    if (first?.failure !== undefined) throw first.failure
    if (first?.isCurrent) {
      flight.beginReading(first.askedAt, first.epoch)
      return judgementFor(await first.judged(), request)
    }
    await opened()
    // Everything that is read or loaded from here on is newer than any invalidation before this moment.
    flight.beginReading(generations.now, local.epoch)
    return reader.read(request.storedKey, request, request.since !== undefined)
  }

  /** What was found before the change began is as good as invalidated. */
  #heldBack(flight: Flight, request: LoadRequest): Promise<Outcome> {
    request.monitor.heldBack(request.key)
    return this.#runner.uncached(flight, request)
  }

  #hit(flight: Flight, request: LoadRequest, entry: LocalEntry): Outcome {
    const { clock, random } = this.#core
    const nowMs = clock.monotonicMs()
    if (!request.isBackground && entry.wantsEarlyRefresh(request.policies.earlyBeta, nowMs, random)) {
      flight.successor = { ...request, replaces: entry }
      request.monitor.earlyRefresh()
    }
    return served(entry, 'hit')
  }

  /** Ends the flight with the stale value. The next flight loads a new one, unless another process is loading it. */
  #stale(flight: Flight, request: LoadRequest, entry: LocalEntry): Outcome {
    if (this.#core.clock.monotonicMs() >= entry.leasedUntilMs) flight.successor = request
    return served(entry, 'revalidate')
  }

  /**
   * Acquires the lease and captures the generations, in one tick and before the loader begins.
   * @param takesOver whether it takes the lease from whoever holds it
   * @returns `undefined` if Redis did not answer, or the cache is being closed
   */
  async #acquire(
    flight: Flight,
    request: LoadRequest,
    judgement: Judgement,
    takesOver: boolean,
  ): Promise<LeasedLoad | AcquireReply | 'changing' | undefined> {
    const { clock, generations, options, tier, timers } = this.#core
    if (this.#core.stopping.aborted) return undefined
    const { key, monitor, storedKey } = request
    if (request.space.isHeld) {
      flight.beginAcquiring()
      const load = await heldLoad(this.#core, request, this.#runner.generationKeysOf(request))
      flight.leased(NO_LEASE, load?.bound ?? [])
      return load && isAnyHeld(load.bound) ? 'changing' : load
    }
    const { leaseMs, longestLoadMs } = options
    const token = tokenAfter(randomText(16), 0)
    const connection = tier.connectionOf(storedKey)
    flight.beginAcquiring()
    const askedAtMs = clock.monotonicMs()
    const asking = Promise.allSettled([
      tier.acquire(storedKey, {
        ...{ token, leaseMs, longestLeaseMs: takesOver ? 0 : LONGEST_LEASE_MS, stamp: judgement.stamp },
        purpose: judgement.state === 'usable' && !judgement.entry.isPlain ? 'refresh' : 'replace',
        heedsPause: this.#runner.failed.heedsPause(request, entryIn(judgement)),
      }),
      generations.capture(this.#runner.generationKeysOf(request), storedTtlMs(request.policies)),
    ])
    const [acquired, captured] = await this.#leases.follow(asking)
    if (acquired.status === 'rejected') {
      // It may have been acquired nevertheless, and then every process would wait until it expires.
      if (isLostReply(acquired.reason)) {
        flight.givesBack(this.#leases.giveBack({ storedKey, token, isFruitless: false }))
      }
      monitor.tell('getOrSet', key, acquired.reason)
      return undefined
    }
    if (acquired.value.status !== 'acquired') return acquired.value
    const granted = tokenAfter(token, acquired.value.fruitlessLoads)
    const lease = new Lease(storedKey, granted, connection, {
      ...{ clock, timers, tier, leaseMs, longestLoadMs, held: this.#leases },
      onLost: () => monitor.leaseLost(key),
      onReturn: (returning) => flight.givesBack(returning),
    })
    if (captured.status === 'rejected') {
      flight.leased(lease, [])
      monitor.tell('getOrSet', key, captured.reason)
      void lease.release()
      return undefined
    }
    if (isAnyHeld(captured.value)) {
      flight.leased(lease, [])
      void lease.release()
      return 'changing'
    }
    flight.leased(lease, captured.value)
    return { askedAtMs, lease, bound: captured.value, serverNowMs: acquired.value.serverNowMs }
  }

  /** Ends early when the cache is closed. */
  #pause(delayMs: number): Promise<void> {
    const { stopping, timers } = this.#core
    if (stopping.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const end = () => {
        cancel()
        stopping.removeEventListener('abort', end)
        resolve()
      }
      const cancel = timers.after(delayMs, end, true)
      stopping.addEventListener('abort', end)
    })
  }
}
