import {
  assertOptions,
  type KnownOptions,
  type OptionNames,
  refusedOption,
} from '../../foundation/option-checks.ts'
import type { Duration } from '../../foundation/time/duration.ts'
import { GET_OR_SET_NAMES, type GetOrSetOptions } from '../freshness/policy-options.ts'
import type { LoadContext } from '../loading/load-context.ts'
import type { ResultOptions } from '../loading/result-options.ts'

/** The options that wrapped functions and cached methods have in common. */
export interface MemoizeOptions<This, Args extends readonly unknown[], Value = unknown>
  extends Omit<GetOrSetOptions, 'ttl' | 'expiresAt' | 'tags' | 'signal'> {
  /**
   * The time for which a result is fresh: seconds, or with a unit (`'5m'`). It may be a function of the arguments of
   * the call, and may return `undefined` for the default; what it throws rejects the call.
   * @default the namespace's, then the cache's `ttl`
   */
  readonly ttl?: Duration | ((this: This, ...args: Args) => Duration | undefined) | undefined
  /**
   * Tags by which a result can be invalidated, at most 64. They may be a function of the arguments of the call, which may
   * return `undefined` for none; what it throws rejects the call.
   * @default none
   */
  readonly tags?:
    | readonly string[]
    | ((this: This, ...args: Args) => readonly string[] | undefined)
    | undefined
  /**
   * Says, of a loaded result and the arguments of its call, how that result is kept: `ttl` or `expiresAt`, `jitter`, the
   * stale windows, `tags` beside those above, or `skip: true` not to cache it. It goes over the options above and over what
   * the function told its context; `undefined` leaves all as it is. It is not called for `undefined`, which is not cached,
   * nor for hits. It is synchronous. If it throws, the call rejects with `CACHE_INVALID_OPTIONS`, whose `cause` is what it
   * threw, also where a stale value could be served. A tag that this process does not know yet has the result not cached
   * once, as with `context.addTags`.
   * @default none
   */
  readonly result?: ((this: This, value: Value, ...args: Args) => ResultOptions | undefined) | undefined
  /** Refused: one signal would hold for every call. */
  readonly signal?: never
}

/** How a function is wrapped: how its keys are made, and how its results are kept. */
export interface WrapOptions<Args extends readonly unknown[], Value = unknown>
  extends MemoizeOptions<void, Args, Value> {
  /**
   * The beginning of the key of every call. It contains no `(`, and no other function may have it in the same
   * namespace of a cache. Give one if your code is minified, since the keys change with every build otherwise.
   * @default the function's own name
   */
  readonly name?: string | undefined
  /**
   * Returns the part of the key that distinguishes one call from another. Calls with the same text share an entry.
   * @default the arguments themselves, distinguished by type and content: primitives, plain objects, arrays, `Map`, `Set`,
   * `Date`, `URL`, `RegExp`, buffers and typed arrays. Any other argument, such as an instance of a class or a function,
   * rejects the call with `CACHE_INVALID_ARGUMENT`
   */
  readonly key?: ((this: void, ...args: Args) => string) | undefined
  /** See {@link ContextWrapOptions}. @default false */
  readonly context?: false | undefined
}

/**
 * The options of a function whose last parameter is the {@link LoadContext} of its load. Callers do not pass it, and it
 * is not part of the key.
 */
export interface ContextWrapOptions<Args extends readonly unknown[], Value = unknown>
  extends Omit<WrapOptions<Args, Value>, 'context'> {
  /** The function gets the context of its load as its last argument. */
  readonly context: true
}

/** The parameters of a function that is wrapped with `context: true`. */
export type ContextParameters = readonly [...unknown[], LoadContext]

/** The arguments that callers pass to a function with these parameters: all but the context. */
export type CallArguments<Parameters extends ContextParameters> = Parameters extends readonly [
  ...infer Args,
  LoadContext,
]
  ? Args
  : never

/** How a method is cached: how its keys are made, and how its results are kept. */
export interface CachedOptions<Instance, Args extends readonly unknown[], Value = unknown>
  extends MemoizeOptions<Instance, Args, Value> {
  /**
   * The beginning of the key of every call. It contains no `(`, and no other method may have it in the same namespace
   * of a cache. Give one if your code is minified, since the keys change with every build otherwise.
   * @default `ClassName.methodName`, with the class of the instance that is called
   */
  readonly name?: string | undefined
  /**
   * Returns the part of the key that distinguishes one call from another. Its `this` is the instance, and it may take
   * fewer arguments than the method does.
   * @default the arguments themselves, as for {@link WrapOptions}; the instance is ignored
   */
  readonly key?: ((this: Instance, ...args: Args) => string) | undefined
}

