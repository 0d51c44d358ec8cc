import type { Logger } from '../../contract/logger.ts'
import { abbreviate, type CacheError } from '../../foundation/errors/cache-error.ts'
import { systemMs } from '../../foundation/time/timers.ts'

/** At most one log line per error code in this time; the next one reports how many were suppressed. */
const LOG_INTERVAL_MS = 1_000

/** The log of the failures of a cache or a backend, with all its namespaces. */
export class FailureLog {
  readonly #logger: Logger
  /** The last log line of each error code. */
  readonly #logged = new Map<string, { readonly atMs: number; suppressed: number }>()

  constructor(logger: Logger) {
    this.#logger = guarded(logger)
  }

  /** An operation has failed. An outage fails thousands of operations a second, which need one log line. */
  failed(namespace: string, operation: string, key: string | undefined, failure: CacheError): void {
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
        ...(namespace === '' ? {} : { namespace: abbreviate(namespace) }),
        ...(key === undefined ? {} : { key: abbreviate(key) }),
        ...(failure.replyCode === undefined ? {} : { replyCode: failure.replyCode }),
        ...(last !== undefined && last.suppressed > 0 ? { suppressed: last.suppressed } : {}),
      },
      failure.message,
    )
  }

  /** A function of the caller has thrown where nothing may depend on it. */
  threw(error: unknown, message: string, context: Readonly<Record<string, unknown>> = {}): void {
    this.#logger.error({ ...context, error: nameOf(error) }, message)
  }
}

/** What may be told of an error whose message may quote data. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? abbreviate(error.name) : typeof error
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
