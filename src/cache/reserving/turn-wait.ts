import { CacheError, isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import { LONGEST_TIMER_MS } from '../../foundation/time/clock.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Answer } from '../flights/answer.ts'
import type { Flights } from '../flights/flights.ts'
import type { SingleFlight } from '../flights/single-flight.ts'
import type { FirstRead, LoadRequest } from '../loading/load-request.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { LoaderTurn } from './loader-turn.ts'
import type { HeldLoad } from './turn-fill.ts'

/** How often a call waits for loads of others that bring nothing, before it passes their failure on. */
const MOST_WAITS = 100

const UNBOUNDED = {
  softTimeoutMs: Number.POSITIVE_INFINITY,
  hardTimeoutMs: Number.POSITIVE_INFINITY,
  earlyBeta: 0,
  retryAfterErrorMs: 0,
  errorTtlMs: 0,
} as const

/** What a wait ends with: the key is this caller's to load, or another one has loaded it. */
export type TurnOrAnswer = { readonly load: HeldLoad } | { readonly answer: Answer<unknown> }

/**
 * Waits until a key is this caller's to load. It is a `getOrSet` whose loader hands the load over to the caller, so
 * callers and processes wait for each other as they do there.
 */
export class TurnWait {
  readonly #core: CacheCore
  readonly #loads: SingleFlight
  readonly #flights: Flights

  constructor(core: CacheCore, loads: SingleFlight, flights: Flights) {
    this.#core = core
    this.#loads = loads
    this.#flights = flights
  }

  /**
   * @param stale the value that others are served while this caller loads a new one. If another process is loading it
   * already, the stale value is the answer
   * @param first a read of the key that has been sent already
   * @throws the reason of the signal, CacheError `CACHE_LOADER_TIMEOUT` after the `hardTimeout`, or a programming mistake
   */
  async take(request: LoadRequest, stale: LocalEntry | undefined, first?: FirstRead): Promise<TurnOrAnswer> {
    const { hardTimeoutMs } = request.policies
    const leaving = new AbortController()
    const abort = () => leaving.abort(request.signal?.reason)
    request.signal?.addEventListener('abort', abort, { once: true })
    const cancelTimeout =
      hardTimeoutMs <= LONGEST_TIMER_MS
        ? this.#core.timers.after(hardTimeoutMs, () => leaving.abort(waitedTooLong(request.key)), true)
        : () => {}
    try {
      if (request.signal?.aborted) abort()
      return await this.#takeUntil(leaving.signal, request, stale, first)
    } finally {
      cancelTimeout()
      request.signal?.removeEventListener('abort', abort)
    }
  }

  async #takeUntil(
    signal: AbortSignal,
    asked: LoadRequest,
    stale: LocalEntry | undefined,
    first: FirstRead | undefined,
  ): Promise<TurnOrAnswer> {
    for (let waits = 1; ; waits++) {
      const turn = new LoaderTurn()
      const request: LoadRequest = {
        ...asked,
        loader: turn.loader,
        signal,
        // Whoever holds a slot loads the value itself.
        outer: undefined,
        isTurn: true,
        // The bounds of the caller are those of its wait. They must not end the load that it gets. That the loader of
        // another caller has failed tells nothing of this caller.
        policies: { ...asked.policies, ...UNBOUNDED },
        ...(stale && { replaces: { stamp: stale.stamp }, isBackground: true }),
      }
      const answer = this.#loads.getOrLoad<unknown>(request, waits === 1 ? first : undefined)
      answer.catch(() => {})
      try {
        const ended = await Promise.race([turn.begun, answer])
        signal.throwIfAborted()
        if (!('value' in ended)) {
          const flight = this.#flights.get(request.storedKey)
          const isShared = () => flight !== undefined && flight.callers > 1
          return { load: { request, turn, context: ended, answer, isShared } }
        }
        // The flight may call the loader later, to refresh the value in the background.
        turn.giveBack()
        if (ended.value !== undefined) return { answer: ended }
      } catch (error) {
        // The flight may go on for others, and call the loader of a caller that has left.
        turn.giveBack()
        // The failure of another caller's loader: it is this caller's turn.
        if (signal.aborted || isOwn(error) || waits >= MOST_WAITS) throw error
      }
    }
  }
}

function isOwn(error: unknown): boolean {
  return isProgrammingMistake(error) || (error instanceof CacheError && error.code === 'CACHE_CYCLE')
}

function waitedTooLong(key: string): CacheError {
  return new CacheError('CACHE_LOADER_TIMEOUT', 'The value was not loaded within hardTimeout', {
    operation: 'reserve',
    key,
  })
}
