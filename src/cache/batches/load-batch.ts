import { CacheError } from '../../foundation/cache-error.ts'
import type { Timers } from '../../foundation/clock.ts'
import type { LoadContext, Loader } from '../loading/load-context.ts'
import type { SharedLoad } from '../loading/load-request.ts'

/** Keys whose turn to be loaded comes later than this after the first one's are loaded by another call. */
const LONGEST_GATHERING_MS = 100

/** What can be asked and said of one key of a batch. */
export type BatchEntryContext = Pick<
  LoadContext,
  'key' | 'stale' | 'skip' | 'setTtl' | 'setOptions' | 'addTags'
>

/** What a {@link BatchLoader} is told, and what it can say of the values that it is about to return. */
export interface BatchLoadContext {
  /** Aborts when nobody waits for any of the keys any more. */
  readonly signal: AbortSignal
  /** As the context of a loader of this one key. @throws CacheError `CACHE_INVALID_ARGUMENT` for a key that was not asked */
  of(key: string): BatchEntryContext
  /**
   * The stale value of this key is still right, whatever is returned for it.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` where there is none
   */
  notModified(key: string): void
}

/**
 * Loads the values of several keys at once: a `Map` by key, or an array in the order of the keys. An `Error` in place
 * of a value fails that key alone; what is missing is `undefined`, and is not cached (`null` is).
 */
export type BatchLoader<T> = (
  keys: readonly string[],
  context: BatchLoadContext,
) => BatchResult<T> | Promise<BatchResult<T>>

/** What a {@link BatchLoader} returns. */
export type BatchResult<T> = ReadonlyMap<string, T | Error> | readonly (T | Error)[]

/** A key whose turn to be loaded has come. */
interface Gathered {
  readonly context: LoadContext
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

/**
 * Makes one call of a batch loader out of the loads of many keys, each of which has its own flight and lease.
 *
 * Flights that begin together are expected; as soon as each of them has either come to its loader or turned out to need
 * none (the value was there, or another process is loading it), those that came are loaded by one call. What comes
 * later, after waiting in vain for another process, is loaded by a further one.
 */
export class LoadBatch<T> implements SharedLoad {
  readonly #loadMany: BatchLoader<T>
  readonly #timers: Timers
  readonly #undecided = new Set<string>()
  readonly #gathered: Gathered[] = []
  #isDispatching = false
  #cancelTimer: (() => void) | undefined

  constructor(loadMany: BatchLoader<T>, timers: Timers) {
    this.#loadMany = loadMany
    this.#timers = timers
  }

  /** The loader of each key. */
  readonly load: Loader<unknown> = (context) =>
    new Promise((resolve, reject) => {
      this.#gathered.push({ context, resolve, reject })
      this.#cancelTimer ??= this.#timers.after(LONGEST_GATHERING_MS, this.#dispatch)
      this.#dispatchWhenComplete()
    })

  expect(storedKey: string): void {
    this.#undecided.add(storedKey)
  }

  decided(storedKey: string): void {
    if (this.#undecided.delete(storedKey)) this.#dispatchWhenComplete()
  }

  #dispatchWhenComplete(): void {
    if (this.#undecided.size > 0 || this.#gathered.length === 0 || this.#isDispatching) return
    this.#isDispatching = true
    // Others may come in the same tick.
    process.nextTick(this.#dispatch)
  }

  readonly #dispatch = (): void => {
    this.#isDispatching = false
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const calls: Map<string, Gathered>[] = []
    // A key that is loaded and verified at once takes part in two calls: what is said of it means one of the two.
    for (const one of this.#gathered.splice(0)) {
      const { key } = one.context
      const call = calls.find((gathered) => !gathered.has(key))
      if (call === undefined) calls.push(new Map([[key, one]]))
      else call.set(key, one)
    }
    for (const gathered of calls) void this.#loadAll(gathered)
  }

  async #loadAll(gathered: ReadonlyMap<string, Gathered>): Promise<void> {
    const keys = [...gathered.keys()]
    try {
      const result = await this.#loadMany(keys, new GatheredContext(gathered))
      const valueFor = valuesIn(result, keys)
      for (const [index, { context, resolve, reject }] of [...gathered.values()].entries()) {
        const value = valueFor(context.key, index)
        if (value instanceof Error) reject(value)
        else resolve(value)
      }
    } catch (error) {
      for (const { reject } of gathered.values()) reject(error)
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
 * What a loader of several keys (or ids) returned for each.
 * @throws CacheError `CACHE_INVALID_ARGUMENT` where it returned something else than it should
 */
export function valuesIn<Key>(result: unknown, keys: readonly Key[]): (key: Key, index: number) => unknown {
  if (result instanceof Map) return (key) => result.get(key)
  if (!Array.isArray(result)) {
    throw new CacheError('CACHE_INVALID_ARGUMENT', 'A batch loader must return a Map by key, or an array')
  }
  if (result.length === keys.length) return (_key, index) => result[index]
  throw new CacheError(
    'CACHE_INVALID_ARGUMENT',
    `A batch loader was asked for ${keys.length} keys, and returned an array of ${result.length} values`,
  )
}
