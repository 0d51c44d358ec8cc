import {
  type Cache,
  type CacheEntries,
  type Counters,
  type CreateCacheOptions,
  createCache,
  type Frozen,
  type HitSlot,
  type Isolation,
  type Namespace,
  type NamespaceOptions,
  type OpenSlot,
  type PartialLoadError,
  type PlainValues,
  type Served,
  type Sets,
  type Slot,
  type StaleValue,
} from 'cachewright'
import { z } from 'zod'

declare function equal<A, B>(
  same: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false,
): void

interface Basket {
  owner: string
  items: { name: string; tags: string[] }[]
  at?: [number, number]
}
interface FrozenBasket {
  readonly owner: string
  readonly items: readonly { readonly name: string; readonly tags: readonly string[] }[]
  readonly at?: readonly [number, number]
}
declare const basket: Basket

// Frozen: plain data to its depth.
equal<Frozen<Basket>, FrozenBasket>(true)
equal<Frozen<string[]>, readonly string[]>(true)
equal<Frozen<string | number | null | undefined>, string | number | null | undefined>(true)
equal<Frozen<{ a: number } | { b: string[] }>, { readonly a: number } | { readonly b: readonly string[] }>(
  true,
)
equal<Frozen<unknown>, unknown>(true)
equal<Frozen<'a' | 'b'>, 'a' | 'b'>(true)
equal<Frozen<Record<string, number[]>>, { readonly [x: string]: readonly number[] }>(true)
// What is cloned for each caller in place of being frozen keeps its type.
equal<Frozen<Date>, Date>(true)
equal<Frozen<Map<string, number[]>>, Map<string, number[]>>(true)
equal<Frozen<Set<string>>, Set<string>>(true)
equal<Frozen<Buffer>, Buffer>(true)
equal<Frozen<Error>, Error>(true)
class Money {
  readonly #cents: number = 0
  plus(other: Money): number {
    return this.#cents + other.#cents
  }
}
equal<Frozen<Money>, Money>(true)
equal<Frozen<{ price: Money; tags: string[] }>, { readonly price: Money; readonly tags: readonly string[] }>(
  true,
)
// A type without a structure of its own.
type Anything = Frozen<{ data: ReturnType<typeof JSON.parse>; list: number[] }>
const list: readonly number[] = ({} as Anything).list
void list

// Served: what a cache with an isolation hands out.
equal<Served<Basket, 'freeze'>, FrozenBasket>(true)
equal<Served<Basket, 'clone'>, Basket>(true)
equal<Served<Basket, 'share'>, Basket>(true)
equal<Served<Basket, Isolation>, FrozenBasket>(true)

// The option decides the type of the cache.
const freezing = createCache()
equal<typeof freezing, Cache<'freeze'>>(true)
equal<typeof freezing, Cache>(true)
const cloning = createCache({ isolate: 'clone' })
equal<typeof cloning, Cache<'clone'>>(true)
const sharing = createCache({ isolate: 'share' })
equal<typeof sharing, Cache<'share'>>(true)
declare const options: CreateCacheOptions
const someCache = createCache(options)
equal<typeof someCache, Cache<Isolation>>(true)
// Any of them may be passed where a cache is asked for.
const take = (_cache: Cache, _space: Namespace) => {}
take(freezing, cloning)
take(cloning, sharing.namespace('users'))
take(someCache, someCache)

export async function reads(): Promise<void> {
  const loaded = await freezing.getOrSet('key', () => basket)
  equal<typeof loaded, FrozenBasket>(true)
  // @ts-expect-error it is frozen
  loaded.owner = 'ann'
  // @ts-expect-error to its depth
  loaded.items.push({ name: 'pen', tags: [] })
  const own = await cloning.getOrSet('key', () => basket)
  equal<typeof own, Basket>(true)
  own.items.push({ name: 'pen', tags: [] })

  equal<Awaited<ReturnType<typeof freezing.get<Basket>>>, FrozenBasket | undefined>(true)
  equal<Awaited<ReturnType<typeof cloning.get<Basket>>>, Basket | undefined>(true)
  equal<ReturnType<typeof freezing.peek<Basket>>, FrozenBasket | undefined>(true)
  equal<ReturnType<typeof sharing.peek<Basket>>, Basket | undefined>(true)
  const many = await freezing.getMany<Basket>(['a'])
  equal<typeof many, Map<string, FrozenBasket | undefined>>(true)
  const refreshed = await freezing.refresh('key', async () => basket)
  equal<typeof refreshed, FrozenBasket>(true)
  const batch = await freezing.getOrSetMany(['a'], (keys) => keys.map(() => basket))
  equal<typeof batch, Map<string, FrozenBasket | undefined>>(true)
  const ownBatch = await cloning.getOrSetMany(['a'], (keys) => new Map(keys.map((key) => [key, basket])))
  equal<typeof ownBatch, Map<string, Basket | undefined>>(true)
  await freezing.getOrSet('key', (context) => {
    equal<ReturnType<typeof context.stale<Basket>>, StaleValue<FrozenBasket> | undefined>(true)
    return basket
  })
}

