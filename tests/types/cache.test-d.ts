import { type Cache, createCache, type LoadContext } from 'cachewright'

interface User {
  readonly name: string
}

declare function findUser(id: string): Promise<User | null>
declare function equal<A, B>(
  same: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false,
): void

const cache: Cache = createCache({
  redis: process.env.REDIS_URL,
  prefix: 'shop:',
  ttl: '5m',
  isolate: 'clone',
})

const loaded = cache.getOrSet('user:1', () => findUser('1'), { ttl: '1h', tags: ['users'] })
equal<typeof loaded, Promise<User | null>>(true)

const loadedAtOnce = cache.getOrSet('answer', ({ key, signal }) => (signal.aborted ? key.length : 42))
equal<typeof loadedAtOnce, Promise<number>>(true)

const maybe = cache.getOrSet('maybe', (context: LoadContext) => {
  context.addTags(['a'])
  context.setTtl('5m')
  context.skip()
  return undefined
})
equal<typeof maybe, Promise<undefined>>(true)

const read = cache.get<User>('user:1', { local: false })
equal<typeof read, Promise<User | undefined>>(true)

const peeked = cache.peek('user:1')
equal<typeof peeked, unknown>(true)

const many = cache.namespace('orders').getMany<User>(['a', 'b'])
equal<typeof many, Promise<Map<string, User | undefined>>>(true)

const wrapped = cache.wrap(findUser, { ttl: '5m' })
const answer = wrapped('1')
equal<typeof answer, Promise<User | null>>(true)

// @ts-expect-error a duration needs a unit that is known
cache.set('key', 1, { ttl: '5 minutes' })
// @ts-expect-error tags are strings
cache.invalidateTags([1])
createCache({
  encryption: { keys: [{ id: 'k1', secret: process.env.CACHE_KEY ?? '' }], unencrypted: 'refuse' },
})
// @ts-expect-error a key without a name
createCache({ encryption: { keys: [{ secret: '' }] } })
// @ts-expect-error a mode that cannot be asked for
createCache({ coherence: 'process' })
// @ts-expect-error the arguments of the function are those of its wrapping
wrapped(1)
// @ts-expect-error a loader is a function
cache.getOrSet('key', 5)
