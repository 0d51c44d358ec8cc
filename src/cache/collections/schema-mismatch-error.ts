import { CacheError } from '../../foundation/cache-error.ts'

/** Where a value does not fit a schema, and why. */
export interface SchemaMismatch {
  /** From the outside in: `['roles', 0]`; empty where the value as a whole does not fit. */
  readonly path: readonly PropertyKey[]
  /** The schema's own words, which may quote the value. */
  readonly message: string
}

/**
 * A value that was loaded for a collection, or was to be set in it, does not fit its schema; it was not stored. Where
 * and why is for programs: schemas may quote the value, so it is not shown where the error is logged.
 */
export class SchemaMismatchError extends CacheError {
  override readonly name: string = 'SchemaMismatchError'
  readonly #issues: readonly SchemaMismatch[]

  /** @param what what does not fit, for the message */
  constructor(what: string, key: string, operation: string, issues: readonly SchemaMismatch[]) {
    const count = issues.length === 1 ? '1 issue' : `${issues.length} issues`
    super('CACHE_SCHEMA_MISMATCH', `${what} does not fit the schema: ${count}`, { key, operation })
    this.#issues = issues
  }

  /** Where the value does not fit, and why. It may quote the value: mind where it is shown. */
  get issues(): readonly SchemaMismatch[] {
    return this.#issues
  }
}