export async function slots(): Promise<void> {
  const slot = await freezing.reserve<Basket>('key')
  equal<typeof slot, Slot<Basket, FrozenBasket>>(true)
  equal<typeof slot, HitSlot<Basket, FrozenBasket> | OpenSlot<Basket, FrozenBasket>>(true)
  if (slot.isHit) equal<typeof slot.value, FrozenBasket>(true)
  else equal<typeof slot.value, undefined>(true)
  equal<typeof slot.stale, StaleValue<FrozenBasket> | undefined>(true)
  await slot.fill(basket)
  // @ts-expect-error a value of another type
  await slot.fill({ owner: 1 })
  const ownSlot = await sharing.reserve<Basket>('key')
  equal<typeof ownSlot, Slot<Basket>>(true)
}

// A namespace has the isolation of what is around it, or its own.
const inner = cloning.namespace('inner')
equal<typeof inner, Namespace<'clone'>>(true)
const innerOfFreezing = freezing.namespace('inner', { ttl: '1m' })
equal<typeof innerOfFreezing, Namespace<'freeze'>>(true)
const shared = freezing.namespace('shared', { isolate: 'share' })
equal<typeof shared, Namespace<'share'>>(true)
const ofShared = shared.namespace('deeper', { isolate: 'clone' })
equal<typeof ofShared, Namespace<'clone'>>(true)
const namespaceOptions: NamespaceOptions<'share'> = { isolate: 'share' }
// @ts-expect-error no such isolation
freezing.namespace('deep', { isolate: 'deep' })
void namespaceOptions
// @ts-expect-error a namespace has no lifecycle
void inner.shutdown

// Functions and collections.
const find = freezing.wrap(async function find(_id: string) {
  return basket
})
equal<ReturnType<typeof find>, Promise<FrozenBasket>>(true)
equal<Parameters<typeof find>, [_id: string]>(true)
equal<ReturnType<typeof find.refresh>, Promise<FrozenBasket>>(true)
// @ts-expect-error an argument of another type
void find(1)
// @ts-expect-error an argument too many
void find.key('a', 1)
// @ts-expect-error a key function for other arguments
freezing.wrap(async (id: string) => id, { name: 'id', key: (id: number) => `${id}` })
const ownFind = cloning.wrap(async (_id: string) => basket, { name: 'ownFind' })
equal<ReturnType<typeof ownFind>, Promise<Basket>>(true)
const schema = z.object({ tags: z.array(z.string()) })
const frozenTags = freezing.collection({ name: 'tags', schema, load: () => ({ tags: [] }) })
equal<Awaited<ReturnType<typeof frozenTags.get>>, { readonly tags: readonly string[] } | undefined>(true)
const ownTags = shared.collection({ name: 'tags', schema, load: () => ({ tags: [] }) })
equal<Awaited<ReturnType<typeof ownTags.get>>, { tags: string[] } | undefined>(true)
// What is stored may be changed until then.
void frozenTags.set('a', { tags: ['b'] })

// Raw operations hand out what was decoded for this call alone.
equal<typeof freezing.plain, PlainValues>(true)
equal<typeof inner.counters, Counters>(true)
equal<typeof inner.sets, Sets>(true)
equal<ReturnType<typeof inner.keys>, AsyncIterable<string>>(true)
export const entries: CacheEntries<number> = [
  ['a', 1],
  ['b', 2, '5m'],
]
// @ts-expect-error a value of another type
export const wrongEntries: CacheEntries<number> = [['a', 'b']]
export const failure = (error: PartialLoadError<FrozenBasket>): ReadonlyMap<string, FrozenBasket> =>
  error.values
