import { inspect } from 'node:util'
import { createClient } from '@redis/client'
import type { CacheError } from 'cachewright'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend, type RedisCacheBackendOptions } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'

const started: Standalone[] = []
const backends: RedisCacheBackend[] = []
let redis: Standalone
let tls: Standalone
let socket: Standalone
let guarded: Standalone

const ACL = [
  'user default off',
  'user app on >p@ss:w/rd%23 ~cache:* +@all -@admin',
  'user admin on >admin ~* +@all',
].join('\n')

beforeAll(async () => {
  started.push(
    ...(await Promise.all([
      startStandalone({ password: 'p@ss/w:rd #?%' }),
      startStandalone({ tls: true, password: 'secret' }),
      startStandalone({ unixSocket: true, password: 'secret' }),
      startStandalone({ aclFile: ACL, username: 'app', password: 'p@ss:w/rd%23' }),
    ])),
  )
  ;[redis, tls, socket, guarded] = started as [Standalone, Standalone, Standalone, Standalone]
})
afterEach(async () => {
  for (const backend of backends.splice(0)) await backend.shutdown()
})
afterAll(() => Promise.all(started.map((server) => server.stop())))

async function expectRoundTrip(options: RedisCacheBackendOptions): Promise<RedisCacheBackend> {
  const backend = new RedisCacheBackend(options)
  backends.push(backend)
  await backend.initialize()
  expect(await backend.set('key', { deep: ['ü', null] })).toBe(true)
  expect(await backend.get('key')).toEqual({ deep: ['ü', null] })
  expect(await backend.incr('count')).toBeGreaterThan(0)
  return backend
}

describe('a connection by URL', () => {
  test('a password with every awkward character', async () => {
    await expectRoundTrip({ url: redis.url })
  })

  test('a database number', async () => {
    await expectRoundTrip({ url: `${redis.url}/3` })
    expect(String(await redis.ask('INFO', 'keyspace'))).toMatch(/db3:keys=2/)
  })

  test('a database number as a parameter', async () => {
    await expectRoundTrip({ url: `${redis.url}?db=4` })
    expect(String(await redis.ask('INFO', 'keyspace'))).toMatch(/db4:keys=2/)
  })

  test('the schemes of Valkey, with and without TLS, and in REDIS_URL', async () => {
    await expectRoundTrip({ url: `${redis.url.replace('redis:', 'valkey:')}/5` })
    expect(String(await redis.ask('INFO', 'keyspace'))).toMatch(/db5:keys=2/)
    const url = tls.url.replace('rediss:', 'valkeys:')
    await expectRoundTrip({ url, clientOptions: { socket: { ca: tls.ca } as never } })
    vi.stubEnv('REDIS_URL', `${redis.url.replace('redis:', 'VALKEY:')}/6`)
    await expectRoundTrip({})
    expect(String(await redis.ask('INFO', 'keyspace'))).toMatch(/db6:keys=2/)
    for (const options of [
      { cluster: { nodes: ['valkey://localhost:1'] } },
      { sentinel: { name: 'main', nodes: ['valkeys://localhost:1'] } },
    ]) {
      expect(thrownBy(() => new RedisCacheBackend(options))).toBeUndefined()
    }
  })

  test('an ACL user, and only what that user may touch', async () => {
    await expectRoundTrip({ url: guarded.url })
    const stranger = new RedisCacheBackend({ url: guarded.url, prefix: 'other:', errors: 'throw' })
    backends.push(stranger)
    await stranger.initialize()
    await expect(stranger.set('key', 1)).rejects.toMatchObject({ code: 'CACHE_AUTH', replyCode: 'NOPERM' })
    await expect(stranger.get('key')).rejects.toMatchObject({ code: 'CACHE_AUTH', replyCode: 'NOPERM' })
  })

  test('a Unix socket, with a password and a database', async () => {
    await expectRoundTrip({ url: socket.url })
    await expectRoundTrip({ url: `${socket.url}?db=2` })
    expect(String(await socket.ask('INFO', 'keyspace'))).toMatch(/db2:keys=2/)
  })

  test('a Unix socket that is not there', async () => {
    const backend = new RedisCacheBackend({ url: 'unix:///nonexistent/redis.sock' })
    await expect(backend.initialize()).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE' })
  })
})

describe('TLS', () => {
  test('with the certificate to trust', async () => {
    await expectRoundTrip({ url: tls.url, clientOptions: { socket: { ca: tls.ca } as never } })
  })

  test('an untrusted certificate makes initialize() reject at once with a typed error', async () => {
    const backend = new RedisCacheBackend({ url: tls.url })
    backends.push(backend)
    const startMs = performance.now()
    const error = (await backend.initialize().catch((reason: unknown) => reason)) as CacheError
    expect(error).toMatchObject({ name: 'CacheError', code: 'CACHE_UNAVAILABLE' })
    expect(error.message).toMatch(/CERT/)
    expect(performance.now() - startMs).toBeLessThan(2_000)
    expect(await backend.get('key')).toBeUndefined()
  })

  test('a TLS mismatch in either direction rejects in time with a typed error', async () => {
    for (const url of [tls.url.replace('rediss:', 'redis:'), redis.url.replace('redis:', 'rediss:')]) {
      const backend = new RedisCacheBackend({ url, connectTimeout: '1s' })
      const startMs = performance.now()
      const error = (await backend.initialize().catch((reason: unknown) => reason)) as CacheError
      expect(['CACHE_UNAVAILABLE', 'CACHE_TIMEOUT']).toContain(error.code)
      expect(performance.now() - startMs).toBeLessThan(3_000)
    }
  })
})

