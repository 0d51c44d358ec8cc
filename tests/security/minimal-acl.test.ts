import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type CreateCacheOptions, createCache } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { describeCacheBackend } from 'cachewright/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { startCluster } from '../../testbed/redis-cluster.ts'
import { askRedis } from '../../testbed/redis-command.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'

/** A user that the documentation shows, so that what it says is what is tested. */
function documentedUser(name: string): string {
  return documentedLine(`user ${name} on `)
    .replace('~shop:*', '~contract-*')
    .replace('&shop:*', '&contract-*')
}

/** The rules that are added in this case: `# on a cluster also: +asking; …`. */
function documentedRules(when: string): string {
  return documentedLine(`# ${when}: `).split(': ')[1]?.split(';')[0] ?? ''
}

function documentedLine(start: string): string {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const line = text.split('\n').find((one) => one.startsWith(start))
  if (line === undefined) throw new Error(`docs/operations.md has no line that starts with '${start}'`)
  return line
}

let redis: Standalone

beforeAll(async () => {
  const cacheUser = documentedUser('shop-cache')
  const killsNobody = cacheUser.replace('shop-cache', 'kills-nobody').replace(' +client|kill', '')
  const users = [documentedUser('shop'), cacheUser, killsNobody]
  redis = await startStandalone({
    aclFile: `user default on nopass ~* &* +@all\n${users.join('\n')}\n`,
    username: 'shop',
    password: 'secret',
  })
})

afterAll(() => redis.stop())

describeCacheBackend({
  name: 'a user with no more rights than the documentation gives',
  describe,
  it,
  createBackend: (options) => new RedisCacheBackend({ ...options, url: redis.url }),
})

describe('entries of a cache', () => {
  it('are read by a plain backend with no more rights either', async () => {
    const url = redis.url.replace('shop:secret', 'shop-cache:secret')
    await using cache = createCache({ redis: url, prefix: 'contract-entries:', errors: 'throw' })
    await using backend = new RedisCacheBackend({
      url: redis.url,
      prefix: 'contract-entries:',
      errors: 'throw',
    })
    await cache.set('key', 1, { tags: ['a'], staleIfError: '1m' })
    assert.equal(await backend.get('key'), 1)
    assert.equal(await backend.getAndDelete('key'), 1)
    assert.equal(await cache.clear(), true)
  })
})

describe('shared record structures', () => {
  it('need no more rights either', async () => {
    await using backend = new RedisCacheBackend<{ id: number }>({
      url: redis.url,
      prefix: 'contract-structures:',
      serializer: 'msgpack',
      errors: 'throw',
    })
    await backend.initialize()
    const sizes: number[] = []
    backend.on('set', ({ bytes }) => sizes.push(bytes))
    await waitUntil(
      async () => {
        await backend.setMany([0, 1, 2, 3].map((id) => [`key:${id}`, { id }]))
        await backend.set('key', { id: 1 })
        return new Set(sizes).size > 1
      },
      { what: 'the structures to be shared' },
    )
    assert.deepEqual(await backend.get('key'), { id: 1 })
    assert.equal(await backend.clear(), true)
  })
})

describe('P42 a read-through cache with no more rights than the documentation gives', () => {
  for (const mode of ['tracking', 'bus', 'ttl'] as const) {
    for (const user of ['shop-cache', 'kills-nobody']) {
      it(`performs every operation, by ${mode}, as ${user}`, async () => {
        const url = redis.url.replace('shop:secret', `${user}:secret`)
        await performsEveryOperation({ redis: url, coherence: { mode } }, mode)
      })
    }
  }

  it('performs every operation on a cluster', async ({ onTestFinished }) => {
    const cluster = await startCluster({ replicasPerMaster: 0 })
    onTestFinished(() => cluster.stop())
    const user = `${documentedUser('shop-cache')} ${documentedRules('on a cluster also')}`
    const rules = user.split(' ').slice(2)
    for (const node of cluster.nodes) await node.ask('ACL', 'SETUSER', 'shop-cache', ...rules)
    const nodes = cluster.nodes.map(({ port }) => `redis://shop-cache:secret@127.0.0.1:${port}`)
    await performsEveryOperation({ redis: { cluster: { nodes } } }, 'tracking')
  })
})

