import { CacheError } from '../../foundation/errors/cache-error.ts'
import { kindOf } from '../../foundation/errors/shown-value.ts'
import { type KnownOptions, type OptionNames, refusedOption } from '../../foundation/option-checks.ts'
import { type EntryOptions, VALUE_NAMES } from '../freshness/policy-options.ts'
import { LoadContext, type Loader } from './load-context.ts'

/** What a loaded value says about how it is kept. */
export interface ResultOptions extends EntryOptions {
  /** `true` prevents the value from being cached; what was cached stays. @default false */
  readonly skip?: boolean | undefined
}

const RESULT_OPTIONS: KnownOptions = {
  of: 'result',
  names: { ...VALUE_NAMES, tags: 'value', skip: 'value' } satisfies OptionNames<ResultOptions>,
}

/**
 * A loader whose value decides how it is kept, as if the loader told its context. A value that is confirmed
 * (`notModified`) decides too. One that is not stored does not: `undefined`, or after `skip()`.
 * @param result `undefined` leaves the loader as it is
 * @throws CacheError `CACHE_INVALID_OPTIONS` for what `result` throws, which is its cause, or returns by mistake; no stale
 * value hides it
 */
export function decidedBy(
  loader: Loader<unknown>,
  result: ((value: unknown) => unknown) | undefined,
): Loader<unknown> {
  if (result === undefined) return loader
  return async (context) => {
    if (!(context instanceof LoadContext)) {
      throw mistake('The option `result` needs a cache that gives its loaders a context')
    }
    let value: unknown
    try {
      value = await loader(context)
    } catch (error) {
      if (!context.isNotModified) throw error
    }
    const stored = context.isNotModified ? context.stale()?.value : value
    if (stored !== undefined && !context.isSkipped) decide(context, result, stored)
    return value
  }
}

function decide(context: LoadContext, result: (value: unknown) => unknown, value: unknown): void {
  const decided = resultFor(result, value)
  if (decided === undefined) return
  context.check(decided, RESULT_OPTIONS)
  const { skip, tags, ...options } = decided
  if (skip !== undefined && typeof skip !== 'boolean') {
    throw refusedOption('skip of result', 'true or false', skip)
  }
  context.setOptions(options)
  if (tags !== undefined) context.addTags(tags)
  if (skip) context.skip()
}

function resultFor(result: (value: unknown) => unknown, value: unknown): ResultOptions | undefined {
  let decided: unknown
  try {
    decided = result(value)
  } catch (cause) {
    throw mistake('The option `result` threw an error, which is the cause of this one', cause)
  }
  if (decided === undefined) return undefined
  const isPromise = typeof (decided as { readonly then?: unknown } | null)?.then === 'function'
  if (typeof decided === 'object' && decided !== null && !isPromise) return decided
  throw mistake(
    `The option \`result\` must return options or undefined, not ${isPromise ? 'a promise' : kindOf(decided)}`,
  )
}

function mistake(message: string, cause?: unknown): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', message, { cause })
}