describe('P41 no secret in the errors of malformed options', () => {
  const SECRET = 'hunter2'
  test.each([
    '',
    'nonsense',
    SECRET,
    `:${SECRET}@localhost`,
    `redis://:${SECRET}@`,
    `redis://user:${SECRET}@host:notaport`,
    `redis://user:${SECRET}@host:99999`,
    `redis://user:${SECRET}@host/notadatabase`,
    `redis://user:${SECRET}@host/1/2`,
    `redis://user:${SECRET}@host/-1`,
    `redis://user:${SECRET}%zz@host`,
    `http://user:${SECRET}@host`,
    `redis:/user:${SECRET}@host\n`,
    `unix://user:${SECRET}@`,
    `unix://user:${SECRET}@/`,
    `unix:///socket?db=${SECRET}`,
    `redis://user:${SECRET}@[::1`,
    `redis://user:${SECRET}@${SECRET}@host`,
    `redis://user:${SECRET}@${SECRET}#${SECRET}@host`,
    `redis://user:${SECRET}#${SECRET}@host`,
    `redis://user:${SECRET}/${SECRET}@host`,
    `redis://user:${SECRET}?${SECRET}=1@host`,
    `redis://user:1?${SECRET}@host`,
    `redis://user:${SECRET}\t@host`,
    `unix://user:${SECRET}#@/socket`,
    `unix://user:${SECRET}/${SECRET}@/socket`,
    `unix://host/socket`,
    'redis://host?protocol=3',
    'redis://host/1?db=2',
    'redis://host?db=1&db=2',
    'redis://host#1',
    `redis://${SECRET}@host`,
    `redis://${SECRET}:@host`,
    'redis://host:0',
    'redis://é',
    'redis://%00',
  ])('%j', (url) => {
    const error = thrownBy(() => new RedisCacheBackend({ url }))
    expect(error).toMatchObject({ name: 'CacheError', code: 'CACHE_INVALID_OPTIONS' })
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(SECRET)
    for (const options of [{ cluster: { nodes: [url] } }, { sentinel: { name: 'main', nodes: [url] } }]) {
      const listed = thrownBy(() => new RedisCacheBackend(options))
      expect(listed).toMatchObject({ code: 'CACHE_INVALID_OPTIONS' })
      expect(inspect(listed, { depth: 10, showHidden: true })).not.toContain(SECRET)
    }
  })

  test('what a URL holds beside an address is refused by name, and a password in disarray with how to write it', () => {
    for (const [url, expected] of [
      ['redis://h?protocol=3', /parameter 'protocol' is not known, only db is/],
      ['redis://h?db=4&ssl=true', /parameter 'ssl'/],
      ['redis://h/users', /database must be a whole number/],
      ['redis://h/1?db=4', /names the database twice/],
      ['redis://ann:s3cr@t#word@host', /contains a # out of place\. .* write # as %23/],
      ['redis://ann:s3cr@t@host', /contains a @ out of place\. .* write @ as %40/],
      ['redis://ann:s3cr/t@host', /contains a @ out of place\. .* %2F/],
      ['redis://ann:100%@host', /write a % in a password as %25/],
    ] as const) {
      expect((thrownBy(() => new RedisCacheBackend({ url })) as CacheError).message).toMatch(expected)
    }
    for (const options of [
      { cluster: { nodes: ['redis://host/1'] } },
      { sentinel: { name: 'main', nodes: ['redis://host?db=1'] } },
    ]) {
      expect((thrownBy(() => new RedisCacheBackend(options)) as CacheError).message).toMatch(/no database/)
    }
  })

  test('two of url, cluster, sentinel and client at a time, and lists that are empty', () => {
    const nodes = ['redis://localhost:1']
    const choices = {
      url: nodes[0],
      cluster: { nodes },
      sentinel: { name: 'main', nodes },
      client: createClient(),
    } satisfies RedisCacheBackendOptions
    const names = Object.keys(choices) as (keyof typeof choices)[]
    const wrong: RedisCacheBackendOptions[] = [
      { cluster: { nodes: [] } },
      { sentinel: { name: 'main', nodes: [] } },
    ]
    for (const one of names) {
      for (const other of names) {
        if (one !== other) wrong.push({ [one]: choices[one], [other]: choices[other] })
      }
    }
    for (const options of wrong) {
      expect(thrownBy(() => new RedisCacheBackend(options))).toMatchObject({ code: 'CACHE_INVALID_OPTIONS' })
    }
  })

  test('a client that is none, or an ioredis with a prefix of its own', () => {
    const prefixed = new Redis({ lazyConnect: true, keyPrefix: 'mine:' })
    for (const client of [{}, null, 'client', prefixed, Object.assign(() => {}, { status: 'ready' })]) {
      const error = thrownBy(() => new RedisCacheBackend({ client: client as never }))
      expect(error).toMatchObject({ code: 'CACHE_INVALID_OPTIONS' })
      expect(thrownBy(() => new IoredisCacheBackend({ client: client as never }))).toMatchObject({
        code: 'CACHE_INVALID_OPTIONS',
      })
    }
  })
})

function thrownBy(construct: () => unknown): unknown {
  try {
    construct()
  } catch (error) {
    return error
  }
  return undefined
}
