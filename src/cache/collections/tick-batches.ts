import { CacheError } from '../../foundation/errors/cache-error.ts'
import { nextTick, queueMicrotask } from '../../foundation/time/timers.ts'
import { type BatchEntryContext, type BatchLoadContext, LoadBatch, valuesIn } from '../batches/load-batch.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Loader } from '../loading/load-context.ts'
import type { SharedLoad } from '../loading/load-request.ts'
import type { CollectionBatchContext, CollectionBatchLoader } from './collection-options.ts'

/** The most ids that one call loads. */
const MOST_IDS = 2_048

/** The loader of one id. */
export interface IdLoad {
  readonly loader: Loader<unknown>
  readonly shared: SharedLoad | undefined
}

/** The ids of one tick, whose loads share calls of the loader. */
class IdBatch<Id> implements IdLoad {
  readonly loader: Loader<unknown>
  readonly shared: LoadBatch<unknown>
  readonly #ids = new Map<string, Id>()

  constructor(
    loadMany: CollectionBatchLoader<Id, unknown>,
    core: Pick<CacheCore, 'places' | 'timers'>,
    checked: (loader: Loader<unknown>) => Loader<unknown>,
  ) {
    this.shared = new LoadBatch<unknown>(async (keys, context) => {
      const idsByKey = new Map(keys.map((key) => [key, this.#ids.get(key) as Id]))
      const ids = [...idsByKey.values()]
      const valueFor = valuesIn(await loadMany(ids, new IdContext(idsByKey, context)), ids)
      return new Map(Array.from(idsByKey, ([key, id], index) => [key, valueFor(id, index)]))
    }, core)
    this.loader = checked(this.shared.load)
  }

  get isFull(): boolean {
    return this.#ids.size >= MOST_IDS
  }

  add(key: string, id: Id): void {
    this.#ids.set(key, id)
  }
}

/**
 * Gathers the ids that are read in one tick, so that one call loads all misses among them. A batch is closed when all
 * promise callbacks of the tick have run, as the batch of its reads is.
 */
export class TickBatches<Id> {
  readonly #begin: () => IdBatch<Id>
  /** The batch of each change, since its loader may see what that has not committed; `undefined` for all other calls. */
  readonly #open = new Map<object | undefined, IdBatch<Id>>()

  /** @param checked wraps a loader in one that validates its result */
  constructor(
    loadMany: CollectionBatchLoader<Id, unknown>,
    core: Pick<CacheCore, 'places' | 'timers'>,
    checked: (loader: Loader<unknown>) => Loader<unknown>,
  ) {
    this.#begin = () => new IdBatch(loadMany, core, checked)
  }

  /** @param change the change that the call is part of */
  loadOf(key: string, id: Id, change?: object): IdLoad {
    // Called from a promise callback, `nextTick` runs when no more promise callbacks are left.
    if (this.#open.size === 0) queueMicrotask(() => nextTick(this.#close))
    let batch = this.#open.get(change)
    if (batch === undefined || batch.isFull) {
      batch = this.#begin()
      this.#open.set(change, batch)
    }
    batch.add(key, id)
    return batch
  }

  readonly #close = (): void => this.#open.clear()
}

class IdContext<Id> implements CollectionBatchContext<Id> {
  readonly #context: BatchLoadContext
  readonly #keys: ReadonlyMap<Id, string>

  constructor(idsByKey: ReadonlyMap<string, Id>, context: BatchLoadContext) {
    this.#context = context
    this.#keys = new Map(Array.from(idsByKey, ([key, id]) => [id, key]))
  }

  get signal(): AbortSignal {
    return this.#context.signal
  }

  of(id: Id): BatchEntryContext {
    return this.#context.of(this.#keyOf(id))
  }

  notModified(id: Id): void {
    this.#context.notModified(this.#keyOf(id))
  }

  #keyOf(id: Id): string {
    const key = this.#keys.get(id)
    if (key !== undefined) return key
    throw new CacheError('CACHE_INVALID_ARGUMENT', 'The context was asked for an id that is not being loaded')
  }
}
