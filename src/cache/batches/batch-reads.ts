import { setMaxListeners } from 'node:events'
import { checkedKeys } from '../../backend/operation-arguments.ts'
import { CacheError, isProgrammingMistake } from '../../foundation/cache-error.ts'
import { chunks } from '../../foundation/chunks.ts'
import type { Timers } from '../../foundation/clock.ts'
import type { EntryOptions, GetOrSetOptions, LoadOptions } from '../freshness/policies.ts'
import type { NamespaceReads } from '../reading/namespace-reads.ts'
import { type BatchLoader, LoadBatch } from './load-batch.ts'
import { PartialLoadError } from './partial-load-error.ts'

/** Keys of a batch that are read at a time. */
const KEYS_PER_BATCH = 2_048

/** Options of `getOrSetMany`. */
export interface GetOrSetManyOptions extends GetOrSetOptions {
  /** What holds for one key, over the rest; its tags are added. */
  readonly each?: ((key: string) => EntryOptions & LoadOptions) | undefined
}

/** Every asked key once, in the order first asked, as `read` finds it. */
export async function readMany<T>(
  keys: Iterable<string>,
  read: (key: string) => Promise<T>,
): Promise<Map<string, T>> {
  const distinct = [...new Set(checkedKeys(keys))]
  const results = new Map<string, T>()
  for (const chunk of chunks(distinct, KEYS_PER_BATCH)) {
    const values = await Promise.all(chunk.map(read))
    for (const [index, key] of chunk.entries()) results.set(key, values[index] as T)
  }
  return results
}

/**
 * Get or load, for many keys: their reads share commands, and those that have to be loaded share calls of the loader.
 * @throws PartialLoadError where some could not be loaded; the signal's reason; CacheError for a programming mistake
 */
export async function getOrLoadMany<T>(
  lookup: NamespaceReads,
  timers: Timers,
  keys: Iterable<string>,
  loadMany: BatchLoader<T>,
  { each, signal, ...common }: GetOrSetManyOptions,
): Promise<Map<string, T | undefined>> {
  if (typeof loadMany !== 'function') {
    throw new CacheError('CACHE_INVALID_ARGUMENT', `The loader must be a function, not a ${typeof loadMany}`)
  }
  const { errors, values } = await settleEach(checkedKeys(keys), signal, (chunk, going) => {
    const batch = new LoadBatch(loadMany, timers)
    // All of them before the first call: where `each` throws, none has begun.
    const options = chunk.map((key) => optionsOf(key, common, each, going))
    return (key, index) => lookup.getOrSet<T>(key, batch.load, options[index], { shared: batch })
  })
  if (errors.size > 0) throw new PartialLoadError(values, errors)
  return values
}

/**
 * Every item once, in the order given, as it is read or why it was not; so many at a time.
 * @param begin makes what reads those of one time
 * @throws the signal's reason; CacheError for a programming mistake
 */
export async function settleEach<Item, T>(
  items: Iterable<Item>,
  signal: AbortSignal | undefined,
  begin: (
    items: readonly Item[],
    signal: AbortSignal | undefined,
  ) => (item: Item, index: number) => Promise<T>,
): Promise<{ readonly values: Map<Item, T>; readonly errors: Map<Item, unknown> }> {
  signal?.throwIfAborted()
  const values = new Map<Item, T>()
  const errors = new Map<Item, unknown>()
  for (const chunk of chunks([...new Set(items)], KEYS_PER_BATCH)) {
    const going = goingWith(signal)
    try {
      const read = begin(chunk, going.signal)
      const answers = await Promise.allSettled(chunk.map(async (item, index) => read(item, index)))
      for (const [index, answer] of answers.entries()) {
        const item = chunk[index] as Item
        if (answer.status === 'fulfilled') values.set(item, answer.value)
        else if (isProgrammingMistake(answer.reason)) throw answer.reason
        else errors.set(item, answer.reason)
      }
    } finally {
      going.end()
    }
    signal?.throwIfAborted()
  }
  return { values, errors }
}

function optionsOf(
  key: string,
  common: GetOrSetOptions,
  each: GetOrSetManyOptions['each'],
  signal: AbortSignal | undefined,
): GetOrSetOptions {
  if (each === undefined) return signal === undefined ? common : { ...common, signal }
  const own = each(key)
  return { ...common, ...own, tags: [...(common.tags ?? []), ...(own?.tags ?? [])], signal }
}

/** The caller's signal for any number of listeners, of which the caller's own sees one. */
function goingWith(signal: AbortSignal | undefined): {
  readonly signal: AbortSignal | undefined
  end(): void
} {
  if (signal === undefined) return { signal, end: () => {} }
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  const abort = () => controller.abort(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  return { signal: controller.signal, end: () => signal.removeEventListener('abort', abort) }
}
