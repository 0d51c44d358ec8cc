import { assertOptionNames, type KnownOptions } from '../../foundation/option-checks.ts'

/**
 * Checks the options of calls, which pass through many hands: a misspelled name would be ignored in silence. It is off
 * in production, where a call should not pay for it, and where a path that was never tried should rather go on.
 */
export class CallChecks {
  readonly #isOn: boolean

  constructor(isOn: boolean) {
    this.#isOn = isOn
  }

  /** @throws CacheError `CACHE_INVALID_OPTIONS` for an unknown name, or if it is no object */
  check(options: unknown, known: KnownOptions): void {
    if (this.#isOn) assertOptionNames(options, known)
  }
}
