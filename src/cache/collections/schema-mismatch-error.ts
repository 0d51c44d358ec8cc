import type { SchemaIssue } from '../../contract/standard-schema.ts'
import { abbreviate, CacheError } from '../../foundation/errors/cache-error.ts'

/** One place in which a value does not fit a schema, and why. */
export interface SchemaMismatch {
  /** The path from the outside in, such as `['roles', 0]`; empty if the value as a whole does not fit. */
  readonly path: readonly PropertyKey[]
  /** The message of the schema library, which may quote the value. */
  readonly message: string
}

/**
 * A value that was loaded for a collection, or was passed to its `set`, does not fit the schema. It was not stored. The
 * {@link issues} are for programs: they may quote the value, so a log of the error does not contain them.
 */
export class SchemaMismatchError extends CacheError {
  override readonly name: string = 'SchemaMismatchError'
  readonly #issues: readonly SchemaMismatch[]

  /** @param what the subject of the message: what does not fit */
  constructor(what: string, key: string, operation: string, issues: readonly SchemaMismatch[]) {
    const count = issues.length === 1 ? '1 issue' : `${issues.length} issues`
    super('CACHE_SCHEMA_MISMATCH', `${what} does not fit the schema: ${count}`, { key, operation })
    this.#issues = issues
  }

  /** The places in which the value does not fit. They may quote the value: take care where you show them. */
  get issues(): readonly SchemaMismatch[] {
    return this.#issues
  }
}

/**
 * The error for a value of a collection that does not fit.
 * @param how what happened to the value: `'set'`, `'loaded'`, `'read back'`
 */
export function schemaMismatch(
  how: string,
  collection: string,
  key: string,
  operation: string,
  issues: readonly SchemaIssue[],
): SchemaMismatchError {
  const mismatches = issues.map(({ message, path }) => ({
    message,
    path: (path ?? []).map((part) => (typeof part === 'object' ? part.key : part)),
  }))
  const what = `A value that was ${how} in the collection ${abbreviate(collection)}`
  return new SchemaMismatchError(what, key, operation, mismatches)
}
