import assert from 'node:assert/strict'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend, type RedisCacheBackendOptions } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type RedisCluster, startCluster } from '../../../testbed/redis-cluster.ts'
import { waitUntil } from '../../../testbed/wait-until.ts'
import { commandCalls } from '../../support/command-calls.ts'
import { useScene } from '../../support/scene.ts'
import { KEY_1 } from '../encrypted-codec.ts'
import { structuresIn } from './shared-codec.ts'
import { ORDER, PLACE, USER } from './stored-structures.ts'

const scene = useScene()
const { redis } = scene
let raw: Redis
beforeAll(() => {
  raw = new Redis(redis.url)
})
afterAll(() => raw.disconnect())

async function open(options: RedisCacheBackendOptions = {}): Promise<RedisCacheBackend> {
  const backend = new RedisCacheBackend({
    url: redis.url,
    prefix: 'shop:',
    serializer: 'msgpack',
    errors: 'throw',
    ...options,
  })
  scene.later(() => backend.shutdown())
  await backend.initialize()
  return backend
}

/** Writes a value until what is stored refers to the dictionary. */
async function learn(
  backend: RedisCacheBackend | IoredisCacheBackend,
  key: string,
  value: unknown,
): Promise<void> {
  await waitUntil(
    async () => {
      await backend.set(key, value)
      return (await countAt(key)) > 0
    },
    { what: 'the structures to be shared' },
  )
}

async function countAt(key: string): Promise<number> {
  const bytes = await raw.getBuffer(`shop:${key}`)
  return bytes === null ? 0 : structuresIn(bytes)
}

