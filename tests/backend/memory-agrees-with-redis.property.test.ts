import assert from 'node:assert/strict'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend } from 'cachewright/redis'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { CacheBackend } from '../../src/contract/cache-backend.ts'
import { CacheError } from '../../src/foundation/errors/cache-error.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { listedKeys } from '../support/listed-keys.ts'
import { trials } from '../support/trials.ts'

let redis: Standalone

beforeAll(async () => {
  redis = await startStandalone()
})

afterAll(() => redis.stop())

/** One call of a program; few keys, so that calls meet. */
type Step = (backend: CacheBackend) => Promise<unknown>

const key = fc.constantFrom('a', 'b', 'ab', 'user:1', 'user:2', '*', '{x}1', '{x}2', 'é')
const member = fc.constantFrom('m', 'n', 'ö')
const pattern = fc.constantFrom('*', 'a*', '?', 'user:*', '[ab]', '[^a]', 'user:[1-2]', '\\*', '{x}*', 'é')
const ttl = fc.constantFrom('1h' as const, '2h' as const, 3_600, Number.POSITIVE_INFINITY, undefined)
const value = fc.oneof(
  fc.constantFrom(null, 0, 7, -3, 1.5, '', 'text', '12', true, 2 ** 53, 2 ** 60),
  fc.jsonValue({ maxDepth: 2 }).map((json): unknown => JSON.parse(JSON.stringify(json))),
)
const amount = fc.constantFrom(1, 2, -5, 0, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER)
const amountBig = fc.constantFrom(1n, -1n, 2n ** 62n, -(2n ** 62n), 2n ** 63n - 1n, -(2n ** 63n))
const slide = fc.boolean()

const step: fc.Arbitrary<[string, Step]> = fc.oneof(
  call('get', key, (backend, k) => backend.get(k)),
  call('set', fc.tuple(key, value, ttl), (backend, [k, v, t]) => backend.set(k, v, t)),
  call('setIfAbsent', fc.tuple(key, value, ttl), (backend, [k, v, t]) => backend.setIfAbsent(k, v, t)),
  call('getAndDelete', key, (backend, k) => backend.getAndDelete(k)),
  call('touch', fc.tuple(key, ttl), (backend, [k, t]) => backend.touch(k, t)),
  call('persist', key, (backend, k) => backend.persist(k)),
  call('delete', key, (backend, k) => backend.delete(k)),
  call('exists', key, (backend, k) => backend.exists(k)),
  call('getMany', fc.array(key), async (backend, keys) => [...(await backend.getMany(keys))]),
  call('existsMany', fc.array(key), async (backend, keys) => [...(await backend.existsMany(keys))]),
  call('setMany', fc.tuple(fc.dictionary(key, value), ttl), (backend, [entries, t]) =>
    backend.setMany(entries, t),
  ),
  call('setMany', fc.tuple(fc.array(fc.tuple(key, value, ttl)), ttl), (backend, [entries, t]) =>
    backend.setMany(entries, t),
  ),
  call('deleteMany', fc.array(key), (backend, keys) => backend.deleteMany(keys)),
  call('incr', fc.tuple(key, amount, amount, slide), (backend, [k, n, start, slides]) =>
    backend.incr(k, n, { default: start, slide: slides }),
  ),
  call('decr', fc.tuple(key, amount), (backend, [k, n]) => backend.decr(k, n)),
  call('incrBig', fc.tuple(key, amountBig), (backend, [k, n]) => backend.incrBig(k, n)),
  call('decrBig', fc.tuple(key, amountBig), (backend, [k, n]) => backend.decrBig(k, n)),
  call('getTtl', key, async (backend, k) => coarse(await backend.getTtl(k))),
  call('getTtlMany', fc.array(key), async (backend, keys) =>
    [...(await backend.getTtlMany(keys))].map(([k, seconds]) => [k, coarse(seconds)]),
  ),
  call('addToSet', fc.tuple(key, member, ttl, slide), (backend, [k, m, t, slides]) =>
    backend.addToSet(k, m, { ttl: t, slide: slides }),
  ),
  call('addManyToSet', fc.tuple(key, fc.array(member)), (backend, [k, members]) =>
    backend.addManyToSet(k, members),
  ),
  call('getSetMembers', key, async (backend, k) => (await backend.getSetMembers(k)).sort()),
  call('removeFromSet', fc.tuple(key, member), (backend, [k, m]) => backend.removeFromSet(k, m)),
  call('keys', fc.option(pattern, { nil: undefined }), async (backend, glob) =>
    (await listedKeys(backend, glob)).sort(),
  ),
  call(
    'keys',
    fc.tuple(pattern, fc.integer({ min: 1, max: 3 })),
    async (backend, [glob, limit]) => (await listedKeys(backend, glob, { limit })).length,
  ),
  call('invalidatePattern', pattern, (backend, glob) => backend.invalidatePattern(glob)),
  call('clear', fc.constant(undefined), (backend) => backend.clear()),
)

function call<Argument>(
  name: string,
  argument: fc.Arbitrary<Argument>,
  run: (backend: CacheBackend, argument: Argument) => Promise<unknown>,
): fc.Arbitrary<[string, Step]> {
  return argument.map((given) => [`${name} ${fc.stringify(given)}`, (backend) => run(backend, given)])
}

/** Time has passed between the two backends: an hour is an hour, give or take a minute. */
function coarse(seconds: number | undefined): unknown {
  return seconds === undefined || seconds === Number.POSITIVE_INFINITY ? seconds : Math.round(seconds / 60)
}

async function answer(backend: CacheBackend, run: Step): Promise<unknown> {
  try {
    return await run(backend)
  } catch (error) {
    if (error instanceof CacheError) return error.code
    throw error
  }
}

describe.each(['json', 'v8'] as const)('memory and Redis with %s', (serializer) => {
  it.each(['absorb', 'throw'] as const)(
    'give the same answers to the same programs (errors: %s)',
    async (errors) => {
      await using store = new RedisCacheBackend({
        url: redis.url,
        serializer,
        errors,
        prefix: `same-${serializer}-${errors}:`,
      })
      await store.initialize()
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (program) => {
          await using memory = new MemoryCacheBackend({ serializer, errors, prefix: 'same:' })
          await memory.initialize()
          await store.clear()
          for (const [title, run] of program) {
            assert.deepEqual(await answer(memory, run), await answer(store, run), title)
          }
        }),
        { numRuns: trials(80, 400, 1_500) },
      )
    },
  )
})
