import { setTimeout } from 'node:timers/promises'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CacheError } from '../../src/foundation/errors/cache-error.ts'
import { type RedisSentinel, startSentinel } from '../../testbed/redis-sentinel.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { EVERY_OPERATION, expectEveryOperationToSettle } from '../support/every-operation.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

const TIMEOUT = '200ms'
const SETTLED_WITHIN_MS = 3_000

const closers: (() => unknown)[] = []
let redis: Standalone
beforeAll(async () => {
  redis = await startStandalone({ args: ['--enable-debug-command', 'yes'] })
})
beforeEach(() => redis.ask('FLUSHALL'))
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
afterAll(() => redis.stop())

function ownBackend(url = redis.url): RedisCacheBackend {
  return closedLater(new RedisCacheBackend({ url, commandTimeout: TIMEOUT }))
}

function ioredisBackend(url = redis.url): IoredisCacheBackend {
  // The caller's own connection does not dial.
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null })
  client.on('error', () => {})
  closers.push(() => client.disconnect())
  return closedLater(new IoredisCacheBackend({ client, commandTimeout: TIMEOUT }))
}

function closedLater<B extends { shutdown(): Promise<void> }>(backend: B): B {
  closers.push(() => backend.shutdown())
  return backend
}

function worksAgain(backend: IoredisCacheBackend | RedisCacheBackend): Promise<void> {
  return waitUntil(
    async () => (await backend.set('value', 'again')) && (await backend.get('value')) === 'again',
    { what: 'the cache to work again' },
  )
}

for (const [name, createBackend] of [
  ['@redis/client', ownBackend],
  ['ioredis', ioredisBackend],
] as const) {
  describe(`P37 every call settles by its deadline, with ${name}`, () => {
    test('while the server is killed, and the cache works again once it is restarted', async () => {
      const backend = createBackend()
      await backend.initialize()
      await backend.set('value', 'before')
      const inFlight = Promise.all(EVERY_OPERATION.map(({ run }) => run(backend).catch(() => 'rejected')))
      await redis.kill()
      await inFlight
      await expectEveryOperationToSettle(backend, SETTLED_WITHIN_MS)
      await redis.restart()
      await worksAgain(backend)
      await waitUntil(async () => (await backend.incr('count')) >= 1, { what: 'a counter to count' })
    })

    test('and a server that comes back on its port is used again within a second, though dialled three times a second at most', async () => {
      const proxy = await startTcpProxy(redis.port)
      closers.push(() => proxy.stop())
      const backend = createBackend(proxy.url)
      await backend.initialize()
      await backend.set('value', 'before')
      await redis.kill()
      // The first pauses are short.
      await setTimeout(500)
      proxy.dials = 0
      await setTimeout(3_000)
      const { dials } = proxy
      expect(dials).toBeGreaterThanOrEqual(5)
      expect(dials).toBeLessThanOrEqual(9)
      await redis.restart()
      const backMs = performance.now()
      await worksAgain(backend)
      expect(performance.now() - backMs).toBeLessThan(1_500)
    })

    test('when its connection is cut by CLIENT KILL under load', async () => {
      const backend = createBackend()
      await backend.initialize()
      await backend.set('value', 'kept')
      for (let round = 0; round < 5; round++) {
        const reads = Array.from({ length: 500 }, () => backend.get('value'))
        await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal')
        for (const answer of await Promise.all(reads)) expect(['kept', undefined]).toContain(answer)
        await waitUntil(async () => (await backend.get('value')) === 'kept', { what: 'the next hit' })
      }
    })

    test('while the server is LOADING, and the cache works once it has loaded', async () => {
      const backend = createBackend()
      await backend.initialize()
      const codes: (string | undefined)[] = []
      backend.on('error', ({ error }) => codes.push(error.replyCode))
      await redis.ask('DEBUG', 'POPULATE', 3000, 'filler', 100)
      await redis.ask('CONFIG', 'SET', 'loading-process-events-interval-bytes', 1024, 'key-load-delay', 500)
      await backend.set('value', 'before')
      const loaded = redis.ask('DEBUG', 'RELOAD').catch(() => {})
      const startMs = performance.now()
      await waitUntil(async () => (await backend.get('value')) === undefined && codes.includes('LOADING'), {
        what: 'the server to say LOADING',
      })
      expect(await backend.set('other', 1)).toBe(false)
      expect(performance.now() - startMs).toBeLessThan(SETTLED_WITHIN_MS)
      await redis.ask('CONFIG', 'SET', 'key-load-delay', 0).catch(() => {})
      await loaded
      await waitUntil(async () => (await backend.get('value')) === 'before', { what: 'the value again' })
    })
  })
}

