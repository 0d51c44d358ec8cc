import type { KnownOptions, OptionNames } from '../../foundation/option-checks.ts'
import { type AgeOptions, COPY_OPTIONS, type LocalReadOptions } from '../freshness/policy-options.ts'

/** Options of `get`. */
export interface GetOptions extends AgeOptions, LocalReadOptions {}

/** What the options of `get` may contain. */
export const GET_OPTIONS: KnownOptions = {
  of: 'get',
  names: { local: COPY_OPTIONS, atLeast: 'value', maxAge: 'duration' } satisfies OptionNames<GetOptions>,
}

/** Options of `getEntry`. */
export interface GetEntryOptions extends GetOptions {
  /**
   * `true` answers a stale entry too, as long as it is within `staleWhileRevalidate` or `staleIfError` and was not
   * invalidated; its `status` is `'stale'`.
   * @default false: it is a miss
   */
  readonly stale?: boolean | undefined
}

/** What the options of `getEntry` may contain. */
export const GET_ENTRY_OPTIONS: KnownOptions = {
  of: 'getEntry',
  names: {
    local: COPY_OPTIONS,
    atLeast: 'value',
    maxAge: 'duration',
    stale: 'value',
  } satisfies OptionNames<GetEntryOptions>,
}
