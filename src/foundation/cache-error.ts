/** What went wrong, as a stable code a program may branch on. Messages may change; codes do not. */
export type CacheErrorCode =
  /** The caller named an empty, non-string, oversize (> 64 KiB), reserved (it holds a NUL) or ill-formed key or member. */
  | 'CACHE_INVALID_KEY'
  /** The caller passed a duration that is NaN, not positive, or not of the documented form. */
  | 'CACHE_INVALID_DURATION'
  /** The caller stored `undefined`, or a value that the serializer cannot represent without loss. */
  | 'CACHE_INVALID_VALUE'
  /** Another argument is wrong: an amount that is no safe integer, a pattern that is no string, … */
  | 'CACHE_INVALID_ARGUMENT'
  /** A constructor option or an environment variable is malformed. */
  | 'CACHE_INVALID_OPTIONS'
  /** An operation was called before `initialize()`. */
  | 'CACHE_NOT_INITIALIZED'
  /** An operation was called after `shutdown()`. */
  | 'CACHE_CLOSED'
  /** The caller's `AbortSignal` ended a long operation. */
  | 'CACHE_ABORTED'
  /** The encoded value is larger than `maxValueBytes`. */
  | 'CACHE_VALUE_TOO_LARGE'
  /** Bytes under a key are corrupt, truncated, foreign, or of a format this process cannot read. */
  | 'CACHE_UNDECODABLE'
  /** An optional peer dependency that the configuration (or a stored value) needs is not installed. */
  | 'CACHE_MISSING_PEER'
  /** The key holds another Redis type (a set where a string is needed, …). */
  | 'CACHE_WRONG_TYPE'
  /** `incr` or `decr` on something that is not a 64-bit decimal integer. */
  | 'CACHE_NOT_A_COUNTER'
  /** The counter would leave the range that the result type can hold; it was left as it was. */
  | 'CACHE_COUNTER_OVERFLOW'
  /** The reply to a counter operation was lost: it may or may not have been applied. */
  | 'CACHE_AMBIGUOUS'
  /** No reply within the deadline. */
  | 'CACHE_TIMEOUT'
  /** Redis cannot be reached. */
  | 'CACHE_UNAVAILABLE'
  /** The connection was lost while the command was on its way: it may or may not have been executed. */
  | 'CACHE_DISCONNECTED'
  /** Redis refused the credentials, or the user may not run the command. */
  | 'CACHE_AUTH'
  /** Redis answered with another error; `replyCode` holds its first word (`OOM`, `READONLY`, …). */
  | 'CACHE_REPLY'
  /** A defect in this library, in a serializer or in a client. */
  | 'CACHE_INTERNAL'
  /** Some entries of a batch were not stored; `failures` tells which and why. */
  | 'CACHE_PARTIAL_WRITE'
  /** Some keys of a batch were not loaded: see `PartialLoadError`. */
  | 'CACHE_PARTIAL_LOAD'
  /** A loader took longer than the caller was willing to wait. */
  | 'CACHE_LOADER_TIMEOUT'
  /** What was loaded for a collection, or was to be set in it, does not fit its schema: see `SchemaMismatchError`. */
  | 'CACHE_SCHEMA_MISMATCH'

/** Context of a {@link CacheError}. */
export interface CacheErrorContext {
  /** The operation that failed, by its public name (`'get'`, `'setMany'`, …). */
  readonly operation?: string | undefined
  /** The key as the caller gave it, cut to 100 characters. */
  readonly key?: string | undefined
  /** First word of a Redis error reply (`'WRONGTYPE'`, `'OOM'`, …). */
  readonly replyCode?: string | undefined
  /** Per-key errors of a batch write. */
  readonly failures?: ReadonlyMap<string, CacheError> | undefined
  readonly cause?: unknown
}

/**
 * The one error class of this library. Holds no value, no password, and no key longer than 100 characters,
 * so it may be logged as it is.
 */
export class CacheError extends Error {
  override readonly name: string = 'CacheError'
  readonly code: CacheErrorCode
  readonly operation: string | undefined
  readonly key: string | undefined
  readonly replyCode: string | undefined
  readonly #failures: ReadonlyMap<string, CacheError> | undefined

  constructor(code: CacheErrorCode, message: string, context: CacheErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause })
    this.code = code
    this.operation = context.operation
    this.key = typeof context.key === 'string' ? abbreviate(context.key) : undefined
    this.replyCode = context.replyCode
    this.#failures = context.failures
  }

  /** Per-key errors of a batch write, by the whole key: for programs, and so left out where the error is logged. */
  get failures(): ReadonlyMap<string, CacheError> | undefined {
    return this.#failures
  }

  /** A copy that also names the operation and key, keeping what is already known. */
  within(operation: string, key?: string): CacheError {
    if (this.operation !== undefined && (this.key !== undefined || key === undefined)) return this
    const located = new CacheError(this.code, this.message, {
      operation: this.operation ?? operation,
      key: this.key ?? key,
      replyCode: this.replyCode,
      failures: this.failures,
      cause: this.cause,
    })
    if (this.stack !== undefined) located.stack = this.stack
    return located
  }
}

/** Codes of a programming mistake: these always throw, whatever the failure mode. */
const MISTAKES: ReadonlySet<CacheErrorCode> = new Set<CacheErrorCode>([
  'CACHE_INVALID_KEY',
  'CACHE_INVALID_DURATION',
  'CACHE_INVALID_VALUE',
  'CACHE_INVALID_ARGUMENT',
  'CACHE_INVALID_OPTIONS',
  'CACHE_NOT_INITIALIZED',
])

/** Whether `error` tells of a mistake in the calling program, not of a failure at run time. */
export function isProgrammingMistake(error: unknown): boolean {
  return error instanceof CacheError && MISTAKES.has(error.code)
}

/** Codes that say that Redis did not answer. Any other error is an answer. */
const SILENCE: ReadonlySet<string> = new Set<CacheErrorCode>([
  'CACHE_TIMEOUT',
  'CACHE_UNAVAILABLE',
  'CACHE_DISCONNECTED',
])

/** Whether this is the code of an error that says that Redis could not be reached or did not answer. */
export function isSilence(code: string): boolean {
  return SILENCE.has(code)
}

/** Whether the reply to a command was lost, so that the command may have been executed all the same. */
export function isLostReply(error: unknown): error is CacheError {
  return (
    error instanceof CacheError && (error.code === 'CACHE_TIMEOUT' || error.code === 'CACHE_DISCONNECTED')
  )
}

/** At most 100 characters of `text`, with an ellipsis where it was cut. */
export function abbreviate(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 99)}…`
}
