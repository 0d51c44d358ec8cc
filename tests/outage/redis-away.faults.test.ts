import type { Cache } from 'cachewright'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../../testbed/free-port.ts'
import { startRedisProcess } from '../../testbed/redis-process.ts'
import type { Standalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { firstHitMs, inTime, SETTLED_WITHIN_MS, warmed } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

/** Until a value that was loaded is found again: redialling pauses for two seconds at most. */
const FIRST_HIT_WITHIN_MS = 6_000

const scene = useScene({ redis: false, caches: IMPATIENT })
let redis: Standalone
const firstHits: string[] = []

beforeEach(async () => {
  redis = await scene.server({ args: ['--enable-debug-command', 'yes'] })
})
afterAll(() => console.log(`first hit after: ${firstHits.join(', ')}`))

interface Fault {
  readonly name: string
  readonly begin: () => Promise<unknown>
  readonly end: () => Promise<unknown>
  /** Whether writes are acknowledged all the same. */
  readonly isWritable?: boolean
  /** Whether Redis does not reply, so that the circuit opens. */
  readonly isSilent?: boolean
  /** Whether the connection is dialled anew, so that the circuit may be open for a moment. */
  readonly isDialledAnew?: boolean
}

const FAULTS: readonly Fault[] = [
  {
    name: 'stopped (SIGSTOP)',
    begin: async () => redis.pause(),
    end: async () => redis.resume(),
    isSilent: true,
  },
  { name: 'killed and restarted', begin: () => redis.kill(), end: () => redis.restart(), isSilent: true },
  {
    name: 'LOADING',
    begin: async () => {
      await redis.ask('DEBUG', 'POPULATE', 3_000, 'filler', 100)
      await redis.ask('CONFIG', 'SET', 'loading-process-events-interval-bytes', 1024, 'key-load-delay', 1_000)
      void redis.ask('DEBUG', 'RELOAD').catch(() => {})
      await waitUntil(
        () =>
          redis.ask('GET', 'x').then(
            () => false,
            (error) => /LOADING/.test(String(error)),
          ),
        {
          what: 'the server to say LOADING',
        },
      )
    },
    end: () => redis.ask('CONFIG', 'SET', 'key-load-delay', 0),
  },
  {
    name: 'READONLY',
    begin: () => redis.ask('REPLICAOF', '127.0.0.1', 1),
    end: () => redis.ask('REPLICAOF', 'NO', 'ONE'),
    isDialledAnew: true,
  },
  {
    name: 'too few replicas (NOREPLICAS)',
    begin: () => redis.ask('CONFIG', 'SET', 'min-replicas-to-write', 1),
    end: () => redis.ask('CONFIG', 'SET', 'min-replicas-to-write', 0),
  },
  {
    name: 'out of memory (OOM)',
    begin: () => redis.ask('CONFIG', 'SET', 'maxmemory', 1),
    end: () => redis.ask('CONFIG', 'SET', 'maxmemory', 0),
    isWritable: true,
  },
  {
    name: 'asking for a password (NOAUTH)',
    begin: async () => {
      await redis.ask('CONFIG', 'SET', 'requirepass', 'secret')
      await redis.ask('AUTH', 'secret')
      await killClients()
    },
    end: () => signedIn('CONFIG', 'SET', 'requirepass', ''),
    isSilent: true,
  },
]

/** A password has been set, which the testbed does not know of. */
async function signedIn(...command: string[]): Promise<unknown> {
  const { askRedis } = await import('../../testbed/redis-command.ts')
  return askRedis({ port: redis.port, password: 'secret' }, ...command)
}

async function killClients(): Promise<void> {
  await signedIn('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
}

/** Many callers of one key at once: all get the source's value, which is asked once. */
async function expectOneLoad(cache: Cache, key: string): Promise<void> {
  const source = new Source(`from the source: ${key}`)
  const callers = Array.from({ length: 50 }, () => cache.getOrSet(key, source.load))
  expect(new Set(await inTime(Promise.all(callers)))).toEqual(new Set([source.value]))
  expect(source.loads).toBe(1)
}

describe.each(FAULTS)('P38 Redis is $name', ({ begin, end, isDialledAnew, isSilent, isWritable, name }) => {
  test('P37 every call settles, no getOrSet fails, no old value is served, and hits return', async () => {
    const cache = scene.cache({ redis: redis.url })
    const source = new Source('old')
    for (const key of ['deleted', 'tagged', 'kept']) {
      await cache.getOrSet(key, source.load, { tags: key === 'tagged' ? ['t'] : [] })
    }
    await begin()
    const outageAtMs = performance.now()
    await expectOneLoad(cache, 'one')
    source.value = 'new'
    expect(await inTime(cache.delete('deleted'))).toBe(isWritable ?? false)
    const isTagged = await inTime(cache.invalidateTags(['t']))
    const tags = { tags: ['t'] }
    for (let round = 0; round < 3; round++) {
      expect(await inTime(cache.getOrSet('deleted', source.load))).toBe('new')
      expect(await inTime(cache.getOrSet('tagged', source.load, tags))).toBe('new')
      expect(['old', 'new']).toContain(await inTime(cache.getOrSet('kept', source.load)))
      await expectOneLoad(cache, `round ${round}`)
    }
    for (const call of [
      () => cache.get('deleted'),
      () => cache.has('deleted'),
      () => cache.getTtl('deleted'),
      () => cache.getMany(['deleted', 'tagged']),
      () => cache.set('set', 1),
      () => cache.setMany({ set: 1, more: 2 }),
      () => cache.deleteMany(['set', 'more']),
      () => cache.invalidatePattern('none*'),
      () => cache.namespace('in').clear(),
    ]) {
      await inTime(Promise.resolve(call()))
    }
    await expect(cache.getOrSet('failing', () => Promise.reject(new Error('source away')))).rejects.toThrow(
      'source away',
    )
    if (isDialledAnew) await waitUntil(() => cache.circuit === 'closed', { what: 'the connection' })
    if (isSilent) expect(cache.circuit).not.toBe('closed')
    else expect(cache.circuit).toBe('closed')
    expect(isTagged).toBe(isWritable ?? false)
    expect(performance.now() - outageAtMs).toBeLessThan(4 * SETTLED_WITHIN_MS)

    await end()
    const hitMs = await firstHitMs(cache)
    firstHits.push(`${name} ${Math.round(hitMs)} ms`)
    expect(hitMs).toBeLessThan(FIRST_HIT_WITHIN_MS)
    expect(cache.circuit).toBe('closed')
    for (const local of [true, false]) {
      for (const key of ['deleted', 'tagged'])
        expect([undefined, 'new']).toContain(await cache.get(key, { local }))
    }
    expect(await cache.getOrSet('deleted', source.load)).toBe('new')
    expect(await cache.getOrSet('tagged', source.load, tags)).toBe('new')
    expect(await cache.set('after', 1)).toBe(true)
    expect(await cache.get('after')).toBe(1)
  })
})

describe('P38 Redis is not there at the start', () => {
  test('getOrSet loads at once, and hits begin when Redis starts', async () => {
    const port = await freePort()
    const cache = scene.cache({ redis: `redis://127.0.0.1:${port}` })
    await expectOneLoad(cache, 'one')
    const startMs = performance.now()
    for (let call = 0; call < 50; call++) await cache.getOrSet(`key:${call}`, () => call)
    expect(performance.now() - startMs).toBeLessThan(1_000)
    expect(await cache.set('key', 1)).toBe(false)
    expect(await cache.delete('key')).toBe(false)
    const server = await startRedisProcess({ port, args: ['--save', ''] })
    scene.later(() => server.stop())
    const hitMs = await firstHitMs(cache)
    firstHits.push(`refused at the start ${Math.round(hitMs)} ms`)
    expect(hitMs).toBeLessThan(FIRST_HIT_WITHIN_MS)
  })

  test('getOrSet loads if Redis accepts connections and never replies', async () => {
    const proxy = await scene.proxy({ port: redis.port })
    proxy.goSilent()
    const cache = scene.cache({ redis: proxy.url, connectTimeout: '300ms' })
    await expectOneLoad(cache, 'one')
    await expectOneLoad(cache, 'two')
    proxy.healForNewConnections()
    const hitMs = await firstHitMs(cache)
    firstHits.push(`silent at the start ${Math.round(hitMs)} ms`)
    expect(hitMs).toBeLessThan(FIRST_HIT_WITHIN_MS)
  })

  test('getOrSet loads if Redis wants another password', async () => {
    await redis.ask('CONFIG', 'SET', 'requirepass', 'secret')
    const cache = scene.cache({ redis: redis.url })
    await expectOneLoad(cache, 'one')
    await expect(cache.initialize()).rejects.toMatchObject({ name: 'CacheError', code: 'CACHE_AUTH' })
    await expectOneLoad(cache, 'two')
    await signedIn('CONFIG', 'SET', 'requirepass', '')
    expect(await firstHitMs(cache)).toBeLessThan(FIRST_HIT_WITHIN_MS)
  })
})

describe('P37 the circuit', () => {
  test('opens in an outage and emits an event, and then no call waits for the timeout', async () => {
    const cache = scene.cache({ redis: redis.url, commandTimeout: '200ms' })
    const states: string[] = []
    cache.on('circuit', ({ state }) => states.push(state))
    await warmed(cache, 'any')
    expect(cache.circuit).toBe('closed')
    redis.pause()
    scene.later(() => redis.resume())
    const durations: number[] = []
    for (let call = 0; call < 60; call++) {
      const startMs = performance.now()
      await cache.getOrSet(`key:${call}`, () => call)
      durations.push(performance.now() - startMs)
    }
    expect(cache.circuit).not.toBe('closed')
    expect(states[0]).toBe('open')
    const slow = durations.filter((ms) => ms > 100)
    expect(slow.length).toBeLessThanOrEqual(7)
    expect(Math.max(...durations)).toBeLessThan(SETTLED_WITHIN_MS)
    redis.resume()
    await firstHitMs(cache)
    expect(cache.circuit).toBe('closed')
    expect(states.slice(-2)).toEqual(['half-open', 'closed'])
  })

  test('stays closed if Redis answers, even with errors', async () => {
    const cache = scene.cache({ redis: redis.url })
    await redis.ask('SADD', 'p:set', 'x')
    for (let call = 0; call < 20; call++) await cache.getOrSet('set', () => call)
    expect(cache.circuit).toBe('closed')
  })

  test("errors: 'throw' rejects with typed errors, and getOrSet still loads", async () => {
    const cache = scene.cache({ redis: redis.url, errors: 'throw' })
    await warmed(cache, 'any')
    await redis.kill()
    await waitUntil(() => cache.peek('any') === undefined, { what: 'the loss' })
    for (const call of [() => cache.get('key'), () => cache.set('key', 1), () => cache.delete('key')]) {
      await expect(inTime<unknown>(call())).rejects.toMatchObject({
        name: 'CacheError',
        code: expect.stringMatching(/^CACHE_(UNAVAILABLE|DISCONNECTED|TIMEOUT)$/),
      })
    }
    expect(await inTime(cache.getOrSet('key', () => 'loaded'))).toBe('loaded')
  })
})

test('P38 a caller gets a value that is too large to be stored while Redis is away', async () => {
  const cache = scene.cache({ redis: 'redis://127.0.0.1:1', maxValueBytes: 100 })
  expect(await cache.getOrSet('key', () => 'x'.repeat(200))).toHaveLength(200)
})
