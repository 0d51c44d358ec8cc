import type { Logger } from '../../contract/logger.ts'
import { assertOptionNames, type KnownOptions } from '../../foundation/option-checks.ts'
import { advise } from './advice.ts'

/**
 * Checks what passes unnoticed otherwise: a misspelled name among the options of a call, and a number of seconds that
 * looks like milliseconds. It is off in production, where a call should not pay for it, and where a path that was never
 * tried should rather go on.
 */
export class CallChecks {
  readonly #isOn: boolean
  readonly #logger: Logger

  constructor(isOn: boolean, logger: Logger) {
    this.#isOn = isOn
    this.#logger = logger
  }

  /** @throws CacheError `CACHE_INVALID_OPTIONS` for an unknown name, or if it is no object */
  check(options: unknown, known: KnownOptions): void {
    if (!this.#isOn) return
    assertOptionNames(options, known)
    this.#checkDurations(options, known)
  }

  /** Warns once of a number that is probably meant as milliseconds. */
  checkDuration(name: string, duration: unknown): void {
    if (!this.#isOn || typeof duration !== 'number' || !looksLikeMilliseconds(duration)) return
    advise(
      this.#logger,
      `duration ${duration}`,
      `${name}: ${duration} is ${inHours(duration)}, since a number counts seconds. If milliseconds are meant, write '${duration}ms'; if not, '${duration}s' says so`,
    )
  }

  /** @param path what the messages put before the names of a group: `'lease.'` */
  #checkDurations(options: object, { names }: KnownOptions, path = ''): void {
    for (const name in options) {
      const kind = names[name]
      const value = (options as Readonly<Record<string, unknown>>)[name]
      if (kind === 'duration') this.checkDuration(path + name, value)
      else if (typeof kind !== 'object') continue
      else if (typeof value === 'object' && value !== null) {
        this.#checkDurations(value, kind, `${path}${name}.`)
      } else if (kind.main !== undefined && kind.names[kind.main] === 'duration') {
        this.checkDuration(path + name, value)
      }
    }
  }
}

const HOUR = 3_600

/**
 * Whether somebody who counts in milliseconds may have written a number: a multiple of 1,000 from 10,000 on. A whole
 * number of hours is more likely meant as seconds, unless it would be one in milliseconds too.
 */
function looksLikeMilliseconds(seconds: number): boolean {
  if (!Number.isSafeInteger(seconds) || seconds < 10_000 || seconds % 1_000 !== 0) return false
  return seconds % HOUR !== 0 || seconds % (HOUR * 1_000) === 0
}

function inHours(seconds: number): string {
  const hours = seconds / HOUR
  return hours < 48 ? `${hours.toFixed(1)} hours` : `${(hours / 24).toFixed(1)} days`
}