describe('P37 every call settles by its deadline, at a server that refuses connections', () => {
  test('initialize() rejects at once with a typed error, and may be retried once the server is up', async () => {
    const backend = ownBackend()
    await redis.kill()
    const startMs = performance.now()
    await expect(backend.initialize()).rejects.toMatchObject({
      name: 'CacheError',
      code: 'CACHE_UNAVAILABLE',
    })
    expect(performance.now() - startMs).toBeLessThan(1_000)
    await expectEveryOperationToSettle(backend, SETTLED_WITHIN_MS)
    await expect(backend.initialize()).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE' })
    await redis.restart()
    await backend.initialize()
    expect(await backend.set('value', 1)).toBe(true)
    expect(await backend.get('value')).toBe(1)
  })

  test('initialize() over a cluster or Sentinel rejects in time with a typed error', async () => {
    const nodes = ['redis://127.0.0.1:1', 'redis://127.0.0.1:2']
    for (const where of [{ cluster: { nodes } }, { sentinel: { name: 'nobody', nodes } }]) {
      const backend = closedLater(
        new RedisCacheBackend({ ...where, connectTimeout: '1s', commandTimeout: TIMEOUT }),
      )
      const startMs = performance.now()
      const error = (await backend.initialize().catch((reason: unknown) => reason)) as CacheError
      expect(['CACHE_UNAVAILABLE', 'CACHE_TIMEOUT']).toContain(error.code)
      expect(performance.now() - startMs).toBeLessThan(SETTLED_WITHIN_MS)
    }
  })
})

describe('P37 every call settles by its deadline, through a failover by Sentinel', () => {
  let sentinel: RedisSentinel
  beforeAll(async () => {
    sentinel = await startSentinel()
  })
  afterAll(() => sentinel.stop())

  function backendBehindSentinel(): RedisCacheBackend {
    return closedLater(
      new RedisCacheBackend({
        sentinel: {
          name: sentinel.name,
          nodes: sentinel.urls,
        },
        commandTimeout: TIMEOUT,
      }),
    )
  }

  test('a primary that answers READONLY is left for the new one', async () => {
    const backend = backendBehindSentinel()
    await backend.initialize()
    const codes: (string | undefined)[] = []
    backend.on('error', ({ error }) => codes.push(error.replyCode))
    const before = await sentinel.current()
    // Demoted behind the sentinels' back, so that its clients stay connected; the sentinels then set it right.
    await before.ask(
      'REPLICAOF',
      '127.0.0.1',
      String(before === sentinel.primary ? sentinel.replica.port : sentinel.primary.port),
    )
    expect(await backend.set('value', 'refused')).toBe(false)
    expect(codes).toEqual(['READONLY'])
    await before.ask('REPLICAOF', 'NO', 'ONE')
    await worksAgain(backend)
    await sentinel.settled()
  })

  test('writes go to the new primary when the roles have changed', async () => {
    const backend = backendBehindSentinel()
    await backend.initialize()
    await backend.set('value', 'before')
    const next = await sentinel.failover()
    await worksAgain(backend)
    expect(await next.ask('GET', 'cache:value')).toBe('"again"')
  })

  test('writes go to the new primary when the old one is killed', async () => {
    const backend = backendBehindSentinel()
    await backend.initialize()
    const before = await sentinel.current()
    await before.kill()
    await expectEveryOperationToSettle(backend, SETTLED_WITHIN_MS)
    await worksAgain(backend)
    const next = before === sentinel.primary ? sentinel.replica : sentinel.primary
    expect(await next.ask('GET', 'cache:value')).toBe('"again"')
  })
})
