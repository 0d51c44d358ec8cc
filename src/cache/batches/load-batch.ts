import { AsyncResource } from 'node:async_hooks'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { kindOf } from '../../foundation/errors/shown-value.ts'
import type { Timers } from '../../foundation/time/clock.ts'
import { nextTick } from '../../foundation/time/timers.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { LoadPlace, LoadPlaces } from '../core/load-places.ts'
import type { LoadContext, Loader } from '../loading/load-context.ts'
import type { SharedLoad } from '../loading/load-request.ts'
import { LoaderCall } from '../loading/loader-call.ts'

/** Keys that come to their loader later than this after the first one are loaded by another call. */
const LONGEST_GATHERING_MS = 100

/** The context of one key of a batch. */
export type BatchEntryContext = Pick<
  LoadContext,
  'key' | 'stale' | 'skip' | 'setTtl' | 'setExpiresAt' | 'setOptions' | 'addTags'
>

/** The context of one call of a {@link BatchLoader}. */
export interface BatchLoadContext {
  /** Aborts when no caller waits for any of the keys any more. */
  readonly signal: AbortSignal
  /**
   * The context of one key, as a loader of that key alone would get it.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` for a key that the call does not load
   */
  of(key: string): BatchEntryContext
  /**
   * Declares that the stale value of this key is still right; what is returned for the key is ignored.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` if there is no stale value, or the call does not load the key
   */
  notModified(key: string): void
}

/**
 * Loads the values of several keys at once, and returns a `Map` by key or an array in the order of the keys. An `Error`
 * in place of a value fails that key alone. A missing value is `undefined`, and is not cached (`null` is).
 */
export type BatchLoader<T> = (
  keys: readonly string[],
  context: BatchLoadContext,
) => BatchResult<T> | Promise<BatchResult<T>>

/** The result of a {@link BatchLoader}. */
export type BatchResult<T> = ReadonlyMap<string, T | Error | undefined> | readonly (T | Error | undefined)[]

/** A key whose flight has come to its loader. */
interface Gathered {
  readonly context: LoadContext
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

/**
 * Combines the loads of many keys, each of which has its own flight and lease, into one call of a batch loader.
 *
 * It expects all flights that begin together. A flight is decided when it has come to its loader, or needs none because
 * the value was there or another process loads it. When all are decided, one call loads the keys that came. A key that
 * comes later, after it waited in vain for another process, is loaded by a further call.
 *
 * Each call has the async context of the caller that made the batch, whatever decides the last flight.
 */
export class LoadBatch<T> implements SharedLoad {
  readonly #loadMany: BatchLoader<T>
  readonly #timers: Timers
  readonly #places: LoadPlaces
  readonly #queued = new Set<LoadPlace>()
  #isUrgent = false
  readonly #context = new AsyncResource('LoadBatch')
  readonly #undecided = new Set<string>()
  readonly #gathered: Gathered[] = []
  #isDispatching = false
  #cancelTimer: (() => void) | undefined

  constructor(loadMany: BatchLoader<T>, { places, timers }: Pick<CacheCore, 'places' | 'timers'>) {
    this.#loadMany = loadMany
    this.#timers = timers
    this.#places = places
  }

  /** The loader of each key. */
  readonly load: Loader<unknown> = (context) =>
    new Promise((resolve, reject) => {
      this.#gathered.push({ context, resolve, reject })
      this.#cancelTimer ??= this.#timers.after(LONGEST_GATHERING_MS, this.#dispatch)
      this.#dispatchWhenComplete()
    })

