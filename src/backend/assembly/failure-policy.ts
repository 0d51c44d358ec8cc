import type { RemovalOptions } from '../../contract/cache-backend.ts'
import type { ReadThroughEvents } from '../../contract/cache-events.ts'
import type { Logger } from '../../contract/logger.ts'
import { CacheError, isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import { EventHub } from '../../foundation/event-hub.ts'
import type { FailureMode } from './backend-options.ts'
import { FailureLog, nameOf } from './failure-log.ts'

/**
 * Handles failed operations. Every failure except a programming mistake becomes an `error` event and a log line; the
 * failure mode decides whether the operation then answers a fallback or throws.
 */
export class FailurePolicy {
  /** The namespace whose failures it handles, as events name it. */
  readonly namespace: string
  readonly events: EventHub<ReadThroughEvents>
  readonly #mode: FailureMode
  readonly #log: FailureLog

  private constructor(
    mode: FailureMode,
    log: FailureLog,
    events: EventHub<ReadThroughEvents>,
    namespace: string,
  ) {
    this.#mode = mode
    this.#log = log
    this.events = events
    this.namespace = namespace
  }

  /** The policy of a cache or a backend. */
  static of(mode: FailureMode, logger: Logger): FailurePolicy {
    const log = new FailureLog(logger)
    const events = new EventHub<ReadThroughEvents>((error, event) => {
      log.threw(error, 'a cache event listener threw', { event })
    })
    return new FailurePolicy(mode, log, events, '')
  }

  /** The policy of a namespace: its events name it, and go to the same listeners and the same log. */
  within(namespace: string): FailurePolicy {
    if (namespace === this.namespace) return this
    return new FailurePolicy(this.#mode, this.#log, this.events, namespace)
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
    this.#log.failed(this.namespace, operation, key, failure)
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
          this.#log.threw(error, 'an onProgress callback threw')
        }
      },
    }
  }
}

/** The frames of a stack without the message, which may have several lines. */
function framesOf(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .join('\n')
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
