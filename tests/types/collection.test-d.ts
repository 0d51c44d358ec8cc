import { type as ark } from 'arktype'
import {
  type CachedEntry,
  type Collection,
  createCache,
  type Explanation,
  type Frozen,
  type LoadContext,
  type NamespaceStats,
  PartialLoadError,
  SchemaMismatchError,
  type StandardSchema,
} from 'cachewright'
import * as v from 'valibot'
import { z } from 'zod'

declare function equal<A, B>(
  same: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false,
): void

interface Row {
  name: string
  born: string
}

declare function findRow(id: string): Promise<Row | undefined>
declare function findRows(ids: readonly string[]): Promise<Map<string, Row>>

const cache = createCache({ ttl: '5m' })

const zodUser = z.object({ name: z.string(), born: z.string().transform((day) => new Date(day)) })
const ofZod = cache.collection({ name: 'zod', schema: zodUser, load: (id) => findRow(id) })
equal<typeof ofZod, Collection<string, Row, Frozen<{ name: string; born: Date }>>>(true)
const read = ofZod.get('ann')
equal<typeof read, Promise<{ readonly name: string; readonly born: Date } | undefined>>(true)
const many = ofZod.getMany(['ann'])
equal<typeof many, Promise<Map<string, { readonly name: string; readonly born: Date } | undefined>>>(true)
const entry = ofZod.getEntry('ann', { maxAge: '5s' })
equal<typeof entry, Promise<CachedEntry<{ readonly name: string; readonly born: Date } | undefined>>>(true)
const refreshed = ofZod.refresh('ann', { signal: AbortSignal.timeout(1) })
equal<typeof refreshed, Promise<{ readonly name: string; readonly born: Date } | undefined>>(true)
ofZod.set('ann', { name: 'Ann', born: '2000-01-01' })
const removed = ofZod.delete('ann')
equal<typeof removed, Promise<boolean>>(true)
const key = ofZod.key('ann')
equal<typeof key, string>(true)
// @ts-expect-error what is set is the schema's input
ofZod.set('ann', { name: 'Ann', born: new Date() })
// @ts-expect-error an id is a string
ofZod.get(1)

const valibotUser = v.object({
  name: v.string(),
  born: v.pipe(
    v.string(),
    v.transform((day) => new Date(day)),
  ),
})
const ofValibot = cache.collection({ name: 'valibot', schema: valibotUser, loadMany: (ids) => findRows(ids) })
equal<typeof ofValibot, Collection<string, Row, Frozen<{ name: string; born: Date }>>>(true)

const arkUser = ark({ name: 'string', born: 'string.date.parse' })
const ofArk = cache.collection({ name: 'ark', schema: arkUser, load: (id: string) => findRow(id) })
equal<typeof ofArk, Collection<string, Row, Frozen<{ name: string; born: Date }>>>(true)

const own: StandardSchema<string, number> = {
  '~standard': { version: 1, vendor: 'own', validate: (value) => ({ value: Number(value) }) },
}
const ofOwn = cache.collection({ name: 'own', schema: own, load: () => '1' })
equal<typeof ofOwn, Collection<string, string, number>>(true)

// The type of the ids: a string, or what the loader or the key says.
const byNumber = cache.collection({ name: 'n', schema: own, load: async (id: number) => String(id) })
equal<typeof byNumber, Collection<number, string, number>>(true)
const byBigint = cache.collection({
  name: 'b',
  schema: own,
  load: (id: bigint) => String(id),
  tags: (id) => [`${id}`],
})
equal<typeof byBigint, Collection<bigint, string, number>>(true)
interface Place {
  readonly country: string
  readonly city: string
}
const byPlace = cache.collection({
  name: 'p',
  schema: own,
  key: (place: Place) => `${place.country}/${place.city}`,
  load: (place, context) => {
    equal<typeof place, Place>(true)
    equal<typeof context, LoadContext>(true)
    return place.city
  },
})
equal<typeof byPlace, Collection<Place, string, number>>(true)
const placesAtOnce = cache.collection({
  name: 'places',
  schema: own,
  key: (place: Place) => place.city,
  loadMany: (places, context) => {
    equal<typeof places, readonly Place[]>(true)
    return new Map(
      places.map((place) => {
        context.of(place).setTtl('1m')
        return [place, place.city] as const
      }),
    )
  },
})
equal<typeof placesAtOnce, Collection<Place, string, number>>(true)
// @ts-expect-error an id that is no text needs a key
cache.collection({ name: 'p2', schema: own, load: (place: Place) => place.city })