  hurry(): void {
    this.#isUrgent = true
    for (const place of this.#queued) place.hurry()
  }

  expect(storedKey: string): void {
    this.#undecided.add(storedKey)
  }

  decided(storedKey: string): void {
    if (this.#undecided.delete(storedKey)) this.#dispatchWhenComplete()
  }

  #dispatchWhenComplete(): void {
    if (this.#undecided.size > 0 || this.#gathered.length === 0 || this.#isDispatching) return
    this.#isDispatching = true
    // Other keys may come in the same tick.
    nextTick(this.#dispatch)
  }

  readonly #dispatch = (): void => {
    this.#isDispatching = false
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const calls: Map<string, Gathered>[] = []
    // A key that is loaded and verified at the same time takes part in two calls, since its context belongs to one of
    // them.
    for (const one of this.#gathered.splice(0)) {
      const { key } = one.context
      const call = calls.find((gathered) => !gathered.has(key))
      if (call === undefined) calls.push(new Map([[key, one]]))
      else call.set(key, one)
    }
    for (const gathered of calls) void this.#context.runInAsyncScope(() => this.#loadAll(gathered))
  }

  /** Calls the loader when it is its turn: a call counts as one load. */
  async #loadAll(gathered: ReadonlyMap<string, Gathered>): Promise<void> {
    const context = new GatheredContext(gathered)
    const place = this.#places.take(this.#isUrgent)
    try {
      if (place.granted !== undefined) {
        this.#queued.add(place)
        context.signal.addEventListener('abort', () => place.end(), { once: true })
        if (context.signal.aborted) place.end()
        await place.granted
        this.#queued.delete(place)
        context.signal.throwIfAborted()
      }
      await this.#call(gathered, context)
    } catch (error) {
      for (const { reject } of gathered.values()) reject(error)
    } finally {
      place.end()
    }
  }

  async #call(gathered: ReadonlyMap<string, Gathered>, context: BatchLoadContext): Promise<void> {
    const keys = [...gathered.keys()]
    const call = LoaderCall.ofBatch([...gathered.values()].map(({ context }) => context.call))
    try {
      const result = await call.run(() => this.#loadMany(keys, context))
      const valueFor = valuesIn(result, keys)
      for (const [index, { context, resolve, reject }] of [...gathered.values()].entries()) {
        const value = valueFor(context.key, index)
        if (value instanceof Error) reject(value)
        else resolve(value)
      }
    } finally {
      call.end()
    }
  }
}

class GatheredContext implements BatchLoadContext {
  readonly #gathered: ReadonlyMap<string, Gathered>
  #signal: AbortSignal | undefined

  constructor(gathered: ReadonlyMap<string, Gathered>) {
    this.#gathered = gathered
  }

  get signal(): AbortSignal {
    this.#signal ??= whenAllHaveAborted([...this.#gathered.values()].map(({ context }) => context.signal))
    return this.#signal
  }

  of(key: string): BatchEntryContext {
    return this.#contextOf(key)
  }

  notModified(key: string): void {
    this.#contextOf(key).keepStale()
  }

  #contextOf(key: string): LoadContext {
    const context = this.#gathered.get(key)?.context
    if (context !== undefined) return context
    throw new CacheError(
      'CACHE_INVALID_ARGUMENT',
      'The context was asked for a key that is not being loaded',
      {
        key,
      },
    )
  }
}

function whenAllHaveAborted(signals: readonly AbortSignal[]): AbortSignal {
  const controller = new AbortController()
  let left = signals.length
  const aborted = ({ reason }: AbortSignal) => {
    if (--left === 0) controller.abort(reason)
  }
  for (const signal of signals) {
    if (signal.aborted) aborted(signal)
    else signal.addEventListener('abort', () => aborted(signal), { once: true })
  }
  return controller.signal
}

/**
 * Returns a function that finds the value of each key (or id) in the result of a batch loader.
 * @throws CacheError `CACHE_INVALID_ARGUMENT` if the result is not a Map, or an array of the right length
 */
export function valuesIn<Key>(result: unknown, keys: readonly Key[]): (key: Key, index: number) => unknown {
  if (result instanceof Map) return (key) => result.get(key)
  if (!Array.isArray(result)) {
    throw new CacheError(
      'CACHE_INVALID_ARGUMENT',
      `A batch loader must return a Map by key, or an array, not ${kindOf(result)}`,
    )
  }
  if (result.length === keys.length) return (_key, index) => result[index]
  throw new CacheError(
    'CACHE_INVALID_ARGUMENT',
    `A batch loader was asked for ${keys.length} keys, and returned an array of ${result.length} values`,
  )
}
