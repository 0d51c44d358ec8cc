import { setMaxListeners } from 'node:events'
import { checkedKeys } from '../../backend/operations/operation-arguments.ts'
import { chunks } from '../../foundation/chunks.ts'
import { isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type {
  AgeOptions,
  EntryOptions,
  GetOrSetOptions,
  LoadOptions,
  LocalReadOptions,
} from '../freshness/policy-options.ts'
import { overridden } from '../freshness/value-expiry.ts'
import { assertLoader } from '../loading/loader-call.ts'
import type { NamespaceReads } from '../reading/namespace-reads.ts'
import { type BatchLoader, LoadBatch } from './load-batch.ts'
import { PartialLoadError } from './partial-load-error.ts'

/** The keys of a batch that are read at a time. */
const KEYS_PER_BATCH = 2_048

/** Options of `getOrSetMany`. */
export interface GetOrSetManyOptions extends GetOrSetOptions {
  /** Options of one key, which take precedence over the others; its tags are added to theirs. */
  readonly each?: ((key: string) => EntryOptions & LoadOptions & AgeOptions & LocalReadOptions) | undefined
}

/** The result of `read` for each distinct key, in the order of the keys. */
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
 * `getOrSet` for many keys. Their reads share commands, and their loads share calls of the loader.
 * @throws PartialLoadError if some could not be loaded; the signal's reason; CacheError for a programming mistake
 * @typeParam Found the type of a value as the cache hands it out
 */
export async function getOrLoadMany<T, Found>(
  lookup: NamespaceReads,
  core: Pick<CacheCore, 'places' | 'timers'>,
  keys: Iterable<string>,
  loadMany: BatchLoader<T>,
  { each, signal, ...common }: GetOrSetManyOptions,
): Promise<Map<string, Found | undefined>> {
  assertLoader(loadMany)
  const { errors, values } = await settleEach(checkedKeys(keys), signal, (chunk, going) => {
    const batch = new LoadBatch(loadMany, core)
    // All options come before the first read, so that no read has begun if `each` throws.
    const options = chunk.map((key) => optionsOf(key, common, each, going))
    return (key, index) => lookup.getOrSet<Found>(key, batch.load, options[index], { shared: batch })
  })
  if (errors.size > 0) throw new PartialLoadError(values, errors)
  return values
}

/**
 * The value or the error of each distinct item, in the order of the items. A limited number is read at a time.
 * @param begin returns the function that reads the items of one chunk
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
  return { ...overridden(common, own), tags: [...(common.tags ?? []), ...(own?.tags ?? [])], signal }
}

/** A copy of the caller's signal for any number of listeners; the caller's own signal gets one. */
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
