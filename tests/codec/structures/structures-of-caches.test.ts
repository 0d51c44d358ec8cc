import assert from 'node:assert/strict'
import { createCache } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { SimulatedRedis } from 'cachewright/testing'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { waitUntil } from '../../../testbed/wait-until.ts'
import { useScene } from '../../support/scene.ts'
import { ORDER, PLACE, USER } from './stored-structures.ts'

const scene = useScene()
const { redis } = scene
let raw: Redis
beforeAll(() => {
  raw = new Redis(redis.url)
})
afterAll(() => raw.disconnect())

describe('a read-through cache', () => {
  it('shares record structures with other caches', async () => {
    const options = { redis: redis.url, prefix: 'shop:', serializer: 'msgpack', local: false } as const
    const one = createCache(options)
    const two = createCache(options)
    scene.later(() => one.shutdown())
    scene.later(() => two.shutdown())
    const entry = async (): Promise<Buffer> => (await raw.getBuffer('shop:user')) ?? Buffer.alloc(12)
    await waitUntil(
      async () => {
        await one.set('user', USER, { tags: ['users'] })
        return ((await entry())[7] as number) >= 0b10000
      },
      { what: 'the structures to be shared' },
    )
    assert.deepEqual(await two.getOrSet('user', () => assert.fail('it is there')), USER)
    for (let id = 0; id < 5; id++) {
      const value = { ...USER, id }
      assert.deepEqual(await two.getOrSet(`user:${id}`, () => value), value)
      assert.deepEqual(await one.getOrSet(`user:${id}`, () => assert.fail('it is there')), value)
    }
    await raw.del(PLACE)
    const three = createCache({ ...options, serializer: 'json', readers: ['msgpack'] })
    scene.later(() => three.shutdown())
    assert.deepEqual(await three.getOrSet('user', () => ORDER.lines), ORDER.lines)
    assert.deepEqual(await one.getOrSet('user', () => assert.fail('it is there')), ORDER.lines)
    await one.invalidateTags(['users'])
    await one.namespace('part').set('user', USER)
    assert.deepEqual(await two.namespace('part').getOrSet('user', () => assert.fail('it is there')), USER)
    await one.clear()
    assert.equal(await two.get('user'), undefined)
  })

  it('shares record structures in memory and over a simulated Redis', async () => {
    const simulated = new SimulatedRedis()
    for (const backend of [
      new MemoryCacheBackend<unknown>({ serializer: 'msgpack' }),
      simulated.backend({ serializer: 'msgpack' }),
    ]) {
      await backend.initialize()
      scene.later(() => backend.shutdown())
      const sizes: number[] = []
      backend.on('set', ({ bytes }) => sizes.push(bytes))
      await waitUntil(
        async () => {
          await backend.set('user', USER)
          return (sizes.at(-1) as number) < (sizes[0] as number)
        },
        { what: 'the structures to be shared' },
      )
      assert.deepEqual(await backend.get('user'), USER)
      await backend.clear()
      await backend.set('user', USER)
      assert.deepEqual(await backend.get('user'), USER)
    }
    const third = simulated.backend({ serializer: 'msgpack', prefix: 'third:' })
    const fourth = simulated.backend({ serializer: 'msgpack', prefix: 'third:' })
    scene.later(() => third.shutdown())
    scene.later(() => fourth.shutdown())
    await Promise.all([third.initialize(), fourth.initialize()])
    const sizes: number[] = []
    third.on('set', ({ bytes }) => sizes.push(bytes))
    await waitUntil(
      async () => {
        await Promise.all([third.set('user', USER), fourth.set('order', ORDER)])
        await third.set('both', [USER, ORDER, { third: 1 }])
        return (sizes.at(-1) as number) < (sizes[1] as number) - 40
      },
      { what: 'two processes to share one dictionary' },
    )
    assert.deepEqual(await fourth.get('both'), [USER, ORDER, { third: 1 }])

    const other = createCache({ backend: simulated.backend({ readers: ['msgpack'] }) })
    scene.later(() => other.shutdown())
    assert.deepEqual(await other.getOrSet('user', () => assert.fail('it is there')), USER)
  })
})
