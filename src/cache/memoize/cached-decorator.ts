import { CacheError } from '../../foundation/cache-error.ts'
import type { GetOrSetOptions } from '../freshness/policies.ts'
import { callKey, claimName, type MemoizingCache, namesOf, renamed, splitOptions } from './memoize.ts'

/** Where the results of a method are kept: one cache, or the one that an instance has. */
export type CacheSource<Instance> = MemoizingCache | ((instance: Instance) => MemoizingCache)

/** How a method is cached: how its keys are made, and how its results are kept. */
export interface CachedOptions<Instance, Args extends readonly unknown[]> extends GetOrSetOptions {
  /**
   * What the keys of all calls begin with; no other method may have it with the same cache, and it holds no `(`.
   * Give it where code is minified, or the keys change with every build.
   * @default `ClassName.methodName`, by the class of the instance that is called
   */
  readonly name?: string | undefined
  /**
   * Makes the part of the key that tells one call from another; its `this` is the instance. It may take fewer
   * arguments than the method does.
   * @default the arguments themselves, told apart by type and content; the instance is not looked at
   */
  readonly key?: ((this: Instance, ...args: Args) => string) | undefined
}

/** Decorates a method that returns a promise. */
export type CachedDecorator<Instance, KeyArgs extends readonly unknown[]> = <
  This extends Instance,
  Args extends readonly [...KeyArgs, ...unknown[]],
  Result,
>(
  method: (this: This, ...args: Args) => Promise<Result>,
  context: ClassMethodDecoratorContext<This, (this: This, ...args: Args) => Promise<Result>>,
) => (this: This, ...args: Args) => Promise<Result>

/**
 * A decorator (of TC39, not of `experimentalDecorators`) for a method whose results are kept in a cache: public or
 * private, of instances or static.
 *
 * The key of a call is `ClassName.methodName(arguments)`. **The instance is no part of it: all instances of a class
 * share their entries.** Where a result depends on the instance, say so in `key`. A subclass that inherits the method
 * has entries of its own; one that overrides it, and calls `super`, must give one of the two a `name`.
 *
 * A call rejects as the method and the cache's `getOrSet` do, and with `CACHE_INVALID_OPTIONS` where the class has no
 * name or another method is cached under the same one. The key is made at once and the method may run later, so
 * arguments must not be changed before the call settles.
 *
 * @param source the cache, or a function that finds it by the instance (the class, where the method is static)
 * @throws CacheError `CACHE_INVALID_OPTIONS` where something else than a method is decorated, or a method that is
 * named by a symbol and given no `name`
 * @example
 * ```ts
 * class Shop {
 *   @cached((shop: Shop) => shop.cache, {
 *     ttl: '5m',
 *     key(this: Shop, id: string) { return `${this.tenant}/${id}` },
 *   })
 *   async findProduct(id: string): Promise<Product> { … }
 * }
 * ```
 */
export function cached<Instance = unknown, KeyArgs extends readonly unknown[] = []>(
  source: CacheSource<Instance>,
  options: CachedOptions<Instance, KeyArgs> = {},
): CachedDecorator<Instance, KeyArgs> {
  const { name, key, entry } = splitOptions(options)

  return <This extends Instance, Args extends readonly [...KeyArgs, ...unknown[]], Result>(
    method: (this: This, ...args: Args) => Promise<Result>,
    context: ClassMethodDecoratorContext<This, (this: This, ...args: Args) => Promise<Result>>,
  ) => {
    assertMethod(context)
    if (name === undefined) assertNameable(context.name)

    // `Args` begins with what `key` takes.
    const keyOf = key as ((this: This, ...args: readonly unknown[]) => string) | undefined
    async function answer(this: This, ...args: Args): Promise<Result> {
      const cache = typeof source === 'function' ? source(this) : source
      const called = name ?? `${className(this, context.static)}.${String(context.name)}`
      claimName(namesOf(cache), called, method)
      const load = (): Promise<Result> => Reflect.apply(method, this, args)
      return cache.getOrSet<Result>(callKey(called, keyOf, this, args), load, entry)
    }
    return renamed(answer, method)
  }
}

/** A decorator of the experimental kind is called with a property name in place of a context. */
function assertMethod(context: { readonly kind?: string }): void {
  if (context?.kind === 'method') return
  throw new CacheError(
    'CACHE_INVALID_OPTIONS',
    typeof context === 'object'
      ? `@cached decorates methods only, and this is a ${context.kind}`
      : '@cached is a standard decorator: compile without `experimentalDecorators`',
  )
}

function assertNameable(name: string | symbol): void {
  if (typeof name === 'string') return
  throw new CacheError(
    'CACHE_INVALID_OPTIONS',
    '@cached needs the option `name` on a method named by a symbol',
  )
}

function className(self: unknown, isStatic: boolean): string {
  const owner = (isStatic ? self : (self as object | undefined)?.constructor) as
    | { name?: unknown }
    | undefined
  const name = owner?.name
  if (typeof name === 'string' && name !== '') return name
  throw new CacheError(
    'CACHE_INVALID_OPTIONS',
    '@cached finds no name of a class here (it has none, or the method was called without its object): give the option `name`',
  )
}
