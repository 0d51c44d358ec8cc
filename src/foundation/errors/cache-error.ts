import { printable } from './printable.ts'

/** The kind of an error, as a stable code that a program may branch on. Messages may change; codes do not. */
export type CacheErrorCode =
  /** A key or member is empty, not a string, longer than 64 KiB, reserved (it contains a NUL) or ill-formed. */
  | 'CACHE_INVALID_KEY'
  /** A duration is NaN, not positive, or not of the documented form. */
  | 'CACHE_INVALID_DURATION'
  /** A value is `undefined`, or the serializer cannot represent it without loss. */
  | 'CACHE_INVALID_VALUE'
  /** Another argument is invalid: an amount that is not a safe integer, a pattern that is not a string, … */
  | 'CACHE_INVALID_ARGUMENT'
  /** An option or an environment variable is invalid. */
  | 'CACHE_INVALID_OPTIONS'
  /** An operation, or `initialize()`, was called after `shutdown()`. */
  | 'CACHE_CLOSED'
  /** A slot of `reserve` was filled or released before: reserve the key again. */
  | 'CACHE_SLOT_CLOSED'
  /** The `AbortSignal` of the caller ended a long operation. */
  | 'CACHE_ABORTED'
  /** The encoded value is larger than `maxValueBytes`. */
  | 'CACHE_VALUE_TOO_LARGE'
  /** The bytes under a key are corrupt, truncated, foreign, or of a format that this process cannot read. */
  | 'CACHE_UNDECODABLE'
  /** An optional peer dependency that the configuration or a stored value needs is not installed. */
  | 'CACHE_MISSING_PEER'
  /** The key holds another Redis type, for example a set in place of a string. */
  | 'CACHE_WRONG_TYPE'
  /** `incr` or `decr` met a value that is not a 64-bit decimal integer. */
  | 'CACHE_NOT_A_COUNTER'
  /** The counter would leave the range of the result type; it is unchanged. */
  | 'CACHE_COUNTER_OVERFLOW'
  /** The reply to a counter operation was lost; the operation may or may not have been applied. */
  | 'CACHE_AMBIGUOUS'
  /** No reply within the deadline. */
  | 'CACHE_TIMEOUT'
  /** Redis cannot be reached. */
  | 'CACHE_UNAVAILABLE'
  /** The connection was lost during the command, which may or may not have been executed. */
  | 'CACHE_DISCONNECTED'
  /** Redis refused the credentials, or the user may not run the command. */
  | 'CACHE_AUTH'
  /** Redis answered with another error; `replyCode` is its first word (`OOM`, `READONLY`, …). */
  | 'CACHE_REPLY'
  /** A defect in this library, in a serializer or in a client. */
  | 'CACHE_INTERNAL'
  /** Some entries of a batch were not stored; `failures` has the error of each. */
  | 'CACHE_PARTIAL_WRITE'
  /** Some keys of a batch were not loaded: see `PartialLoadError`. */
  | 'CACHE_PARTIAL_LOAD'
  /** A loader waits for its own load, directly or through other loaders; the message names the keys on the way. */
  | 'CACHE_CYCLE'
  /** The last load has failed in another process, and is not tried again yet: see `errorTtl`. */
  | 'CACHE_SOURCE_FAILED'
  /** A loader took longer than the caller's `hardTimeout`. */
  | 'CACHE_LOADER_TIMEOUT'
  /**
   * A value that was loaded for a collection, or passed to its `set`, does not fit the schema: see
   * `SchemaMismatchError`.
   */
  | 'CACHE_SCHEMA_MISMATCH'

/** The context of a {@link CacheError}. */
export interface CacheErrorContext {
  /** The public name of the operation that failed (`'get'`, `'setMany'`, …). */
  readonly operation?: string | undefined
  /** The key as the caller passed it. */
  readonly key?: string | undefined
  /** The first word of a Redis error reply (`'WRONGTYPE'`, `'OOM'`, …). */
  readonly replyCode?: string | undefined
  /** The errors of a batch write, by key. */
  readonly failures?: ReadonlyMap<string, CacheError> | undefined
  readonly cause?: unknown
}

/**
 * The error class of this library; its subclasses have more context. An error contains no value, no password, and no
 * key longer than 100 characters. Unprintable characters of the message and the key are escaped, so it may be logged as
 * it is.
 */
export class CacheError extends Error {
  override readonly name: string = 'CacheError'
  readonly code: CacheErrorCode
  readonly operation: string | undefined
  /**
   * The key for people: its unprintable characters are escaped (`\x1b`), and it is cut to 100 characters. For programs,
   * the event `error` and {@link failures} have the whole key.
   */
  readonly key: string | undefined
  readonly replyCode: string | undefined
  readonly #failures: ReadonlyMap<string, CacheError> | undefined

  constructor(code: CacheErrorCode, message: string, context: CacheErrorContext = {}) {
    super(printable(message), context.cause === undefined ? undefined : { cause: context.cause })
    this.code = code
    this.operation = context.operation
    this.key = typeof context.key === 'string' ? abbreviate(context.key) : undefined
    this.replyCode = context.replyCode
    this.#failures = context.failures
  }

  /** The errors of a batch write, by the whole key. They are for programs: a log of the error does not contain them. */
  get failures(): ReadonlyMap<string, CacheError> | undefined {
    return this.#failures
  }

  /** A copy that also names the operation and the key, if the error does not name them yet. */
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

/** The error of a walk through the key space that its caller ended. */
export function walkAborted(): CacheError {
  return new CacheError('CACHE_ABORTED', 'The walk through the keys was aborted by its signal')
}

/** The codes of programming mistakes, which throw in either failure mode. */
const MISTAKES: ReadonlySet<CacheErrorCode> = new Set<CacheErrorCode>([
  'CACHE_INVALID_KEY',
  'CACHE_INVALID_DURATION',
  'CACHE_INVALID_VALUE',
  'CACHE_INVALID_ARGUMENT',
  'CACHE_INVALID_OPTIONS',
  'CACHE_MISSING_PEER',
  'CACHE_SLOT_CLOSED',
])

/** Whether an error is a mistake of the calling program, and not a failure at run time. */
export function isProgrammingMistake(error: unknown): boolean {
  return error instanceof CacheError && MISTAKES.has(error.code)
}

/** The codes that mean that Redis did not answer. Any other error is an answer. */
const SILENCE: ReadonlySet<string> = new Set<CacheErrorCode>([
  'CACHE_TIMEOUT',
  'CACHE_UNAVAILABLE',
  'CACHE_DISCONNECTED',
])

/** Whether a code means that Redis could not be reached, or did not answer. */
export function isSilence(code: string): boolean {
  return SILENCE.has(code)
}

/** Whether an error means that Redis could not be reached, or did not answer. */
export function isUnanswered(error: unknown): error is CacheError {
  return error instanceof CacheError && isSilence(error.code)
}

/** Whether the reply to a command was lost. The command may have been executed nevertheless. */
export function isLostReply(error: unknown): error is CacheError {
  return (
    error instanceof CacheError && (error.code === 'CACHE_TIMEOUT' || error.code === 'CACHE_DISCONNECTED')
  )
}

/** The most characters of a text that is shown. */
const LONGEST_SHOWN = 100

/** At most 100 characters of a text as {@link printable}, with an ellipsis if it was cut. */
export function abbreviate(text: string): string {
  const shown = printable(text.slice(0, LONGEST_SHOWN + 1))
  if (shown.length <= LONGEST_SHOWN) return shown
  return `${shown.slice(0, LONGEST_SHOWN - 1).replace(/\p{Cs}$/u, '')}…`
}
