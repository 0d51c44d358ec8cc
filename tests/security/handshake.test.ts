import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { askRedis, type RedisReply } from '../../testbed/redis-command.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { commandCalls } from '../support/command-calls.ts'
import { EVERY_OPERATION } from '../support/every-operation.ts'

/** What connecting takes, and what these tests themselves ask. */
const HARMLESS = /^(hello|auth|select|ping|info|quit|reset|client|config|acl|cluster|role|command)(\||$)/
const TIMEOUT = '500ms'

let redis: Standalone
let cluster: RedisCluster
const closers: (() => unknown)[] = []

beforeAll(async () => {
  ;[redis, cluster] = await Promise.all([
    startStandalone({ password: 'right', args: ['--databases', '4'] }),
    startCluster({ replicasPerMaster: 0 }),
  ])
})
beforeEach(async () => {
  await redis.ask('FLUSHALL')
  await redis.ask('ACL', 'SETUSER', 'mute', 'reset', 'on', '>word', '~*', '-@all')
  await redis.ask('ACL', 'SETUSER', 'reader', 'reset', 'on', '>word', '~*', '+@all', '-select')
  await redis.ask('CONFIG', 'RESETSTAT')
})
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
afterAll(() => Promise.all([redis.stop(), cluster.stop()]))

function closedLater<B extends { shutdown(): Promise<void> }>(backend: B): B {
  closers.push(() => backend.shutdown())
  return backend
}

async function dataCommands(server: { ask(...command: string[]): Promise<RedisReply> } = redis) {
  return [...(await commandCalls(server)).keys()].filter((name) => !HARMLESS.test(name))
}

const everything = (backend: Parameters<(typeof EVERY_OPERATION)[number]['run']>[0]) =>
  Promise.allSettled(EVERY_OPERATION.map(({ run }) => run(backend)))

const address = () => `127.0.0.1:${redis.port}`
const REFUSED: readonly (readonly [
  what: string,
  url: () => string,
  error: object,
  mend: () => Promise<unknown>,
])[] = [
  [
    'a wrong password',
    () => `redis://:wrong@${address()}`,
    { code: 'CACHE_AUTH', replyCode: 'WRONGPASS' },
    () => redis.ask('ACL', 'SETUSER', 'default', '>wrong'),
  ],
  [
    'no password',
    () => `redis://${address()}`,
    { code: 'CACHE_AUTH', replyCode: 'NOAUTH' },
    () => redis.ask('ACL', 'SETUSER', 'default', 'nopass'),
  ],
  [
    'an unknown user',
    () => `redis://nobody:word@${address()}`,
    { code: 'CACHE_AUTH', replyCode: 'WRONGPASS' },
    () => redis.ask('ACL', 'SETUSER', 'nobody', 'on', '>word', '~*', '+@all'),
  ],
  [
    'a user without permissions',
    () => `redis://mute:word@${address()}`,
    { code: 'CACHE_AUTH', replyCode: 'NOPERM' },
    () => redis.ask('ACL', 'SETUSER', 'mute', '+@all'),
  ],
  [
    'a user that may not choose a database',
    () => `redis://reader:word@${address()}/1`,
    { code: 'CACHE_AUTH', replyCode: 'NOPERM' },
    () => redis.ask('ACL', 'SETUSER', 'reader', '+select'),
  ],
]