const { expiresAt: _expiresAt, signal: _signal, ...ENTRY_NAMES } = GET_OR_SET_NAMES
const NO_SIGNAL =
  'one signal would hold for every call. For a call with a signal of its own, use getOrSet(key, loader, { signal })'

const NO_MOMENT = 'one moment would hold for every call: return it from the function `result`'

const WRAP_OPTIONS: KnownOptions = {
  of: 'a cached function',
  names: {
    ...ENTRY_NAMES,
    name: 'value',
    key: 'value',
    result: 'value',
    context: 'value',
  } satisfies OptionNames<Omit<WrapOptions<readonly never[]>, 'signal'>>,
  instead: { signal: NO_SIGNAL, expiresAt: NO_MOMENT },
}

const CACHED_OPTIONS: KnownOptions = {
  of: '@cached',
  names: { ...ENTRY_NAMES, name: 'value', key: 'value', result: 'value' } satisfies OptionNames<
    Omit<CachedOptions<unknown, readonly never[]>, 'signal'>
  >,
  instead: {
    signal: NO_SIGNAL,
    expiresAt: NO_MOMENT,
    context: 'a decorator cannot take a parameter out of the type of a method. Use cache.wrap, or getOrSet',
  },
}

/** Any function of the arguments of a call. */
type OfCall<Result> = (this: unknown, ...args: readonly unknown[]) => Result

/** The options of a wrapped function or a cached method, as its calls use them. */
export interface ResolvedMemoize {
  readonly name: string | undefined
  readonly key: OfCall<string> | undefined
  /** Says how a result is kept. */
  readonly result: OfCall<unknown> | undefined
  /** Whether the function gets the context of its load. */
  readonly takesContext: boolean
  /** The options of the `getOrSet` of one call. If none depends on the arguments, each call gets the same object. */
  readonly optionsOf: (self: unknown, args: readonly unknown[]) => GetOrSetOptions
}

/**
 * The options of a wrapped function, validated. Later changes to the caller's object have no effect.
 * @throws CacheError `CACHE_INVALID_OPTIONS`
 */
export function resolveWrap(
  options: WrapOptions<never, never> | ContextWrapOptions<never, never>,
): ResolvedMemoize {
  return resolved(options, WRAP_OPTIONS)
}

/** As {@link resolveWrap}, for a cached method. */
export function resolveCached<Instance, Args extends readonly unknown[], Value>(
  options: CachedOptions<Instance, Args, Value>,
): ResolvedMemoize {
  return resolved(options, CACHED_OPTIONS)
}

function resolved(options: object, known: KnownOptions): ResolvedMemoize {
  assertOptions(options, known)
  const {
    context = false,
    key,
    name,
    result,
    ...entry
  } = options as WrapOptions<readonly unknown[]> | ContextWrapOptions<readonly unknown[]>
  if (name !== undefined && typeof name !== 'string') throw refusedOption('name', 'a string', name)
  if (key !== undefined && typeof key !== 'function') throw refusedOption('key', 'a function', key)
  if (result !== undefined && typeof result !== 'function') {
    throw refusedOption('result', 'a function', result)
  }
  if (typeof context !== 'boolean') throw refusedOption('context', 'true or false', context)
  return {
    name,
    key: key as OfCall<string> | undefined,
    result: result as OfCall<unknown> | undefined,
    takesContext: context,
    optionsOf: optionsOf(entry),
  }
}

function optionsOf(entry: MemoizeOptions<unknown, readonly unknown[]>): ResolvedMemoize['optionsOf'] {
  const { tags, ttl } = entry
  if (typeof tags !== 'function' && typeof ttl !== 'function') {
    const options = Object.freeze(entry) as GetOrSetOptions
    return () => options
  }
  return (self, args) => ({
    ...entry,
    ttl: typeof ttl === 'function' ? Reflect.apply(ttl, self, args) : ttl,
    tags: typeof tags === 'function' ? Reflect.apply(tags, self, args) : tags,
  })
}