describe('record structures in Redis', () => {
  it('are learned from writes, have their own key and make entries shorter', async () => {
    const backend = await open()
    await backend.set('user', USER)
    const before = await raw.strlen('shop:user')
    await learn(backend, 'user', USER)
    assert.ok((await raw.strlen('shop:user')) < before)
    assert.deepEqual(await backend.get('user'), USER)
    assert.ok((await raw.getBuffer(PLACE))?.includes('geo'))
    assert.ok((await raw.pttl(PLACE)) > 29 * 24 * 3_600_000)
    assert.equal(await backend.invalidatePattern('*'), 1)
    assert.equal(await raw.exists(PLACE), 1)
  })

  it("let two processes that learn different shapes concurrently read each other's entries", async () => {
    const [one, two] = await Promise.all([open(), open()])
    await Promise.all([learn(one, 'user', USER), learn(two, 'order', ORDER)])
    for (const backend of [one, two]) {
      assert.deepEqual(await backend.get('user'), USER)
      assert.deepEqual(await backend.get('order'), ORDER)
    }
    await waitUntil(
      async () => {
        await one.set('both', [USER, ORDER])
        await two.set('both too', [ORDER, USER])
        return (await countAt('both')) === 4 && (await countAt('both too')) === 4
      },
      { what: 'both to have one dictionary' },
    )
    assert.deepEqual(
      await (await open()).getMany(['both', 'both too']),
      new Map([
        ['both', [USER, ORDER]],
        ['both too', [ORDER, USER]],
      ]),
    )
  })

  it('cost concurrent reads one more round trip, and none after a connect that loaded them', async () => {
    const writer = await open()
    const reader = await open({ serializer: 'json', readers: ['msgpack'] })
    await learn(writer, 'user', USER)
    for (let id = 0; id < 50; id++) await writer.set(`user:${id}`, USER)
    await raw.config('RESETSTAT')
    const keys = Array.from({ length: 50 }, (_, id) => `user:${id}`)
    for (const value of await Promise.all(keys.map((key) => reader.get(key)))) assert.deepEqual(value, USER)
    assert.equal((await commandCalls(redis)).get('mget'), 2)
    assert.deepEqual(await reader.get('user:1'), USER)
    assert.equal((await commandCalls(redis)).get('mget'), 3)
    const late = await open()
    await raw.config('RESETSTAT')
    assert.deepEqual(await late.get('user:1'), USER)
    assert.equal((await commandCalls(redis)).get('mget'), 1)
    assert.equal((await late.getMany(keys)).size, 50)
    assert.equal((await commandCalls(redis)).get('mget'), 2)
  })

  it.each([
    ['deleted', async () => void (await raw.del(PLACE))],
    ['overwritten', async () => void (await raw.set(PLACE, 'junk'))],
    ['of another type', async () => void (await raw.multi().del(PLACE).lpush(PLACE, 'junk').exec())],
    [
      'cut',
      async () => void (await raw.set(PLACE, ((await raw.getBuffer(PLACE)) as Buffer).subarray(0, 40))),
    ],
  ])(
    'that are %s cause misses, not wrong values, until a writer publishes them again',
    async (what, lose) => {
      const writer = await open()
      await learn(writer, 'user', USER)
      await lose()
      const reader = await open()
      const misses: string[] = []
      reader.on('miss', ({ reason }) => misses.push(reason))
      assert.equal(await reader.get('user'), undefined)
      assert.deepEqual(misses, ['undecodable'])
      assert.deepEqual(await writer.get('user'), USER)
      assert.equal(await reader.set('own', USER), true)
      assert.deepEqual(await reader.get('own'), USER)
      if (what === 'of another type') await raw.del(PLACE)
      // A writer publishes them by itself within half a minute; its own clear makes it do so at once.
      await raw.rename('shop:user', 'kept')
      await writer.clear()
      await raw.rename('kept', 'shop:user')
      await writer.set('other', USER)
      await waitUntil(async () => assertEqual(await reader.get('user'), USER), {
        what: 'the reader to find them',
      })
    },
  )

  it('are published again at once after clear()', async () => {
    const backend = await open()
    await learn(backend, 'user', USER)
    assert.equal(await backend.clear(), true)
    assert.deepEqual(await raw.keys('*'), [])
    await backend.set('user', USER)
    await waitUntil(async () => (await raw.exists(PLACE)) === 1, { what: 'the dictionary' })
    assert.deepEqual(await (await open()).get('user'), USER)
  })

  it('are published again after FLUSHALL and SCRIPT FLUSH', async () => {
    const backend = await open()
    await learn(backend, 'user', USER)
    await raw.flushall()
    await raw.script('FLUSH')
    assert.equal(await backend.get('user'), undefined)
    await backend.set('user', USER)
    assert.deepEqual(await backend.get('user'), USER)
  })

  it('of one prefix are not used by another', async () => {
    const [one, two] = [await open(), await open({ prefix: 'other:' })]
    await learn(one, 'user', USER)
    assert.equal(await raw.exists('other:\0structures'), 0)
    await raw.copy('shop:user', 'other:user')
    await raw.copy(PLACE, 'other:\0structures')
    assert.equal(await two.get('user'), undefined)
  })

  it('show no property name if values are encrypted', async () => {
    const backend = await open({ encryption: { keys: [KEY_1] } })
    await learn(backend, 'user', USER)
    for (const key of await raw.keysBuffer('*')) {
      const bytes = (await raw.getBuffer(key)) as Buffer
      for (const name of ['name', 'geo', 'lat', 'born']) assert.ok(!bytes.includes(name), `${name} at ${key}`)
    }
    assert.deepEqual(await (await open({ encryption: { keys: [KEY_1] } })).get('user'), USER)
    assert.equal(await (await open()).get('user'), undefined)
  })

  it('are not shared if the user may not write them, and nothing fails', async () => {
    await raw.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '~shop:*', '+@all', '-eval', '-evalsha')
    const url = redis.url.replace('redis://', 'redis://reader:secret@')
    const backend = await open({ url })
    const failures: unknown[] = []
    backend.on('error', (event) => failures.push(event))
    for (let times = 0; times < 20; times++) await backend.set('user', USER)
    await waitUntil(async () => (await commandCalls(redis)).has('evalsha'), { what: 'the attempt' })
    assert.deepEqual(await backend.get('user'), USER)
    assert.equal(await countAt('user'), 0)
    assert.deepEqual(failures, [])
  })

  it('are shared through ioredis too', async () => {
    const client = new Redis(redis.url)
    const one = new IoredisCacheBackend({ client, prefix: 'shop:', serializer: 'msgpack' })
    await one.initialize()
    await learn(one, 'user', USER)
    assert.deepEqual(await (await open()).get('user'), USER)
    const two = new IoredisCacheBackend({ client, prefix: 'shop:', readers: ['msgpack'] })
    await two.initialize()
    assert.deepEqual(await two.get('user'), USER)
    await one.shutdown()
    await two.shutdown()
    client.disconnect()
  })
})

describe('record structures on a cluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startCluster({ replicasPerMaster: 0 })
  })
  afterAll(() => cluster.stop())

  it('are one dictionary for the entries of every slot', async () => {
    const nodes = cluster.urls
    const options = { url: undefined, cluster: { nodes } }
    const [one, two] = [await open(options), await open(options)]
    const entries = new Map(Array.from({ length: 100 }, (_, id) => [`user:${id}`, { ...USER, id }]))
    await waitUntil(
      async () => {
        await one.setMany(entries)
        let shorter = 0
        one.on('set', ({ bytes }) => {
          shorter = bytes
        })
        await one.set('probe', [])
        const small = shorter
        await one.set('probe', USER)
        return small > 0 && shorter < 110
      },
      { what: 'the structures to be shared' },
    )
    assert.deepEqual(await two.getMany(entries.keys()), entries)
    await one.clear()
    assert.equal(await two.get('user:1'), undefined)
  })
})

function assertEqual(actual: unknown, expected: unknown): true {
  assert.deepEqual(actual, expected)
  return true
}
