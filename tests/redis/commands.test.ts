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
  backend = new RedisCacheBackend({ url: redis.url, timeout: '10s' })
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
