import type { RemovalOptions } from '../../contract/cache-backend.ts'
import type { ReadThroughEvents } from '../../contract/cache-events.ts'
import type { Logger } from '../../contract/logger.ts'
import { abbreviate, CacheError, isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import { EventHub } from '../../foundation/event-hub.ts'
import { systemMs } from '../../foundation/time/timers.ts'
import type { FailureMode } from './backend-options.ts'

/** At most one log line per error code in this time; the next one reports how many were suppressed. */
const LOG_INTERVAL_MS = 1_000

/**
 * Handles failed operations. Every failure except a programming mistake becomes an `error` event and a log line; the
 * failure mode decides whether the operation then answers a fallback or throws.
 */
export class FailurePolicy {
  /** The namespace whose failures it handles, as events name it. */
  readonly namespace: string
  readonly events: EventHub<ReadThroughEvents>
  readonly #mode: FailureMode
  readonly #logger: Logger
  /** The last log line of each error code, in all namespaces. */
  readonly #logged: Map<string, { atMs: number; suppressed: number }>

  /** @param origin the policy of the cache, if this is that of a namespace */
  constructor(mode: FailureMode, logger: Logger, namespace = '', origin?: FailurePolicy) {
    this.namespace = namespace
    this.#mode = mode
    this.#logger = origin === undefined ? guarded(logger) : logger
    this.#logged = origin === undefined ? new Map() : origin.#logged
    this.events =
      origin?.events ??
      new EventHub((error, event) => {
        this.#logger.error({ event, error: nameOf(error) }, 'a cache event listener threw')
      })
  }

  /** The policy of a namespace: its events name it, and go to the same listeners. */
  within(namespace: string): FailurePolicy {
    return namespace === this.namespace ? this : new FailurePolicy(this.#mode, this.#logger, namespace, this)
  }

  /** Runs an operation that may answer `fallback` if it fails. */
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

  /** Runs an operation that has no honest fallback: every failure is reported and then thrown. */
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
   * Reports a failure, and returns if the failure is absorbed.
   * @throws CacheError the failure itself, if it is a programming mistake or the mode is `'throw'`
   */
  report(operation: string, key: string | undefined, error: unknown): void {
    const failure = this.tell(operation, key, error)
    if (this.#mode === 'throw' || isProgrammingMistake(failure)) throw failure
  }

  /** Reports a value that could not be decoded, which is a miss in either mode. */
  tellUndecodable(operation: string, key: string, error: unknown): void {
    this.publish(operation, key, error)
  }

  /** Reports a failure that is absorbed in either mode. A programming mistake is only given its operation and key. */
  tell(operation: string, key: string | undefined, error: unknown): CacheError {
    const failure = toCacheError(error).within(operation, key)
    return isProgrammingMistake(failure) ? failure : this.publish(operation, key, failure)
  }

  /** Logs a failure and emits its event, whatever its kind. */
  publish(operation: string, key: string | undefined, error: unknown): CacheError {
    const failure = toCacheError(error).within(operation, key)
    this.#log(operation, key, failure)
    this.events.emit('error', { namespace: this.namespace, error: failure, operation, key })
    return failure
  }

  /** The options of a removal whose `onProgress` may throw: its error is logged, and the removal goes on. */
  guardedRemoval({ onProgress, signal }: RemovalOptions): RemovalOptions {
    if (onProgress === undefined) return { signal }
    return {
      signal,
      onProgress: (removed) => {
        try {
          onProgress(removed)
        } catch (error) {
          this.#logger.error({ error: nameOf(error) }, 'an onProgress callback threw')
        }
      },
    }
  }

  /** An outage fails thousands of operations a second, which need one log line. */
  #log(operation: string, key: string | undefined, failure: CacheError): void {
    const nowMs = systemMs()
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
        ...(this.namespace === '' ? {} : { namespace: abbreviate(this.namespace) }),
        ...(key === undefined ? {} : { key: abbreviate(key) }),
        ...(failure.replyCode === undefined ? {} : { replyCode: failure.replyCode }),
        ...(last !== undefined && last.suppressed > 0 ? { suppressed: last.suppressed } : {}),
      },
      failure.message,
    )
  }
}

/** The frames of a stack without the message, which may have several lines. */
function framesOf(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .join('\n')
}

/** A logger whose own errors do not disturb the operation that it is called from. */
function guarded(logger: Logger): Logger {
  const attempt = (write: () => void) => {
    try {
      write()
    } catch {
      // There is no other logger to report to.
    }
  }
  return {
    debug: (context, message) => attempt(() => logger.debug(context, message)),
    warn: (context, message) => attempt(() => logger.warn(context, message)),
    error: (context, message) => attempt(() => logger.error(context, message)),
  }
}

/**
 * Any other error is a defect of this library, a serializer or a client; its message is dropped, as it may quote data.
 */
function toCacheError(error: unknown): CacheError {
  if (error instanceof CacheError) return error
  const wrapped = new CacheError(
    'CACHE_INTERNAL',
    `Unexpected ${nameOf(error)} inside the cache; this is a defect worth reporting`,
  )
  if (error instanceof Error && error.stack !== undefined) {
    wrapped.stack = `${wrapped.name}: ${wrapped.message}\n${framesOf(error.stack)}`
  }
  return wrapped
}

/** What may be told of an error whose message may quote data. */
function nameOf(error: unknown): string {
  return error instanceof Error ? abbreviate(error.name) : typeof error
}
