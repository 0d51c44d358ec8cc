import type { AcquireReply } from '../../backend/seams/shared-tier.ts'
import { randomText } from '../../foundation/random-text.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { type Judgement, judgementFor } from '../entries/judgement.ts'
import { storedTtlMs } from '../freshness/entry-lifetimes.ts'
import { servableAsRead } from '../freshness/servable.ts'
import { Lease } from '../loading/lease.ts'
import type { FirstRead, LoadRequest } from '../loading/load-request.ts'
import type { LeasedLoad, LoadRunner } from '../loading/load-runner.ts'
import { type Outcome, served } from '../loading/outcome.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { LONGEST_LEASE_MS } from '../local/local-times.ts'
import type { Flight } from './flight.ts'

/** How often a process looks at a key that another one loads, in milliseconds, where a push is to be expected. */
const POLL_BEHIND_PUSH_MS = 500
/** Likewise where none is: at first, and at most. */
const FIRST_POLL_MS = 20
const LONGEST_POLL_MS = 250
/** Processes that are woken by the same push read again within this time of one another. */
const WAKE_JITTER_MS = 4
/** Most attempts in a row whose entry was changed under them; then the value is loaded without being cached. */
const MOST_ATTEMPTS = 1_000
/** After so many such attempts there is a pause before each, so that other work gets its turn. */
const HASTY_ATTEMPTS = 10
const LONGEST_PAUSE_MS = 50

/**
 * The course of one flight: the way of a read that finds no fresh value.
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
 * Whatever fails on the way to Redis, the loader is run, and nothing is stored without a token (L6).
 */
export class FlightCourse {
  readonly #core: CacheCore
  readonly #runner: LoadRunner

  constructor(core: CacheCore, runner: LoadRunner) {
    this.#core = core
    this.#runner = runner
  }

