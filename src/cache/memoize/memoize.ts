import { abbreviate, CacheError } from '../../foundation/errors/cache-error.ts'
import { kindOf, shown } from '../../foundation/errors/shown-value.ts'
import { refusedOption } from '../../foundation/option-checks.ts'
import type { GetOrSetOptions } from '../freshness/policy-options.ts'
import { NAMES, NameRegistry } from '../keys/name-registry.ts'
import type { Loader } from '../loading/load-context.ts'
import { decidedBy } from '../loading/result-options.ts'
import { argumentKey } from './argument-key.ts'
import { type ContextWrapOptions, resolveWrap, type WrapOptions } from './memoize-options.ts'

/** The operation of a cache that `@cached` calls. */
export interface MemoizingCache {
  /** As `getOrSet` of a cache. */
  getOrSet<T>(key: string, loader: () => Promise<T> | T, options?: GetOrSetOptions): Promise<unknown>
}

/** The operations of a cache that a wrapped function calls. */
export interface WrappingCache {
  getOrSet<T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<unknown>
  refresh<T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<unknown>
  delete(key: string): Promise<boolean>
}

/** A function whose results are kept in a cache. */
export type Wrapped<Args extends readonly unknown[], Result> = ((...args: Args) => Promise<Result>) & {
  /**
   * The key under which the result of this call is kept.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` if an argument cannot be part of a key, `CACHE_INVALID_KEY` if the
   * `key` function does not return a string
   */
  key(...args: Args): string
  /** Deletes the result of this call, and returns whether there was one. It fails as the cache's `delete` does. */
  delete(...args: Args): Promise<boolean>
  /**
   * Calls the function, even if a fresh result is cached, and stores what it returns; other callers are served the
   * cached result meanwhile. It fails as the cache's `refresh` does. A function that uses its `this` gets the one of
   * `refresh.call(self, …)`.
   */
  refresh(...args: Args): Promise<Result>
}

type AnyFunction = (this: unknown, ...args: readonly unknown[]) => unknown

/**
 * A function that answers from the cache, and calls `fn` on a miss.
 *
 * The key of a call is `name(arguments)`, as in `findUser("ann",42)`. `fn` receives the `this` of the call, which is
 * not part of the key. A call rejects as `fn` and the cache's `getOrSet` do, and if no key can be made; it never throws
 * synchronously. The key is made at once and `fn` may run later, so do not change the arguments before the call has
 * settled.
 *
 * @param names the names that are taken in the cache; the name of `fn` is added
 * @throws CacheError `CACHE_INVALID_ARGUMENT` if `fn` is no function; `CACHE_INVALID_OPTIONS`, also if there is no name,
 * or if another function has it: the two would answer with each other's results. The same function may be wrapped again.
 * @example
 * ```ts
 * const findUser = cache.wrap(async function findUser(id: string) { … }, { ttl: '5m', tags: (id) => [`user:${id}`] })
 * await findUser('ann')
 * await findUser.delete('ann')
 * ```
 */
export function memoize(
  cache: WrappingCache,
  names: NameRegistry,
  fn: (...args: never) => unknown,
  options: WrapOptions<never, never> | ContextWrapOptions<never, never> = {},
): Wrapped<readonly unknown[], unknown> {
  if (typeof fn !== 'function') throw notFunction(fn, options)
  const { key, name = fn.name, optionsOf, result, takesContext } = resolveWrap(options)
  claimName(names, name, fn)

  const keyOf = (args: readonly unknown[]): string => callKey(name, key, undefined, args)
  const callOf = (self: unknown, args: readonly unknown[]): Loader<unknown> =>
    takesContext
      ? (context) => Reflect.apply(fn, self, [...padded(args, fn.length - 1), context])
      : () => Reflect.apply(fn, self, args)
  const loaderOf = (self: unknown, args: readonly unknown[]): Loader<unknown> =>
    decidedBy(callOf(self, args), resultOf(result, undefined, args))
  async function wrapped(this: unknown, ...args: readonly unknown[]): Promise<unknown> {
    return cache.getOrSet(keyOf(args), loaderOf(this, args), optionsOf(undefined, args))
  }
  async function refresh(this: unknown, ...args: readonly unknown[]): Promise<unknown> {
    const self = this === wrapped ? undefined : this
    return cache.refresh(keyOf(args), loaderOf(self, args), optionsOf(undefined, args))
  }
  const length = takesContext ? Math.max(0, fn.length - 1) : fn.length
  return Object.assign(renamed(wrapped, { name: fn.name, length }), {
    key: (...args: readonly unknown[]): string => keyOf(args),
    delete: async (...args: readonly unknown[]): Promise<boolean> => cache.delete(keyOf(args)),
    refresh,
  })
}

