import { CacheError } from '../../foundation/errors/cache-error.ts'

/**
 * Some keys of a batch could not be loaded. The {@link values} of the others and the {@link errors} are for programs: a
 * log of this error does not contain them. `cause` is the first of the errors.
 */
export class PartialLoadError<T = unknown> extends CacheError {
  override readonly name: string = 'PartialLoadError'
  readonly #values: ReadonlyMap<string, T>
  readonly #errors: ReadonlyMap<string, unknown>

  /** @param errors at least one */
  constructor(values: ReadonlyMap<string, T>, errors: ReadonlyMap<string, unknown>) {
    const [cause] = errors.values()
    const count = errors.size === 1 ? '1 key was' : `${errors.size} keys were`
    super('CACHE_PARTIAL_LOAD', `${count} not loaded, ${values.size} were had`, { cause })
    this.#values = values
    this.#errors = errors
  }

  /** The values of the other keys, cached or loaded; `undefined` if the loader returned that. */
  get values(): ReadonlyMap<string, T> {
    return this.#values
  }

  /** The errors that the loader threw, or returned in place of a value, by key. */
  get errors(): ReadonlyMap<string, unknown> {
    return this.#errors
  }
}
