import { abbreviate, CacheError } from '../../foundation/cache-error.ts'
import type { GetOrSetOptions } from '../freshness/policies.ts'
import { argumentKey } from './argument-key.ts'

/** What a wrapped function needs of a cache. */
export interface MemoizingCache {
  getOrSet<T>(key: string, loader: () => Promise<T> | T, options?: GetOrSetOptions): Promise<T>
  delete(key: string): Promise<boolean>
}

/** How a function is wrapped: how its keys are made, and how its results are kept. */
export interface WrapOptions<Args extends readonly unknown[]> extends GetOrSetOptions {
  /**
   * What the keys of all calls begin with; no other function may have it with the same cache, and it holds no `(`.
   * Give it where code is minified, or the keys change with every build.
   * @default the function's own name
   */
  readonly name?: string | undefined
  /**
   * Makes the part of the key that tells one call from another. Two calls of the same text share an entry.
   * @default the arguments themselves, told apart by type and content
   */
  readonly key?: ((...args: Args) => string) | undefined
}

/** A function whose results are kept in a cache. */
export type Wrapped<Args extends readonly unknown[], Result> = ((...args: Args) => Promise<Result>) & {
  /**
   * The key under which the result of this call is kept.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` where no key can be made of an argument, `CACHE_INVALID_KEY` where
   * the `key` function returns no string
   */
  keyOf(...args: Args): string
  /** Deletes the result of this call; resolves to whether there was one. Fails as the cache's `delete` does. */
  invalidate(...args: Args): Promise<boolean>
}

/**
 * A function that answers from the cache, and calls `fn` where the cache has no answer.
 *
 * The key of a call is `name(arguments)`, as in `findUser("ann",42)`. The `this` of a call is handed on to `fn`, and
 * is no part of the key. A call rejects as `fn` and the cache's `getOrSet` do, and where no key can be made; it never
 * throws. The key is made at once and `fn` may run later, so arguments must not be changed before the call settles.
 *
 * @param names the functions wrapped with this cache, by name; `fn` is added
 * @throws CacheError `CACHE_INVALID_OPTIONS` where there is no name, or another function has it: they would answer
 * with each other's results. The same function may be wrapped again.
 * @example
 * ```ts
 * const findUser = cache.wrap(async function findUser(id: string) { … }, { ttl: '5m' })
 * await findUser('ann')
 * await findUser.invalidate('ann')
 * ```
 */
export function memoize<Args extends readonly unknown[], Result>(
  cache: MemoizingCache,
  names: Map<string, object>,
  fn: (...args: Args) => Promise<Result> | Result,
  options: WrapOptions<Args> = {},
): Wrapped<Args, Result> {
  const { name, key, entry } = splitOptions(options)
  const claimed = name ?? fn.name
  claimName(names, claimed, fn)

  const keyOf = (...args: Args): string => callKey(claimed, key, undefined, args)
  async function wrapped(this: unknown, ...args: Args): Promise<Result> {
    return cache.getOrSet<Result>(keyOf(...args), () => Reflect.apply(fn, this, args), entry)
  }
  return Object.assign(renamed(wrapped, fn), {
    keyOf,
    invalidate: async (...args: Args): Promise<boolean> => cache.delete(keyOf(...args)),
  })
}

/** Options taken apart, for those that use them. */
interface SplitOptions<Key> {
  readonly name: string | undefined
  readonly key: Key | undefined
  /** How an entry is kept. */
  readonly entry: GetOrSetOptions
}

/**
 * Takes a copy of the options apart.
 * @throws CacheError `CACHE_INVALID_OPTIONS` where `name` is no string or `key` no function
 */
export function splitOptions<Key>(
  options: GetOrSetOptions & { readonly name?: string | undefined; readonly key?: Key | undefined },
): SplitOptions<Key> {
  const { name, key, ...entry } = options
  if (name !== undefined && typeof name !== 'string') throw invalidOption('name', 'a string')
  if (key !== undefined && typeof key !== 'function') throw invalidOption('key', 'a function')
  return { name, key, entry: Object.freeze(entry) }
}

/** The functions cached under a name, by name, for each cache that keeps no such registry itself. */
const registries = new WeakMap<object, Map<string, object>>()

/** The names taken with a cache. It lives as long as the cache does. */
export function namesOf(cache: object): Map<string, object> {
  const known = registries.get(cache)
  if (known !== undefined) return known
  const names = new Map<string, object>()
  registries.set(cache, names)
  return names
}

/**
 * Takes a name for a function, where no other has it.
 * @throws CacheError `CACHE_INVALID_OPTIONS`
 */
export function claimName(names: Map<string, object>, name: string, owner: object): void {
  const holder = names.get(name)
  if (holder === owner) return
  if (name === '') {
    throw new CacheError(
      'CACHE_INVALID_OPTIONS',
      'A function without a name cannot be cached, for two of them would share their entries: give the option `name`',
    )
  }
  // Else `f` called with `1)(2` and `f(1)` called with `2` could have the same key, where a `key` function makes it.
  if (name.includes('(')) throw invalidOption('name', 'without an opening parenthesis')
  if (holder !== undefined) {
    throw new CacheError(
      'CACHE_INVALID_OPTIONS',
      `Another function is cached as ${abbreviate(name)}, and the two would share their entries: give one the option \`name\``,
    )
  }
  names.set(name, owner)
}

/**
 * The key of a call.
 * @throws CacheError `CACHE_INVALID_ARGUMENT` or `CACHE_INVALID_KEY`
 */
export function callKey<This, Args extends readonly unknown[]>(
  name: string,
  key: ((this: This, ...args: Args) => string) | undefined,
  self: This,
  args: Args,
): string {
  const text: unknown = key === undefined ? argumentKey(args) : Reflect.apply(key, self, args)
  if (typeof text === 'string') return `${name}(${text})`
  // A text made of it ('undefined', '[object Object]') would be the same for many calls.
  throw new CacheError(
    'CACHE_INVALID_KEY',
    `The \`key\` function of ${abbreviate(name)} must return a string, and returned ${text === null ? 'null' : `a value of type ${typeof text}`}`,
  )
}

/** Gives a function the name and length of the one that it stands for. */
export function renamed<Stand extends object>(
  stand: Stand,
  original: { name: string; length: number },
): Stand {
  Object.defineProperty(stand, 'name', { value: original.name, configurable: true })
  Object.defineProperty(stand, 'length', { value: original.length, configurable: true })
  return stand
}

function invalidOption(option: string, wanted: string): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', `The option \`${option}\` must be ${wanted}`)
}