// What a loader may return.
cache.collection({ name: 'l1', schema: own, load: () => undefined })
cache.collection({
  name: 'l2',
  schema: own,
  loadMany: (ids) => ids.map((id) => (id === '' ? new Error('empty') : id)),
})
cache.collection({ name: 'l3', schema: z.string().nullable(), load: () => null })
// @ts-expect-error null only where the schema takes it
cache.collection({ name: 'l4', schema: own, load: () => null })
// @ts-expect-error not the schema's input
cache.collection({ name: 'l5', schema: own, load: async () => 1 })
// @ts-expect-error not the schema's input
cache.collection({ name: 'l6', schema: own, loadMany: (ids) => ids.map(() => 1) })

// One loader, of either kind.
// @ts-expect-error both
cache.collection({
  name: 'x1',
  schema: own,
  load: (id: string) => id,
  loadMany: (ids: readonly string[]) => ids,
})
// @ts-expect-error none
cache.collection({ name: 'x2', schema: own })
// @ts-expect-error no schema
cache.collection({ name: 'x3', load: (id: string) => id })
// @ts-expect-error no Standard Schema
cache.collection({ name: 'x4', schema: { parse: String }, load: (id: string) => id })
// @ts-expect-error no name
cache.collection({ schema: own, load: (id: string) => id })
// @ts-expect-error a version is a number
cache.collection({ name: 'x5', version: '2', schema: own, load: (id: string) => id })
// @ts-expect-error a duration needs a unit that is known
cache.collection({ name: 'x6', schema: own, load: (id: string) => id, ttl: '5 minutes' })

cache.collection({
  name: 'all',
  version: 2,
  schema: own,
  key: (id) => id.toLowerCase(),
  load: (id, { signal }) => (signal.aborted ? undefined : id),
  tags: ['all'],
  ttl: '5m',
  jitter: 0.1,
  staleWhileRevalidate: '1m',
  staleIfError: '1h',
  inherit: true,
  earlyRefresh: { beta: 1 },
  softTimeout: '50ms',
  hardTimeout: '5s',
})

const error: unknown = undefined
if (error instanceof SchemaMismatchError) {
  const { code, issues } = error
  equal<(typeof issues)[number]['path'], readonly PropertyKey[]>(true)
  code === 'CACHE_SCHEMA_MISMATCH'
}

// What a namespace has too.
const peeked = ofZod.peek('ann')
equal<typeof peeked, { readonly name: string; readonly born: Date } | undefined>(true)
const isThere = ofZod.has('ann')
equal<typeof isThere, Promise<boolean>>(true)
const ttl = byPlace.getTtl({ country: 'fr', city: 'Paris' })
equal<typeof ttl, Promise<number | undefined>>(true)
const explanation = byNumber.explain(1)
equal<typeof explanation, Promise<Explanation>>(true)
const removedMany = byNumber.deleteMany(new Set([1, 2]))
equal<typeof removedMany, Promise<number>>(true)
const cleared = byNumber.clear()
equal<typeof cleared, Promise<boolean>>(true)
// @ts-expect-error an id is a number
byNumber.deleteMany(['a'])
if (error instanceof PartialLoadError) {
  const { errors }: PartialLoadError<number, Place> = error
  equal<typeof errors, ReadonlyMap<Place, unknown>>(true)
}

// A function of the value gets the schema's input.
cache.collection({
  name: 'with-result',
  schema: zodUser,
  load: (id: number) => findRow(String(id)),
  result: (row, id) => {
    equal<typeof row, Row>(true)
    equal<typeof id, number>(true)
    return { tags: [row.name], ttl: '5m', skip: id < 0 }
  },
})

const stats = byNumber.stats()
equal<typeof stats, NamespaceStats>(true)
byNumber.get(1, { background: (work: Promise<void>) => work })
byNumber.getEntry(1, { background: () => {} })
byNumber.getMany([1], { background: () => {} })
byNumber.refresh(1, { background: () => {} })
// @ts-expect-error it is no function
byNumber.get(1, { background: true })