async function performsEveryOperation(options: CreateCacheOptions, mode: string): Promise<void> {
  await using cache = createCache({ prefix: 'contract-cache:', errors: 'throw', ...options })
  await cache.initialize()
  await waitUntil(() => cache.coherence === mode, { what: mode })
  const failures: string[] = []
  cache.on('error', ({ error }) => failures.push(error.message))
  const load = () => cache.getOrSet('key', () => 1, { tags: ['a'] })
  assert.equal(await load(), 1)
  assert.equal(await load(), 1)
  assert.equal(await cache.invalidateTags(['a']), true)
  assert.equal(await load(), 1)
  assert.equal(await cache.set('other', 2, { tags: ['a'] }), true)
  assert.equal(await cache.getTtl('plain'), undefined)
  assert.equal(await cache.counters.incr('counter'), 1)
  assert.equal(await cache.invalidatePattern('oth*'), 1)
  for (const wait of [true, false]) {
    const slot = await cache.reserve(`slot ${wait}`, { tags: ['a'], wait })
    assert.equal(await slot.fill(1), true)
    await (await cache.reserve(`released ${wait}`, { wait })).release()
  }
  assert.equal(await cache.delete('key'), true)
  await assert.rejects(
    cache.getOrSet('failing', () => Promise.reject(new Error('no'))),
    /no/,
  )
  assert.equal(await cache.clear(), true)
  await waitUntil(async () => (await cache.plain.get('counter')) === undefined, { what: 'the reclaim' })
  assert.deepEqual(failures, [])
}

describe('the user of the documentation', () => {
  const ask = (...command: string[]) =>
    askRedis({ port: redis.port, username: 'shop-cache', password: 'secret' }, ...command)

  it.each([
    ['GET', 'other'],
    ['MGET', 'contract-a', 'other'],
    ['SET', 'other', '1'],
    ['UNLINK', 'other'],
    ['EXISTS', 'other'],
    ['PTTL', 'other'],
    ['EVAL', "return redis.call('GET', 'other')", '0'],
    ['EVAL', "return redis.call('SET', KEYS[1], '1')", '1', 'other'],
    ['EVAL', "return redis.call('KEYS', '*')", '0'],
    ['EVAL', "return redis.call('PUBLISH', 'other', '1')", '0'],
    ['PUBLISH', 'other', '1'],
    ['SUBSCRIBE', 'other'],
    ['PSUBSCRIBE', '*'],
    ['KEYS', '*'],
    ['RANDOMKEY'],
    ['SELECT', '1'],
    ['FLUSHALL'],
    ['FLUSHDB'],
    ['SWAPDB', '0', '1'],
    ['RENAME', 'contract-a', 'contract-b'],
    ['COPY', 'contract-a', 'contract-b'],
    ['DUMP', 'contract-a'],
    ['MIGRATE', '127.0.0.1', '1', 'contract-a', '0', '10'],
    ['CONFIG', 'GET', '*'],
    ['CONFIG', 'SET', 'maxmemory', '1'],
    ['CLIENT', 'LIST'],
    ['CLIENT', 'PAUSE', '1'],
    ['CLIENT', 'NO-EVICT', 'on'],
    ['ACL', 'LIST'],
    ['SCRIPT', 'FLUSH'],
    ['SCRIPT', 'KILL'],
    ['FUNCTION', 'FLUSH'],
    ['MONITOR'],
    ['SLOWLOG', 'GET'],
    ['REPLICAOF', 'NO', 'ONE'],
    ['SHUTDOWN', 'NOSAVE'],
    ['MODULE', 'LIST'],
  ])('may not run %s %s', async (...command) => {
    await assert.rejects(
      ask(...command.filter((word) => word !== undefined)),
      /NOPERM|can't (run|access|publish)/i,
    )
  })

  it('may do to its neighbours what the documentation says', async () => {
    await askRedis({ port: redis.port }, 'SET', 'neighbour', '1')
    assert.ok(String(await ask('SCAN', '0', 'COUNT', '1000000')).includes('neighbour'))
    assert.ok(String(await ask('INFO', 'everything')).includes('redis_version'))
    const victim = await askRedis({ port: redis.port }, 'CLIENT', 'ID')
    assert.equal(await ask('CLIENT', 'KILL', 'ID', String(Number(victim) + 1_000_000)), 0)
  })
})
