import type { RedisCacheBackend } from 'cachewright/redis'
import { expect } from 'vitest'
import { listedKeys } from './listed-keys.ts'

type Backend = Pick<
  RedisCacheBackend,
  | 'get'
  | 'set'
  | 'delete'
  | 'exists'
  | 'getMany'
  | 'setMany'
  | 'deleteMany'
  | 'incr'
  | 'decr'
  | 'incrBig'
  | 'decrBig'
  | 'clear'
  | 'invalidatePattern'
  | 'getTtl'
  | 'addToSet'
  | 'addManyToSet'
  | 'getSetMembers'
  | 'removeFromSet'
  | 'setIfAbsent'
  | 'getAndDelete'
  | 'touch'
  | 'persist'
  | 'existsMany'
  | 'getTtlMany'
  | 'keys'
>

/** Rejects with an error, if no correct answer exists. */
const REJECTS = Symbol('rejects')

interface Operation {
  readonly name: string
  readonly run: (backend: Backend) => Promise<unknown>
  /** What it answers while Redis does not. */
  readonly withoutRedis: unknown
}

/** Every operation that talks to Redis, with what it answers in the `'absorb'` mode when Redis is away. */
export const EVERY_OPERATION: readonly Operation[] = [
  { name: 'get', run: (b) => b.get('value'), withoutRedis: undefined },
  { name: 'set', run: (b) => b.set('value', 1), withoutRedis: false },
  { name: 'delete', run: (b) => b.delete('value'), withoutRedis: false },
  { name: 'exists', run: (b) => b.exists('value'), withoutRedis: false },
  {
    name: 'getMany',
    run: async (b) => [...(await b.getMany(['a', 'b', 'value']))],
    withoutRedis: [
      ['a', undefined],
      ['b', undefined],
      ['value', undefined],
    ],
  },
  { name: 'setMany', run: (b) => b.setMany({ a: 1, b: 2, value: 3 }), withoutRedis: false },
  { name: 'deleteMany', run: (b) => b.deleteMany(['a', 'b', 'value']), withoutRedis: 0 },
  { name: 'incr', run: (b) => b.incr('count'), withoutRedis: REJECTS },
  { name: 'decr', run: (b) => b.decr('count'), withoutRedis: REJECTS },
  { name: 'incrBig', run: (b) => b.incrBig('count'), withoutRedis: REJECTS },
  { name: 'decrBig', run: (b) => b.decrBig('count'), withoutRedis: REJECTS },
  { name: 'clear', run: (b) => b.clear(), withoutRedis: false },
  { name: 'invalidatePattern', run: (b) => b.invalidatePattern('a*'), withoutRedis: 0 },
  { name: 'getTtl', run: (b) => b.getTtl('value'), withoutRedis: undefined },
  { name: 'addToSet', run: (b) => b.addToSet('set', 'm'), withoutRedis: false },
  { name: 'addManyToSet', run: (b) => b.addManyToSet('set', ['m', 'n']), withoutRedis: 0 },
  { name: 'getSetMembers', run: (b) => b.getSetMembers('set'), withoutRedis: [] },
  { name: 'setIfAbsent', run: (b) => b.setIfAbsent('value', 1), withoutRedis: false },
  { name: 'getAndDelete', run: (b) => b.getAndDelete('value'), withoutRedis: undefined },
  { name: 'touch', run: (b) => b.touch('value'), withoutRedis: false },
  { name: 'persist', run: (b) => b.persist('value'), withoutRedis: false },
  {
    name: 'existsMany',
    run: async (b) => [...(await b.existsMany(['a', 'value']))],
    withoutRedis: [
      ['a', false],
      ['value', false],
    ],
  },
  {
    name: 'getTtlMany',
    run: async (b) => [...(await b.getTtlMany(['a', 'value']))],
    withoutRedis: [
      ['a', undefined],
      ['value', undefined],
    ],
  },
  { name: 'keys', run: (b) => listedKeys(b, 'a*'), withoutRedis: [] },
  { name: 'removeFromSet', run: (b) => b.removeFromSet('set', 'm'), withoutRedis: false },
]

/** What a counter may say that could not count. */
const COUNTER_CODES = ['CACHE_AMBIGUOUS', 'CACHE_UNAVAILABLE', 'CACHE_TIMEOUT', 'CACHE_DISCONNECTED']

/**
 * Runs every operation at once, and checks that each answers what it answers without Redis, in time.
 * @returns how long the slowest took, in milliseconds
 */
export async function expectEveryOperationToSettle(backend: Backend, withinMs: number): Promise<number> {
  const startMs = performance.now()
  const outcomes = await Promise.all(
    EVERY_OPERATION.map(async ({ name, run, withoutRedis }) => {
      const answer: unknown = await run(backend).catch((error: { code?: string }) => error.code)
      const isHonest = withoutRedis === REJECTS ? COUNTER_CODES.includes(String(answer)) : undefined
      const isLate = performance.now() - startMs > withinMs
      return { name, answer: isHonest ? REJECTS : answer, ...(isLate ? { isLate } : {}) }
    }),
  )
  expect(outcomes).toEqual(EVERY_OPERATION.map(({ name, withoutRedis }) => ({ name, answer: withoutRedis })))
  return performance.now() - startMs
}