/** The option `result` for one call. */
export function resultOf(
  result: AnyFunction | undefined,
  self: unknown,
  args: readonly unknown[],
): ((value: unknown) => unknown) | undefined {
  return result && ((value) => Reflect.apply(result, self, [value, ...args]))
}

/** The arguments, at least so many: the context comes after those that a caller has left out. */
function padded(args: readonly unknown[], length: number): readonly unknown[] {
  return args.length >= length ? args : Object.assign(new Array<unknown>(length).fill(undefined), args)
}

function notFunction(given: unknown, next: unknown): CacheError {
  const habit =
    typeof given === 'string' && typeof next === 'function' ? ': that is getOrSet(key, loader) here' : ''
  return new CacheError(
    'CACHE_INVALID_ARGUMENT',
    `wrap(fn, options) takes a function, not ${kindOf(given)}${habit}`,
  )
}

/** The registries of caches that have none of their own: anything with `getOrSet` can be a cache of `@cached`. */
const registries = new WeakMap<object, NameRegistry>()

/** The names that are taken in a cache, or in the key space of a namespace. They live as long as the cache does. */
export function namesOf(cache: object): NameRegistry {
  const known = (cache as { readonly [NAMES]?: NameRegistry })[NAMES] ?? registries.get(cache)
  if (known !== undefined) return known
  const names = new NameRegistry()
  registries.set(cache, names)
  return names
}

/**
 * Takes a name for a function.
 * @throws CacheError `CACHE_INVALID_OPTIONS` if it is not a usable name, or if another function has it
 */
export function claimName(names: NameRegistry, name: string, owner: object): void {
  if (name === '') {
    throw new CacheError(
      'CACHE_INVALID_OPTIONS',
      'A function without a name cannot be cached, for two of them would share their entries: give the option `name`',
    )
  }
  // With a `key` function, `f` called with `1)(2` and `f(1)` called with `2` could have the same key otherwise.
  if (name.includes('(')) throw refusedOption('name', 'without an opening parenthesis', name)
  if (names.claim(name, owner)) return
  throw new CacheError(
    'CACHE_INVALID_OPTIONS',
    `Another function is cached as ${abbreviate(name)}, and the two would share their entries: give one the option \`name\``,
  )
}

/**
 * The key of a call.
 * @throws CacheError `CACHE_INVALID_ARGUMENT` or `CACHE_INVALID_KEY`
 */
export function callKey(
  name: string,
  key: AnyFunction | undefined,
  self: unknown,
  args: readonly unknown[],
): string {
  const text: unknown = key === undefined ? argumentKey(args) : Reflect.apply(key, self, args)
  if (typeof text === 'string') return `${name}(${text})`
  // Converted to text ('undefined', '[object Object]'), it would be the same for many calls.
  throw new CacheError(
    'CACHE_INVALID_KEY',
    `The \`key\` function of ${abbreviate(name)} must return a string, and returned ${shown(text)}`,
  )
}

/** Gives a function the name and the length of the one that it replaces. */
export function renamed<Replacement extends object>(
  replacement: Replacement,
  original: { name: string; length: number },
): Replacement {
  Object.defineProperty(replacement, 'name', { value: original.name, configurable: true })
  Object.defineProperty(replacement, 'length', { value: original.length, configurable: true })
  return replacement
}
