import { CacheError } from '../../foundation/cache-error.ts'

/**
 * Some keys of a batch were not loaded. What was had, and why the rest was not, is for programs: neither is shown
 * where the error is logged. `cause` is the first of the {@link errors}.
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

  /** What was had: cached, loaded, or `undefined` where the loader said so. */
  get values(): ReadonlyMap<string, T> {
    return this.#values
  }

  /** What the loader threw or gave in place of a value, by key. */
  get errors(): ReadonlyMap<string, unknown> {
    return this.#errors
  }
}
