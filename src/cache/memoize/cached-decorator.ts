import { CacheError } from '../../foundation/errors/cache-error.ts'
import { decidedBy } from '../loading/result-options.ts'
import { callKey, claimName, type MemoizingCache, namesOf, renamed, resultOf } from './memoize.ts'
import { type CachedOptions, resolveCached } from './memoize-options.ts'

/** The cache that holds the results of a method: a cache, or a function that finds it by the instance. */
export type CacheSource<Instance> = MemoizingCache | ((instance: Instance) => MemoizingCache)

/**
 * Decorates a method that returns a promise. Its arguments begin with those that the functions among the options take, and its results are those that `result` takes. The
 * type of the method stays as it is: where the cache freezes its values, the results are frozen nevertheless.
 */
export interface CachedDecorator<Instance, KeyArgs extends readonly unknown[], Value = unknown> {
  /** As a standard decorator. */
  <This extends Instance, Args extends readonly [...KeyArgs, ...unknown[]], Result extends Value | undefined>(
    method: (this: This, ...args: Args) => Promise<Result>,
    context: ClassMethodDecoratorContext<This, (this: This, ...args: Args) => Promise<Result>>,
  ): (this: This, ...args: Args) => Promise<Result>
  /** With `experimentalDecorators`. The owner is the prototype, or the class if the method is static. */
  <This extends Instance, Args extends readonly [...KeyArgs, ...unknown[]], Result extends Value | undefined>(
    owner: This,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<(this: This, ...args: Args) => Promise<Result>>,
  ): void
}

/**
 * A decorator for a method whose results are kept in a cache. It works on public and private methods, of instances and
 * static, both as a standard decorator (TC39) and with TypeScript's `experimentalDecorators`. With these, place it
 * nearest to the method: it replaces the method, and whatever other decorators have attached to it is lost.
 *
 * The key of a call is `ClassName.methodName(arguments)`. **The instance is not part of it: all instances of a class
 * share their entries.** If a result depends on the instance, include what it depends on in `key`. A subclass that
 * inherits the method has entries of its own; one that overrides it and calls `super` must give one of the two a
 * `name`.
 *
 * To delete a result, give it a tag, such as `product:1`, by a function of the arguments, and invalidate that. With `key`,
 * the key is known, too: `Shop.findProduct(acme/1)` for the example below.
 *
 * A call costs what `getOrSet` of the cache does. It rejects as the method and that do, and with `CACHE_INVALID_OPTIONS` if the class has no name
 * or if another method is cached under the same one. The key is made at once and the method may run later, so do not
 * change the arguments before the call has settled.
 *
 * @param source the cache, or a function that finds it by the instance (by the class, if the method is static)
 * @throws CacheError `CACHE_INVALID_OPTIONS` if it decorates something other than a method, or a method that is named
 * by a symbol and has no `name` option
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
export function cached<Instance = unknown, KeyArgs extends readonly unknown[] = [], Value = unknown>(
  source: CacheSource<Instance>,
  options: CachedOptions<Instance, KeyArgs, Value> = {},
): CachedDecorator<Instance, KeyArgs, Value> {
  const { key, name, optionsOf, result } = resolveCached(options)

  const decorated = (method: Method, methodName: string | symbol, isStatic: boolean): Method => {
    if (name === undefined) assertNameable(methodName)

    async function answer(this: unknown, ...args: readonly unknown[]): Promise<unknown> {
      const cache = typeof source === 'function' ? source(this as Instance) : source
      const called = name ?? `${className(this, isStatic)}.${String(methodName)}`
      claimName(namesOf(cache), called, method)
      const load = decidedBy(() => Reflect.apply(method, this, args), resultOf(result, this, args))
      // A cache of this library gives it a context.
      const loader = load as () => unknown
      return cache.getOrSet(callKey(called, key, this, args), loader, optionsOf(this, args))
    }
    return renamed(answer, method)
  }

  // Compilers call standard decorators with a method and its context, and experimental ones with the owner of a method,
  // its name and its descriptor.
  const decorator = (
    methodOrOwner: unknown,
    context: DecoratorContext | string | symbol | undefined,
    descriptor?: PropertyDescriptor,
  ): Method | undefined => {
    if (typeof context === 'object') {
      if (context.kind !== 'method') throw notMethod(`a ${context.kind}`)
      return decorated(methodOrOwner as Method, context.name, context.static)
    }
    if (context === undefined) throw notMethod('a class')
    if (typeof descriptor?.value !== 'function') throw notMethod('a property, a parameter or an accessor')
    descriptor.value = decorated(descriptor.value, context, typeof methodOrOwner === 'function')
    return undefined
  }
  return decorator as CachedDecorator<Instance, KeyArgs, Value>
}

/** Any method that returns a promise. */
type Method = (this: unknown, ...args: readonly unknown[]) => Promise<unknown>

function notMethod(what: string): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', `@cached decorates methods only, and this is ${what}`)
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
