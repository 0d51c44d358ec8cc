import { CacheError } from '../../foundation/errors/cache-error.ts'

/**
 * Some keys of a batch, or some ids of a collection, could not be loaded. The {@link values} of the others and the
 * {@link errors} are for programs: a log of this error does not contain them. `cause` is the first of the errors.
 */
export class PartialLoadError<T = unknown, Key = string> extends CacheError {
  override readonly name: string = 'PartialLoadError'
  readonly #values: ReadonlyMap<Key, T>
  readonly #errors: ReadonlyMap<Key, unknown>

  /** @param errors at least one */
  constructor(values: ReadonlyMap<Key, T>, errors: ReadonlyMap<Key, unknown>) {
    const [cause] = errors.values()
    const count = errors.size === 1 ? '1 key was' : `${errors.size} keys were`
    super('CACHE_PARTIAL_LOAD', `${count} not loaded, ${values.size} were had`, { cause })
    this.#values = values
    this.#errors = errors
  }

  /** The values of the others, by key or id, cached or loaded; `undefined` if the loader returned that. */
  get values(): ReadonlyMap<Key, T> {
    return this.#values
  }

  /** What the loader threw, or returned in place of a value, by key or id; or `CACHE_LOADER_TIMEOUT`. */
  get errors(): ReadonlyMap<Key, unknown> {
    return this.#errors
  }
}
