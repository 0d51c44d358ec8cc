import type { AcquireReply } from '../../backend/shared-tier.ts'
import { randomText } from '../../foundation/random-text.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { EarlierRead } from '../entries/earlier-read.ts'
import type { Judgement } from '../entries/entry-reader.ts'
import { storedTtlMs } from '../freshness/entry-lifetimes.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { LONGEST_LEASE_MS } from '../local/local-times.ts'
import { type Flight, type Outcome, served } from './flight.ts'
import { Lease } from './lease.ts'
import type { LoadRequest } from './load-request.ts'
import type { LeasedLoad, Loading } from './load-runner.ts'

/** Looks at the key that another process loads at least this often, where a push is to be expected. */
const POLL_BEHIND_PUSH_MS = 500
/** Likewise where none is: at first, and at most. */
const FIRST_POLL_MS = 20
const LONGEST_POLL_MS = 250
/** Those who are woken by the same push read again within this time of one another. */
const WAKE_JITTER_MS = 4
/** A value that is changed under us more often than this in a row is loaded without being cached. */
const MOST_ATTEMPTS = 1_000

/**
 * The course of one flight, which is the path of a read that the local tier cannot answer.
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
 * Whatever fails on the way to Redis, the loader is run, and nothing is stored without a token (L6).
 */
export class FlightCourse {
  readonly #core: CacheCore
  readonly #loading: Loading

  constructor(core: CacheCore, loading: Loading) {
    this.#core = core
    this.#loading = loading
  }

  /**
   * From the first read to its outcome.
   * @param earlier the first read, where it was made already
   */
  async run(flight: Flight, request: LoadRequest, earlier: EarlierRead | undefined): Promise<Outcome> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const outcome = await this.#attempt(flight, request, attempt, attempt === 0 ? earlier : undefined)
      if (outcome !== 'again') return outcome
      if (flight.isAbandoned) flight.signal.throwIfAborted()
    }
    return this.#loading.uncached(flight, request)
  }

  async #attempt(
    flight: Flight,
    request: LoadRequest,
    attempt: number,
    earlier: EarlierRead | undefined,
  ): Promise<Outcome | 'again'> {
    const { waiters, clock, generations, local, opened, reader, tier } = this.#core
    const { accepts, generationKeys, isBackground, key, shared, storedKey } = request
    let judgement: Judgement
    try {
      await opened()
      // Whatever was invalidated before this moment, what is read or loaded from here on is newer.
      if (earlier !== undefined && (earlier.failure !== undefined || reader.isCurrent(storedKey, earlier))) {
        flight.beginAttempt(earlier.askedAt, earlier.epoch)
        judgement = await reader.judge(storedKey, generationKeys, accepts, earlier)
      } else {
        flight.beginAttempt(generations.now, local.epoch)
        judgement = await reader.read(storedKey, generationKeys, accepts)
      }
    } catch (error) {
      this.#tell(key, error)
      return this.#loading.uncached(flight, request)
    }
    const entry = judgement.state === 'usable' ? judgement.entry : undefined
    flight.found = entry
    const nowMs = clock.monotonicMs()
    const isReplaced = entry !== undefined && isToBeReplaced(entry, request)
    if (entry !== undefined && !isReplaced && nowMs < entry.freshUntilMs) {
      return this.#hit(flight, request, entry, nowMs)
    }
    const mayBeServed = entry !== undefined && nowMs < entry.staleWhileRevalidateUntilMs
    if (mayBeServed && !isReplaced && !isBackground) {
      // This flight ends with the stale value; the next one loads.
      if (nowMs >= entry.leasedUntilMs) flight.successor = request
      return served(entry, 'revalidate')
    }
    const waiter = waiters.expect(storedKey)
    try {
      const attempted = await this.#acquire(flight, request, judgement)
      if (attempted === undefined) return await this.#loading.uncached(flight, request, entry)
      const { leased, reply } = attempted
      if (leased !== undefined) return await this.#loading.underLease(flight, request, leased, entry)
      if (reply.status === 'foreign') return await this.#loading.uncached(flight, request, entry)
      if (reply.status === 'changed') return 'again'
      if (mayBeServed && isBackground) return served(entry, 'revalidate')
      flight.isWaiting = true
      flight.decide()
      shared?.decided(storedKey)
      await waiter.wait(this.#patienceMs(reply.remainingMs, attempt), flight.signal)
      if (tier.coherence === 'tracking') await this.#pause(Math.random() * WAKE_JITTER_MS)
      flight.isWaiting = false
      return 'again'
    } finally {
      waiter.end()
    }
  }

  #hit(flight: Flight, request: LoadRequest, entry: LocalEntry, nowMs: number): Outcome {
    const { metrics, random } = this.#core
    const { earlyBeta } = request.policies
    if (!request.isBackground && entry.wantsEarlyRefresh(earlyBeta, nowMs, random)) {
      flight.successor = { ...request, replaces: entry }
      metrics.add('earlyRefreshes', 1, nowMs)
    }
    return served(entry, 'hit')
  }

  /** Lease and generations are asked for in one tick: both stand before the loader begins. */
  async #acquire(flight: Flight, request: LoadRequest, judgement: Judgement): Promise<Attempt | undefined> {
    const { captures, clock, options, policy, tier, timers } = this.#core
    const { key, storedKey } = request
    const token = randomText(16)
    const connection = tier.connectionOf(storedKey)
    flight.isAcquiring = true
    const [acquired, captured] = await Promise.allSettled([
      tier.acquire(storedKey, {
        token,
        leaseMs: options.leaseMs,
        longestLeaseMs: Math.max(options.leaseMs, LONGEST_LEASE_MS),
        stamp: judgement.stamp,
        purpose: judgement.state === 'usable' && !judgement.entry.isPlain ? 'refresh' : 'replace',
      }),
      captures.all(this.#loading.generationKeysOf(request), storedTtlMs(request.policies)),
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
    flight.leased(lease)
    if (captured.status === 'fulfilled') {
      flight.bound = captured.value
      return { reply, leased: { lease, bound: captured.value, serverNowMs: reply.serverNowMs } }
    }
    this.#tell(key, captured.reason)
    void lease.release()
    return undefined
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

/** Whether the request wants another value than this one, however fresh. */
function isToBeReplaced({ stamp }: LocalEntry, { replaces }: LoadRequest): boolean {
  return replaces === 'any' || (replaces !== undefined && replaces.stamp === stamp)
}
