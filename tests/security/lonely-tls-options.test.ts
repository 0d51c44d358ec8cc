import { createCluster } from '@redis/client'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { describe, expect, test } from 'vitest'

const lazy = { lazyConnect: true }
const at = { host: '127.0.0.1', port: 1 }
const one = { ...lazy, ...at, password: 'secret' }
const behindSentinels = { ...lazy, name: 'main', sentinels: [at], password: 'secret' }
const ca = 'a certificate'

/** Options that mean TLS, and do not turn it on. */
const LONELY: Readonly<Record<string, object>> = {
  ca: { ca },
  cert: { cert: ca },
  servername: { servername: 'localhost' },
  'rejectUnauthorized: false': { rejectUnauthorized: false },
  'rejectUnauthorized: true': { rejectUnauthorized: true },
  'ssl: true': { ssl: true },
  "ssl: ''": { ssl: '' },
  'TLS: {}': { TLS: {} },
  tlsOptions: { tlsOptions: { ca } },
  sentinelTLS: { sentinelTLS: { ca } },
  'enableTLSForSentinelMode: true': { enableTLSForSentinelMode: true },
  "tls: ''": { tls: '' },
  'tls: NaN': { tls: Number.NaN },
}

/** Options that say nothing of TLS, or that it is off. */
const PLAIN: Readonly<Record<string, object>> = {
  none: {},
  'tls: undefined': { tls: undefined },
  'tls: null': { tls: null },
  'tls: false': { tls: false },
  'tls: 0': { tls: 0 },
  'ca: undefined': { ca: undefined },
  'ssl: false': { ssl: false },
  "ssl: 'false'": { ssl: 'false' },
  'sentinelTLS: undefined': { sentinelTLS: undefined },
  'enableTLSForSentinelMode: false': { enableTLSForSentinelMode: false },
}

describe.each([
  ['ioredis 6', Redis, Cluster],
  ['ioredis 5', Redis5 as unknown as typeof Redis, Cluster5 as unknown as typeof Cluster],
] as const)("a caller's %s that connects without TLS", (_library, OneRedis, OneCluster) => {
  /** The same options, wherever a client takes some. */
  const clientsWith = (options: object): Readonly<Record<string, Redis | Cluster>> => ({
    single: new OneRedis({ ...one, ...options }),
    'single, by URL and options': new OneRedis('redis://:secret@127.0.0.1:1/2', { ...lazy, ...options }),
    'unix socket': new OneRedis('/nowhere.sock', { ...lazy, ...options }),
    sentinels: new OneRedis({ ...behindSentinels, ...options }),
    'a sentinel': new OneRedis({ ...behindSentinels, sentinels: [{ ...at, ...options }] }),
    'natMap behind sentinels': new OneRedis({ ...behindSentinels, natMap: { 'a:1': { ...at, ...options } } }),
    cluster: new OneCluster([at], { ...lazy, redisOptions: { password: 'secret', ...options } }),
    'cluster, beside redisOptions': new OneCluster([at], { ...lazy, ...options }),
    'a node of a cluster': new OneCluster([{ ...at, ...options }], lazy),
    'natMap of a cluster': new OneCluster([at], { ...lazy, natMap: { 'a:1': { ...at, ...options } } }),
  })

  const refusals = (clients: Readonly<Record<string, object>>) =>
    Object.entries(clients).flatMap(([name, client]) =>
      [RedisCacheBackend, IoredisCacheBackend].flatMap((Backend) => {
        try {
          new Backend({ client: client as Redis })
          return []
        } catch (error) {
          expect(error).toMatchObject({
            code: 'CACHE_INVALID_OPTIONS',
            message: expect.stringMatching(/without TLS/),
          })
          return [`${name} as ${Backend.name}`]
        }
      }),
    )
  const everywhere = (clients: object) =>
    Object.keys(clients).flatMap((name) => [`${name} as RedisCacheBackend`, `${name} as IoredisCacheBackend`])

  test.each(Object.keys(LONELY))('is refused with %s', (name) => {
    const clients = clientsWith(LONELY[name] as object)
    expect(refusals(clients)).toEqual(everywhere(clients))
  })

  test.each(Object.keys(PLAIN))('is accepted with %s', (name) => {
    expect(refusals(clientsWith(PLAIN[name] as object))).toEqual([])
  })

  test('is refused if its URL has a parameter that means TLS', () => {
    const clients = Object.fromEntries(
      ['ssl=true', 'ssl', 'SSL=1', 'secure=true', 'tls', 'tls=', 'rejectUnauthorized=false'].flatMap(
        (query) => [
          [query, new OneRedis(`redis://:secret@127.0.0.1:1?db=2&${query}`, lazy)],
          [`${query} of a node`, new OneCluster([`redis://:secret@127.0.0.1:1?${query}`], lazy)],
        ],
      ),
    )
    expect(refusals(clients)).toEqual(everywhere(clients))
  })

  test('is accepted with other parameters in its URL', () => {
    const clients = {
      single: new OneRedis('redis://:secret@127.0.0.1:1?family=4&ssl=false', lazy),
      cluster: new OneCluster(['redis://127.0.0.1:1?family=4', 'redis://127.0.0.1:2', 7000, '7001'], lazy),
    }
    expect(refusals(clients)).toEqual([])
  })

  test('is accepted with any of these options as soon as TLS is on', () => {
    for (const [name, option] of Object.entries(LONELY)) {
      if (name.startsWith('tls: ')) continue
      const clients = {
        single: new OneRedis({ ...one, ...option, tls: {} }),
        url: new OneRedis('rediss://127.0.0.1:1', { ...lazy, ...option }),
        'by a parameter': new OneRedis('redis://127.0.0.1:1?tls=true', { ...lazy, ...option }),
        sentinels: new OneRedis({
          ...{ ...behindSentinels, ...option },
          ...{ tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true },
        }),
        cluster: new OneCluster([at], { ...lazy, redisOptions: { ...option, tls: {} } }),
      }
      expect(refusals(clients)).toEqual([])
    }
  })
})

describe('a cluster of @redis/client whose options cannot be read', () => {
  /** As a cluster of the versions before 5.1.1: its options are private. */
  const withoutOptions = (cluster: object) =>
    new Proxy(cluster, {
      get: (target, name) => (name === '_options' ? undefined : Reflect.get(target, name)),
      has: (target, name) => name !== '_options' && name in target,
    })

  test('is refused, whether it uses TLS or not', () => {
    for (const tls of [undefined, true] as const) {
      const cluster = createCluster({ rootNodes: [{ socket: at }], defaults: { socket: { tls } as never } })
      expect(() => new RedisCacheBackend({ client: cluster as never })).not.toThrow()
      expect(() => new RedisCacheBackend({ client: withoutOptions(cluster) as never })).toThrow(
        expect.objectContaining({
          code: 'CACHE_INVALID_OPTIONS',
          message: expect.stringMatching(/options cannot be read/),
        }),
      )
    }
  })
})
