import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { commandCalls } from '../support/command-calls.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

// Julien-R44/bentocache#67
test('clear() of a namespace removes its own entries, and none of a longer name', async () => {
  const cache = await scene.open()
  const [users, usersAbc] = [cache.namespace('users'), cache.namespace('usersAbc')]
  await cache.set('usersAbc', 1)
  await usersAbc.set('key', 2)
  await users.set('key', 3)
  expect(await users.clear()).toBe(true)
  expect([await cache.get('usersAbc'), await usersAbc.get('key'), await users.get('key')]).toEqual([
    1,
    2,
    undefined,
  ])
  const client = new Redis({ lazyConnect: true, keyPrefix: 'dev:' })
  expect(() => scene.cache({ client })).toThrow(/keyPrefix/)
})

// jazzband/django-redis#245
test('clear() of a cache leaves the rest of the database', async () => {
  const [mine, other] = [await scene.open({ prefix: 'mine:' }), await scene.open({ prefix: 'other:' })]
  await mine.set('key', 1)
  await other.set('key', 2)
  await scene.redis.ask('SET', 'session', 'kept')
  expect(await mine.clear()).toBe(true)
  expect([await mine.get('key'), await other.get('key')]).toEqual([undefined, 2])
  expect(await scene.redis.ask('GET', 'session')).toBe('kept')
})

// jazzband/django-redis#609
test('a tag invalidates two thousand entries by one command, and no key is looked for', async () => {
  const cache = await scene.open()
  const keys = Array.from({ length: 2_000 }, (_, number) => `page:${number}`)
  await cache.setMany(new Map(keys.map((key) => [key, 'page'])), { tags: ['pages'] })
  expect([...(await cache.getMany(keys)).values()].every((value) => value === 'page')).toBe(true)
  await scene.redis.ask('CONFIG', 'RESETSTAT')
  expect(await cache.invalidateTags(['pages'])).toBe(true)
  const calls = await commandCalls(scene.redis)
  expect(calls.get('evalsha') ?? calls.get('eval') ?? calls.get('set')).toBe(1)
  for (const name of ['scan', 'keys', 'del', 'unlink']) expect(calls.get(name) ?? 0).toBe(0)
  expect([...(await cache.getMany(keys)).values()].every((value) => value === undefined)).toBe(true)
})

// Julien-R44/bentocache#64
test('has() and getTtl() know of an invalidated tag', async () => {
  const [mine, other] = [await scene.open(), await scene.open()]
  await mine.set('user:1', 'Ada', { tags: ['users'] })
  expect([await mine.has('user:1'), await other.has('user:1')]).toEqual([true, true])
  await mine.invalidateTags(['users'])
  expect(await mine.has('user:1')).toBe(false)
  expect(await mine.getTtl('user:1')).toBeUndefined()
})