  /**
   * From the first read to the outcome.
   * @param first the first read, where it was sent already
   */
  async run(flight: Flight, request: LoadRequest, first: FirstRead | undefined): Promise<Outcome> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const outcome = await this.#attempt(flight, request, attempt, attempt === 0 ? first : undefined)
      if (outcome !== 'again') return outcome
      if (flight.isAbandoned) flight.signal.throwIfAborted()
    }
    return this.#runner.uncached(flight, request)
  }

  async #attempt(
    flight: Flight,
    request: LoadRequest,
    attempt: number,
    first: FirstRead | undefined,
  ): Promise<Outcome | 'again'> {
    const { clock, waiters } = this.#core
    let judgement: Judgement
    try {
      judgement = await this.#judged(flight, request, first)
    } catch (error) {
      this.#tell(request.key, error)
      return this.#runner.uncached(flight, request)
    }
    const entry = judgement.state === 'usable' ? judgement.entry : undefined
    flight.found = entry
    const how = entry === undefined ? 'no' : servableAsRead(entry, clock.monotonicMs())
    if (entry !== undefined && !isToBeReplaced(entry, request)) {
      if (how === 'fresh') return this.#hit(flight, request, entry)
      if (how === 'revalidate' && !request.isBackground) return this.#stale(flight, request, entry)
    }
    const waiter = waiters.expect(request.storedKey)
    try {
      const acquired = await this.#acquire(flight, request, judgement)
      if (acquired === undefined) return await this.#runner.uncached(flight, request, entry)
      if ('lease' in acquired) return await this.#runner.underLease(flight, request, acquired, entry)
      switch (acquired.status) {
        case 'foreign':
          return await this.#runner.uncached(flight, request, entry)
        case 'held':
          if (request.isBackground && entry !== undefined && (how === 'fresh' || how === 'revalidate')) {
            return served(entry, 'revalidate')
          }
          flight.beginWaiting()
          request.shared?.decided(request.storedKey)
          await waiter.wait(this.#longestWaitMs(acquired.remainingMs, attempt), flight.signal)
          if (this.#core.tier.coherence === 'tracking') await this.#pause(Math.random() * WAKE_JITTER_MS)
          return 'again'
        default:
          // The entry was changed since it was read.
          if (attempt >= HASTY_ATTEMPTS) await this.#pause(Math.min(attempt, LONGEST_PAUSE_MS))
          return 'again'
      }
    } finally {
      waiter.end()
    }
  }

  /**
   * What the key holds for this caller. The local copy of an entry that is unusable to it goes: the load replaces the entry
   * in Redis, and where nobody announces that, the copy would outlive it.
   * @throws CacheError where the key cannot be read
   */
  async #judged(flight: Flight, request: LoadRequest, first: FirstRead | undefined): Promise<Judgement> {
    const judgement = await this.#read(flight, request, first)
    if (judgement.state === 'unusable') this.#core.local.drop(request.storedKey)
    return judgement
  }

  async #read(flight: Flight, request: LoadRequest, first: FirstRead | undefined): Promise<Judgement> {
    const { generations, local, opened, reader } = this.#core
    // The epoch may have ended with the connection: a flight of an older one would admit nobody.
    if (first?.failure !== undefined) throw first.failure
    if (first?.isCurrent) {
      flight.beginReading(first.askedAt, first.epoch)
      return judgementFor(await first.judged(), request)
    }
    await opened()
    // What is read or loaded from here on is newer than whatever was invalidated before this moment.
    flight.beginReading(generations.now, local.epoch)
    return reader.read(request.storedKey, request)
  }

  #hit(flight: Flight, request: LoadRequest, entry: LocalEntry): Outcome {
    const { clock, metrics, random } = this.#core
    const nowMs = clock.monotonicMs()
    if (!request.isBackground && entry.wantsEarlyRefresh(request.policies.earlyBeta, nowMs, random)) {
      flight.successor = { ...request, replaces: entry }
      metrics.add('earlyRefreshes', 1, nowMs)
    }
    return served(entry, 'hit')
  }

  /** The flight ends with the stale value. The next one loads, unless somebody else does. */
  #stale(flight: Flight, request: LoadRequest, entry: LocalEntry): Outcome {
    if (this.#core.clock.monotonicMs() >= entry.leasedUntilMs) flight.successor = request
    return served(entry, 'revalidate')
  }

  /**
   * Asks for the lease and captures the generations, in one tick: both stand before the loader begins.
   * @returns `undefined` where Redis did not answer
   */
  async #acquire(
    flight: Flight,
    request: LoadRequest,
    judgement: Judgement,
  ): Promise<LeasedLoad | AcquireReply | undefined> {
    const { clock, generations, options, policy, tier, timers } = this.#core
    const { key, storedKey } = request
    const { leaseMs, longestLoadMs } = options
    const token = randomText(16)
    const connection = tier.connectionOf(storedKey)
    flight.beginAcquiring()
    const [acquired, captured] = await Promise.allSettled([
      tier.acquire(storedKey, {
        ...{ token, leaseMs, longestLeaseMs: Math.max(leaseMs, LONGEST_LEASE_MS), stamp: judgement.stamp },
        purpose: judgement.state === 'usable' && !judgement.entry.isPlain ? 'refresh' : 'replace',
      }),
      generations.capture(this.#runner.generationKeysOf(request), storedTtlMs(request.policies)),
    ])
    if (acquired.status === 'rejected') {
      this.#tell(key, acquired.reason)
      return undefined
    }
    if (acquired.value.status !== 'acquired') return acquired.value
    const lease = new Lease(storedKey, token, connection, {
      ...{ clock, timers, tier, leaseMs, longestLoadMs },
      onLost: () => policy.events.emit('lease-lost', { key }),
    })
    if (captured.status === 'rejected') {
      flight.leased(lease, [])
      this.#tell(key, captured.reason)
      void lease.release()
      return undefined
    }
    flight.leased(lease, captured.value)
    return { lease, bound: captured.value, serverNowMs: acquired.value.serverNowMs }
  }

  #longestWaitMs(remainingMs: number, attempt: number): number {
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

/** Whether the request wants another value than this one, however fresh. */
function isToBeReplaced({ stamp }: LocalEntry, { replaces }: LoadRequest): boolean {
  return replaces === 'any' || (replaces !== undefined && replaces.stamp === stamp)
}