describe('P40 nothing is sent before the handshake succeeds', () => {
  afterEach(() => redis.ask('ACL', 'SETUSER', 'default', 'resetpass', '>right'))

  for (const [what, url, error, mend] of REFUSED) {
    test(`${what}: operations around initialize() send nothing, and it may be retried`, async () => {
      const backend = closedLater(new RedisCacheBackend({ url: url(), commandTimeout: TIMEOUT }))
      const before = everything(backend)
      const initialized = backend.initialize()
      const meanwhile = everything(backend)
      const startMs = performance.now()
      await expect(initialized).rejects.toMatchObject({ name: 'CacheError', ...error })
      expect(performance.now() - startMs).toBeLessThan(2_000)
      await Promise.all([before, meanwhile, everything(backend)])
      await expect(backend.initialize()).rejects.toMatchObject(error)
      expect(await dataCommands()).toEqual([])
      await mend()
      await backend.initialize()
      expect(await backend.set('value', 1)).toBe(true)
    })
  }

  test('an unknown database number', async () => {
    const backend = closedLater(
      new RedisCacheBackend({ url: `redis://:right@${address()}/9`, commandTimeout: TIMEOUT }),
    )
    const initialized = backend.initialize()
    const meanwhile = everything(backend)
    await expect(initialized).rejects.toMatchObject({ code: 'CACHE_REPLY', replyCode: 'ERR' })
    await Promise.all([meanwhile, everything(backend)])
    expect(await dataCommands()).toEqual([])
    expect(String(await redis.ask('INFO', 'keyspace'))).not.toContain('keys=')
  })

  test('a password that is changed on a running server, and the connection killed', async () => {
    const backend = closedLater(new RedisCacheBackend({ url: redis.url, commandTimeout: TIMEOUT }))
    await backend.initialize()
    await backend.set('value', 1)
    const told: string[] = []
    backend.on('error', ({ error }) => told.push(error.code))
    // The default user stays for `ask`; the backend's password becomes another's.
    await redis.ask('CONFIG', 'RESETSTAT')
    const inFlight = everything(backend)
    await redis.ask('ACL', 'SETUSER', 'operator', 'on', '>secret', '~*', '+@all')
    await inFlight
    const operator = closedLater(
      new RedisCacheBackend({ url: `redis://operator:secret@${address()}`, commandTimeout: TIMEOUT }),
    )
    await operator.initialize()
    const lost = new Promise((resolve) => backend.on('disconnect', resolve))
    await redis.ask('ACL', 'SETUSER', 'default', 'resetpass', '>rotated')
    const ask = (...command: string[]) =>
      askRedis({ port: redis.port, username: 'operator', password: 'secret' }, ...command)
    await ask('CONFIG', 'RESETSTAT')
    await ask('CLIENT', 'KILL', 'USER', 'default')
    await lost
    const startMs = performance.now()
    while (performance.now() - startMs < 500) {
      await everything(backend)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await dataCommands({ ask })).toEqual([])
    expect(String(await ask('INFO', 'commandstats'))).toContain('cmdstat_hello')
    expect(told).toContain('CACHE_UNAVAILABLE')
    await ask('ACL', 'SETUSER', 'default', 'resetpass', '>right')
    await waitUntil(() => backend.set('value', 2), { what: 'the backend to sign in again' })
  })

  test('ioredis with a wrong password', async () => {
    const client = new Redis(`redis://:wrong@${address()}`)
    client.on('error', () => {})
    closers.push(() => client.disconnect())
    const backend = closedLater(
      new IoredisCacheBackend({ client, commandTimeout: TIMEOUT, connectTimeout: '1s' } as never),
    )
    await expect(backend.initialize()).rejects.toMatchObject({ name: 'CacheError' })
    await everything(backend)
    expect(await dataCommands()).toEqual([])
  })

  test('a cluster with a wrong password', async () => {
    for (const { port } of cluster.nodes) await cluster.ask(port, 'CONFIG', 'RESETSTAT')
    const nodes = cluster.nodes.map(({ port }) => `redis://someone:wrong@127.0.0.1:${port}`)
    const backend = closedLater(new RedisCacheBackend({ cluster: { nodes }, commandTimeout: TIMEOUT }))
    const initialized = backend.initialize()
    const meanwhile = everything(backend)
    await expect(initialized).rejects.toMatchObject({ code: 'CACHE_AUTH', replyCode: 'WRONGPASS' })
    await Promise.all([meanwhile, everything(backend)])
    for (const node of cluster.nodes) expect(await dataCommands(node)).toEqual([])
  })

  test('a cluster whose user is shut out while it runs', async () => {
    for (const { port } of cluster.nodes) {
      await cluster.ask(port, 'ACL', 'SETUSER', 'app', 'on', '>word', '~*', '+@all')
    }
    const nodes = cluster.nodes.map(({ port }) => `redis://app:word@127.0.0.1:${port}`)
    const backend = closedLater(new RedisCacheBackend({ cluster: { nodes }, commandTimeout: TIMEOUT }))
    await backend.initialize()
    await everything(backend)
    for (const { port } of cluster.nodes) {
      await cluster.ask(port, 'CONFIG', 'RESETSTAT')
      await cluster.ask(port, 'ACL', 'SETUSER', 'app', 'resetpass', '>other')
      await cluster.ask(port, 'CLIENT', 'KILL', 'USER', 'app')
      await cluster.ask(port, 'CONFIG', 'RESETSTAT')
    }
    const startMs = performance.now()
    while (performance.now() - startMs < 500) {
      await everything(backend)
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (const node of cluster.nodes) expect(await dataCommands(node)).toEqual([])
    for (const { port } of cluster.nodes) {
      await cluster.ask(port, 'ACL', 'SETUSER', 'app', 'resetpass', '>word')
    }
    await waitUntil(() => backend.setMany({ a: 1, b: 2, c: 3, d: 4 }), {
      what: 'the cluster to be usable again',
    })
  })
})
