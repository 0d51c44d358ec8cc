import assert from 'node:assert/strict'
import { RedisCacheBackend } from 'cachewright/redis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import type { RedisReply } from '../../testbed/redis-command.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'

let redis: Standalone
let backend: RedisCacheBackend

beforeAll(async () => {
  redis = await startStandalone()
})

afterAll(() => redis.stop())

beforeEach(async () => {
  backend = new RedisCacheBackend({ url: redis.url, commandTimeout: '10s' })
  await backend.initialize()
  await redis.ask('CONFIG', 'RESETSTAT')
})

afterEach(async () => {
  await backend.clear()
  await backend.shutdown()
})

/** How often each command ran since the last reset, less the testbed's own. */
async function commandsRun(
  ask: (...command: string[]) => Promise<RedisReply>,
): Promise<Record<string, number>> {
  const text = String(await ask('INFO', 'commandstats'))
  const counts = [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name, calls]) => [
    name,
    Number(calls),
  ])
  const {
    info: _,
    'config|resetstat': __,
    ping: ___,
    ...rest
  } = Object.fromEntries(counts) as Record<string, number>
  return rest
}

const ask = (...command: string[]) => redis.ask(...command)

describe('commands sent to Redis', () => {
  it('the gets of one tick are one MGET, at most 256 keys each', async () => {
    await Promise.all(Array.from({ length: 200 }, (_, index) => backend.get(`key:${index}`)))
    assert.deepEqual(await commandsRun(ask), { mget: 1 })
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => backend.get(`key:${index}`)))
    assert.deepEqual(await commandsRun(ask), { mget: 1 + 4 })
  })

  it('gets issued while promises of the same tick settle still join the MGET', async () => {
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        for (let hop = 0; hop < index % 5; hop++) await null
        return backend.get(`key:${index}`)
      }),
    )
    assert.deepEqual(await commandsRun(ask), { mget: 1 })
  })

  it('P11 a value travels with its time to live in one command', async () => {
    await backend.set('one', 1)
    await backend.set('two', 2, '5m')
    await backend.setMany({ three: 3, four: 4 }, '5m')
    assert.deepEqual(await commandsRun(ask), { set: 4 })
    for (const key of ['one', 'two', 'three', 'four'])
      assert.ok(Number(await redis.ask('PTTL', `cache:${key}`)) > 0)
  })

  it('the other operations take one command each', async () => {
    await backend.set('key', 1)
    await backend.incr('counter')
    await backend.addToSet('set', 'member')
    await Promise.all([backend.exists('key'), backend.getTtl('key'), backend.delete('nothing')])
    await redis.ask('CONFIG', 'RESETSTAT')
    await backend.exists('key')
    await backend.getTtl('key')
    await backend.getMany(['key', 'counter', 'other'])
    await backend.removeFromSet('set', 'other')
    await backend.getSetMembers('set')
    await backend.delete('key')
    await backend.deleteMany(['a', 'b', 'c'])
    // Those that have to tell a value from one that is being loaded are scripts; what runs inside them counts too.
    const { getrange, pttl, setrange, unlink, ...commands } = await commandsRun(ask)
    assert.deepEqual(commands, { evalsha: 4, mget: 1, srem: 1, sscan: 1 })
    assert.deepEqual({ getrange, pttl, setrange, unlink }, { getrange: 1, pttl: 1, setrange: 5, unlink: 4 })
  })

  it('the operations that need a script take one round trip, and no plain command', async () => {
    await backend.set('key', 1)
    await backend.setIfAbsent('key', 2)
    await backend.touch('key')
    await backend.getAndDelete('key')
    await redis.ask('CONFIG', 'RESETSTAT')
    await backend.setIfAbsent('key', 2)
    await backend.touch('key', '1m')
    await backend.persist('key')
    await backend.getAndDelete('key')
    const { evalsha, eval: sent, ...inside } = await commandsRun(ask)
    assert.deepEqual([evalsha, sent], [4, undefined])
    assert.deepEqual(inside, {
      ...{ getrange: 3, exists: 3, set: 1, pexpire: 1, persist: 1, get: 1, unlink: 1 },
    })
  })

  it('existsMany and getTtlMany send one command for each key, a thousand at a time', async () => {
    const keys = Array.from({ length: 2_500 }, (_, index) => `key:${index}`)
    await backend.setMany(keys.map((key) => [key, 0] as const))
    await Promise.all([backend.exists('key:0'), backend.getTtl('key:0')])
    await redis.ask('CONFIG', 'RESETSTAT')
    await backend.existsMany([...keys, ...keys])
    assert.deepEqual(await commandsRun(ask), { evalsha: 2_500, setrange: 2_500 })
    await redis.ask('CONFIG', 'RESETSTAT')
    await backend.getTtlMany([...keys, ...keys])
    assert.deepEqual(await commandsRun(ask), { evalsha: 2_500, getrange: 2_500, pttl: 2_500 })
  })

  it('keys walks with SCAN, asks for no value, and walks no further than the loop', async () => {
    await backend.setMany(Array.from({ length: 20_000 }, (_, index) => [`key:${index}`, index] as const))
    await redis.ask('CONFIG', 'RESETSTAT')
    const keys = new Set<string>()
    for await (const key of backend.keys()) keys.add(key)
    assert.equal(keys.size, 20_000)
    const { eval: sent = 0, evalsha = 0, scan = 0, setrange, ...others } = await commandsRun(ask)
    assert.deepEqual(others, {})
    assert.ok(scan >= 20 && scan < 40 && evalsha + sent <= 3 * scan && setrange === 20_000)
    await redis.ask('CONFIG', 'RESETSTAT')
    for await (const _ of backend.keys()) break
    const iterator = backend.keys()[Symbol.asyncIterator]()
    await iterator.next()
    await iterator.return?.()
    assert.deepEqual(await iterator.next(), { done: true, value: undefined })
    for await (const _ of backend.keys('*', { limit: 5 }));
    assert.equal((await commandsRun(ask)).scan, 3)
  })

  it('a server that takes no writes at present still tells which keys there are', async () => {
    await backend.setMany({ key: 1, text: 'x'.repeat(40) })
    await backend.addToSet('set', 'member')
    await redis.ask('SET', 'cache:empty', '')
    await redis.ask('CONFIG', 'SET', 'min-replicas-to-write', '1')
    try {
      const asked = ['key', 'text', 'set', 'empty', 'none']
      assert.deepEqual([...(await backend.existsMany(asked)).values()], [true, true, true, true, false])
      const keys: string[] = []
      for await (const key of backend.keys()) keys.push(key)
      assert.deepEqual(keys.sort(), ['empty', 'key', 'set', 'text'])
    } finally {
      await redis.ask('CONFIG', 'SET', 'min-replicas-to-write', '0')
    }
  })

  it('clear and patterns walk with SCAN and remove keys in batches', async () => {
    await backend.setMany(Array.from({ length: 20_000 }, (_, index) => [`key:${index}`, index] as const))
    await redis.ask('CONFIG', 'RESETSTAT')
    assert.equal(await backend.invalidatePattern('key:1*'), 11_111)
    assert.equal(await backend.clear(), true)
    const { evalsha, scan, setrange, unlink, ...others } = await commandsRun(ask)
    assert.deepEqual(others, {})
    assert.ok((evalsha as number) <= 2 * (scan as number) && setrange === 11_111)
    assert.ok((scan as number) >= 28 && (unlink as number) >= 20)
  })

  it('a set of a million members is listed a batch at a time', async () => {
    const members = Array.from({ length: 1_000_000 }, (_, index) => `member:${index}`)
    assert.equal(await backend.addManyToSet('set', members), 1_000_000)
    await redis.ask('CONFIG', 'RESETSTAT')
    const listed = await backend.getSetMembers('set')
    assert.equal(listed.length, 1_000_000)
    assert.equal(new Set(listed).size, 1_000_000)
    const { sscan, ...others } = await commandsRun(ask)
    assert.deepEqual(others, {})
    assert.ok((sscan as number) >= 500, `a thousand members or so at a time: ${sscan}`)
  })

  it('values are plain text for redis-cli, and values written by other programs are read', async () => {
    await backend.set('mine', { a: [1, 'é'] })
    assert.equal(await redis.ask('GET', 'cache:mine'), '{"a":[1,"é"]}')
    await redis.ask('SET', 'cache:theirs', ' {"b": 2}\n')
    await redis.ask('SET', 'cache:count', '41')
    assert.deepEqual(await backend.get('theirs'), { b: 2 })
    assert.equal(await backend.incr('count'), 42)
    assert.equal(await redis.ask('GET', 'cache:count'), '42')
  })

  it('a script that the server has forgotten is sent again', async () => {
    await backend.incr('counter')
    await redis.ask('SCRIPT', 'FLUSH')
    assert.equal(await backend.incr('counter'), 2)
    await redis.ask('SCRIPT', 'FLUSH')
    assert.equal(await backend.addToSet('set', 'member'), true)
  })
})

describe('on a cluster', () => {
  let cluster: RedisCluster

  beforeAll(async () => {
    cluster = await startCluster({ replicasPerMaster: 0 })
  })

  afterAll(() => cluster.stop())

  it('the gets of one tick are one MGET for each hash slot', async () => {
    await using sharded = new RedisCacheBackend({
      cluster: { nodes: cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`) },
    })
    await sharded.initialize()
    for (const node of cluster.nodes) await node.ask('CONFIG', 'RESETSTAT')
    const keys = Array.from({ length: 90 }, (_, index) => `{user:${index % 3}}:${index}`)
    await Promise.all(keys.map((key) => sharded.get(key)))
    let commands = 0
    for (const node of cluster.nodes)
      commands += (await commandsRun((...command) => node.ask(...command))).mget ?? 0
    assert.equal(commands, 3)
  })
})
