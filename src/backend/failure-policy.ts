import type { ReadThroughEvents } from '../contract/cache-events.ts'
import type { Logger } from '../contract/logger.ts'
import { abbreviate, CacheError, isProgrammingMistake } from '../foundation/cache-error.ts'
import { EventHub } from '../foundation/event-hub.ts'
import type { FailureMode } from './backend-options.ts'

/** At most one log line per error code in this time; what was left out is counted in the next. */
const LOG_INTERVAL_MS = 1_000

/**
 * What happens when an operation fails: every failure but a programming mistake becomes an `error` event and
 * a log line, and is then absorbed into a fallback or thrown, as the backend was told.
 */
export class FailurePolicy {
  readonly events: EventHub<ReadThroughEvents>
  readonly #mode: FailureMode
  readonly #logger: Logger
  readonly #logged = new Map<string, { atMs: number; suppressed: number }>()

  constructor(mode: FailureMode, logger: Logger) {
    this.#mode = mode
    this.#logger = guarded(logger)
    this.events = new EventHub((error, event) => {
      this.#logger.error(
        { event, error: error instanceof Error ? error.name : typeof error },
        'a cache event listener threw',
      )
    })
  }

  /** Runs an operation that may answer `fallback` where it fails. */
  async absorb<Result>(
    operation: string,
    key: string | undefined,
    fallback: Result,
    work: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      this.report(operation, key, error)
      return fallback
    }
  }

  /** Runs an operation that has no honest fallback: every failure is told and then thrown. */
  async insist<Result>(
    operation: string,
    key: string | undefined,
    work: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      throw this.tell(operation, key, error)
    }
  }

  /**
   * Tells of a failure, and returns where it is to be absorbed.
   * @throws CacheError the failure itself, where it is a programming mistake or the mode is `'throw'`
   */
  report(operation: string, key: string | undefined, error: unknown): void {
    const failure = this.tell(operation, key, error)
    if (this.#mode === 'throw' || isProgrammingMistake(failure)) throw failure
  }

  /** Tells of a value that could not be read; that is a miss in either mode. */
  tellUndecodable(operation: string, key: string, error: unknown): void {
    this.tell(operation, key, error)
  }

  /** Tells of a failure that is absorbed in any mode; a programming mistake is only located. */
  tell(operation: string, key: string | undefined, error: unknown): CacheError {
    const failure = toCacheError(error).within(operation, key)
    if (isProgrammingMistake(failure)) return failure
    this.#log(operation, key, failure)
    this.events.emit('error', { error: failure, operation, key })
    return failure
  }

  /** An outage fails thousands of operations a second; the log needs one line of it. */
  #log(operation: string, key: string | undefined, failure: CacheError): void {
    const nowMs = performance.now()
    const last = this.#logged.get(failure.code)
    if (last !== undefined && nowMs - last.atMs < LOG_INTERVAL_MS) {
      last.suppressed++
      return
    }
    this.#logged.set(failure.code, { atMs: nowMs, suppressed: 0 })
    this.#logger.warn(
      {
        code: failure.code,
        operation,
        ...(key === undefined ? {} : { key: abbreviate(key) }),
        ...(failure.replyCode === undefined ? {} : { replyCode: failure.replyCode }),
        ...(last !== undefined && last.suppressed > 0 ? { suppressed: last.suppressed } : {}),
      },
      failure.message,
    )
  }
}

/** The lines that name functions; a message of several lines stands above them. */
function framesOf(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .join('\n')
}

/** A logger that throws must not disturb the operation that it is told of. */
function guarded(logger: Logger): Logger {
  const attempt = (write: () => void) => {
    try {
      write()
    } catch {
      // There is nobody left to tell.
    }
  }
  return {
    debug: (context, message) => attempt(() => logger.debug(context, message)),
    warn: (context, message) => attempt(() => logger.warn(context, message)),
    error: (context, message) => attempt(() => logger.error(context, message)),
  }
}

/** Anything else than our own error is a defect of ours, of a serializer or of a client; its message may quote data. */
function toCacheError(error: unknown): CacheError {
  if (error instanceof CacheError) return error
  const name = error instanceof Error ? error.name : typeof error
  const wrapped = new CacheError(
    'CACHE_INTERNAL',
    `Unexpected ${name} inside the cache; this is a defect worth reporting`,
  )
  if (error instanceof Error && error.stack !== undefined) {
    wrapped.stack = `${wrapped.name}: ${wrapped.message}\n${framesOf(error.stack)}`
  }
  return wrapped
}
