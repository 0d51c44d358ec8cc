import type { KnownOptions, OptionNames } from '../../foundation/option-checks.ts'
import type { AgeOptions } from '../freshness/policy-options.ts'

/** Options of `get`. */
export interface GetOptions extends AgeOptions {
  /**
   * `false` asks Redis, also for what this process knows of the tags of the entry. The result is never older than an
   * invalidation that was acknowledged to any process before the call. It costs one more round trip on a cluster, and on
   * the bus, if the entry has tags.
   * @default true: the local tier is asked first
   */
  readonly local?: boolean | undefined
}

/** What the options of `get` may contain. */
export const GET_OPTIONS: KnownOptions = {
  of: 'get',
  names: { local: 'value', maxAge: 'duration' } satisfies OptionNames<GetOptions>,
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
  names: { local: 'value', maxAge: 'duration', stale: 'value' } satisfies OptionNames<GetEntryOptions>,
}
