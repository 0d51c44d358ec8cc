import { AsyncLocalStorage } from 'node:async_hooks'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { kindOf } from '../../foundation/errors/shown-value.ts'
import { BatchInheritance, type Inheritance } from '../inheritance/inheritance.ts'
import type { OpenInheritances } from '../inheritance/open-inheritances.ts'

/** A caller that waits for the load of a key. */
export interface Wait {
  readonly storedKey: string
  /** The calls of loaders that load the key at this moment. */
  loaders(): readonly LoaderCall[]
}

/** What a {@link LoaderCall} is made of. */
export interface LoaderCallParts {
  /** Whether its code is to be recognized, which is what costs (see `detectCycles`). */
  readonly isTracked: boolean
  /** Those of its cache. */
  readonly inheritances: OpenInheritances
  /** Told of what its code reads. */
  readonly inheritance: Inheritance | undefined
}

/** The call that the running code is part of. All caches share it, since a loader of one may ask another. */
const running = new AsyncLocalStorage<LoaderCall>()

/**
 * One call of a loader, and what its code waits for.
 *
 * Whatever the loader has created (an interval, a pool, an emitter) keeps this object as its context, and may outlive
 * the call. So a call that has ended refers to nothing, and counts for nothing.
 */
export class LoaderCall {
  readonly #parts: LoaderCallParts
  readonly #waits = new Set<Wait>()
  /** The call of a batch loader that this call takes part in. */
  #batch: LoaderCall | undefined
  #isOver = false

  constructor(parts: LoaderCallParts) {
    this.#parts = parts
  }

  /** The call of a batch loader, which serves several calls of the loader of one key. */
  static ofBatch(calls: readonly [LoaderCall, ...LoaderCall[]]): LoaderCall {
    const inheriting = calls.flatMap((call) => call.#parts.inheritance ?? [])
    const batch = new LoaderCall({
      isTracked: calls.some((call) => call.#parts.isTracked),
      inheritances: calls[0].#parts.inheritances,
      inheritance: inheriting.length === 0 ? undefined : new BatchInheritance(inheriting),
    })
    for (const call of calls) call.#batch = batch
    return batch
  }

  /** The call that the running code is part of, unless it has ended. */
  static current(): LoaderCall | undefined {
    const call = running.getStore()
    return call === undefined || call.#isOver ? undefined : call
  }

  /** Runs the loader. */
  run<Result>(loader: () => Result): Result {
    const { inheritance, inheritances, isTracked } = this.#parts
    return inheritances.run(inheritance, isTracked ? () => running.run(this, loader) : loader)
  }

  /** Called when the loader has ended. */
  end(): void {
    this.#isOver = true
    this.#waits.clear()
    this.#batch = undefined
  }

  /** Its code begins to wait. Returns a function that ends the wait. */
  begin(wait: Wait): () => void {
    this.#waits.add(wait)
    return () => this.#waits.delete(wait)
  }

  get waits(): Iterable<Wait> {
    return this.#waits
  }

  /** Itself, and the call of the batch loader that it takes part in. */
  get parts(): readonly LoaderCall[] {
    return this.#batch === undefined ? [this] : [this, this.#batch]
  }
}

/** @throws CacheError `CACHE_INVALID_ARGUMENT` */
export function assertLoader(loader: unknown): void {
  if (typeof loader === 'function') return
  throw new CacheError('CACHE_INVALID_ARGUMENT', `The loader must be a function, not ${kindOf(loader)}`)
}
