import { abbreviate, CacheError } from '../../foundation/errors/cache-error.ts'
import { shown } from '../../foundation/errors/shown-value.ts'
import {
  assertOptions,
  type KnownOptions,
  type OptionNames,
  refusedOption,
} from '../../foundation/option-checks.ts'
import { GET_OR_SET_NAMES, type GetOrSetOptions } from '../freshness/policies.ts'
import { NAMES, NameRegistry } from '../keys/name-registry.ts'
import { argumentKey } from './argument-key.ts'

/** The operations of a cache that a wrapped function calls. */
export interface MemoizingCache {
  getOrSet<T>(key: string, loader: () => Promise<T> | T, options?: GetOrSetOptions): Promise<T>
  delete(key: string): Promise<boolean>
}

/** How a function is wrapped: how its keys are made, and how its results are kept. */
export interface WrapOptions<Args extends readonly unknown[]> extends GetOrSetOptions {
  /**
   * The beginning of the key of every call. It contains no `(`, and no other function may have it in the same
   * namespace of a cache. Give one if your code is minified, since the keys change with every build otherwise.
   * @default the function's own name
   */
  readonly name?: string | undefined
  /**
   * Returns the part of the key that distinguishes one call from another. Calls with the same text share an entry.
   * @default the arguments themselves, distinguished by type and content
   */
  readonly key?: ((...args: Args) => string) | undefined
}

const WRAP_OPTIONS: KnownOptions = {
  of: 'a cached function',
  names: { ...GET_OR_SET_NAMES, name: 'value', key: 'value' } satisfies OptionNames<
    WrapOptions<readonly never[]>
  >,
}

/** A function whose results are kept in a cache. */
export type Wrapped<Args extends readonly unknown[], Result> = ((...args: Args) => Promise<Result>) & {
  /**
   * The key under which the result of this call is kept.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` if an argument cannot be part of a key, `CACHE_INVALID_KEY` if the
   * `key` function does not return a string
   */
  keyOf(...args: Args): string
  /** Deletes the result of this call, and returns whether there was one. It fails as the cache's `delete` does. */
  invalidate(...args: Args): Promise<boolean>
}

/**
 * A function that answers from the cache, and calls `fn` on a miss.
 *
 * The key of a call is `name(arguments)`, as in `findUser("ann",42)`. `fn` receives the `this` of the call, which is
 * not part of the key. A call rejects as `fn` and the cache's `getOrSet` do, and if no key can be made; it never throws
 * synchronously. The key is made at once and `fn` may run later, so do not change the arguments before the call has
 * settled.
 *
 * @param names the names that are taken in the cache; the name of `fn` is added
 * @throws CacheError `CACHE_INVALID_OPTIONS` if there is no name, or if another function has it: the two would answer
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
  names: NameRegistry,
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

/** The options of a wrapped function, separated by who uses them. */
interface SplitOptions<Key> {
  readonly name: string | undefined
  readonly key: Key | undefined
  /** The options of each `getOrSet`. */
  readonly entry: GetOrSetOptions
}

/**
 * Separates a copy of the options, so that later changes to the caller's object have no effect.
 * @throws CacheError `CACHE_INVALID_OPTIONS` if `name` is not a string, `key` is not a function, or a name is unknown
 */
export function splitOptions<Key>(
  options: GetOrSetOptions & { readonly name?: string | undefined; readonly key?: Key | undefined },
): SplitOptions<Key> {
  assertOptions(options, WRAP_OPTIONS)
  const { name, key, ...entry } = options
  if (name !== undefined && typeof name !== 'string') throw refusedOption('name', 'a string', name)
  if (key !== undefined && typeof key !== 'function') throw refusedOption('key', 'a function', key)
  return { name, key, entry: Object.freeze(entry) }
}

/** The registries of caches that have none of their own: anything with `getOrSet` and `delete` can be a cache here. */
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
export function callKey<This, Args extends readonly unknown[]>(
  name: string,
  key: ((this: This, ...args: Args) => string) | undefined,
  self: This,
  args: Args,
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
