import { createClient, createCluster } from '@redis/client'
import { createCache } from 'cachewright'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { describe, expect, test } from 'vitest'
import { startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import type { CleartextListener } from './cleartext-listener.ts'
import {
  attempt,
  ca,
  cleartext,
  encrypted,
  first,
  named,
  second,
  urls,
  useListeners,
} from './cleartext-scene.ts'

useListeners()

describe("a caller's client with TLS", () => {
  const at = ({ port }: CleartextListener) => ({ host: '127.0.0.1', port })

  test.each([
    ['ioredis 6', Redis, Cluster],
    ['ioredis 5', Redis5 as unknown as typeof Redis, Cluster5 as unknown as typeof Cluster],
  ] as const)('%s: options that leave a part in cleartext are refused', (_, OneRedis, OneCluster) => {
    const sentinels = [at(first)]
    const common = { lazyConnect: true, name: 'main' }
    const tls = { ca }
    const refused = [
      new OneRedis({ ...common, sentinels, tls }),
      new OneRedis({ ...common, sentinels, sentinelTLS: tls }),
      new OneRedis({ ...common, sentinels, tls, sentinelTLS: tls }),
      new OneRedis({ ...common, sentinels, tls, enableTLSForSentinelMode: true }),
      new OneRedis({ ...common, sentinels, sentinelTLS: tls, enableTLSForSentinelMode: true }),
      new OneRedis({ ...common, sentinels: [{ ...at(first), tls } as never] }),
      new OneRedis({ ...common, sentinels, natMap: { 'a:1': { ...at(first), tls } as never } }),
      new OneCluster([at(first)], { lazyConnect: true, tls } as never),
      new OneCluster([at(first)], { lazyConnect: true, natMap: { 'a:1': { ...at(first), tls } as never } }),
      new OneCluster([`rediss://127.0.0.1:${first.port}`], { lazyConnect: true }),
      new OneCluster([`REDISS://127.0.0.1:${first.port}`], { lazyConnect: true }),
      new OneCluster([`redis://127.0.0.1:${first.port}?tls=true`], { lazyConnect: true }),
      new OneCluster([{ ...at(first), tls: {} } as never], { lazyConnect: true }),
      new OneCluster([at(first), `rediss://127.0.0.1:${second.port}`], { lazyConnect: true }),
      new OneCluster([{ ...at(first), tls: false } as never], { lazyConnect: true, redisOptions: { tls } }),
    ]
    for (const client of refused) {
      for (const Backend of [RedisCacheBackend, IoredisCacheBackend]) {
        expect(() => new Backend({ client })).toThrow(
          expect.objectContaining({
            code: 'CACHE_INVALID_OPTIONS',
            message: expect.stringMatching(/without TLS/),
          }),
        )
      }
    }
    const allowed = [
      new OneRedis({ ...common, sentinels }),
      new OneRedis({ ...common, sentinels, tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
      new OneRedis({ lazyConnect: true, ...at(first), tls }),
      new OneCluster([at(first)], { lazyConnect: true }),
      new OneCluster([`rediss://127.0.0.1:${first.port}`, at(second)], {
        lazyConnect: true,
        redisOptions: { tls },
      }),
    ]
    for (const client of allowed) expect(() => new RedisCacheBackend({ client })).not.toThrow()
  })

  const CLIENTS: Readonly<Record<string, () => Redis | Cluster>> = {
    ioredis: () => new Redis({ ...at(first), tls: { ca }, password: 'secret' }),
    'ioredis by URL': () => new Redis(`rediss://:secret@127.0.0.1:${first.port}`, { tls: { ca } }),
    'a cluster of ioredis': () =>
      new Cluster([at(first)], { redisOptions: { tls: { ca }, password: 'secret' } }),
    'ioredis with sentinels': () =>
      new Redis({
        ...{ name: 'main', sentinels: [at(first)], password: 'secret' },
        ...{ tls: { ca }, sentinelTLS: { ca }, enableTLSForSentinelMode: true },
      }),
  }

  test.each(Object.keys(CLIENTS))('%s: the connections of our own use it too', async (name) => {
    const client = (CLIENTS[name] as () => Redis | Cluster)()
    client.on('error', () => {})
    await attempt({ client })
    client.disconnect()
    expect([first, named].map(encrypted).join()).toMatch(/ secret.*confidential/s)
    expect(cleartext()).toEqual([])
  })

  test('@redis/client: options that leave a part in cleartext are refused', () => {
    const [cleartextUrl = '', tlsUrl = ''] = urls('redis', 'rediss')
    const tls = { tls: true } as const
    const refused = [
      createClient({ url: cleartextUrl, socket: { ca } as never }),
      createCluster({ rootNodes: [{ url: tlsUrl }] }),
      createCluster({ rootNodes: [{ url: tlsUrl.toUpperCase() }] }),
      createCluster({ rootNodes: [{ url: tlsUrl }, { url: cleartextUrl }] }),
      createCluster({ rootNodes: [{ socket: { ...at(first), ...tls } }] }),
      createCluster({ rootNodes: [{ socket: { ...at(first), tls: false } }], defaults: { socket: tls } }),
      createCluster({ rootNodes: [{ url: cleartextUrl }], defaults: { socket: { ca } as never } }),
      ...[{ ca }, 'true', 1].flatMap((other) => [
        createClient({ socket: { ...at(first), tls: other } as never }),
        createClient({ url: cleartextUrl, tls: other } as never),
        createCluster({ rootNodes: [{ socket: at(first) }], defaults: { socket: { tls: other } as never } }),
        createCluster({ rootNodes: [{ socket: at(first) }], defaults: { tls: other } as never }),
        createCluster({ rootNodes: [{ socket: at(first) }], tls: other } as never),
      ]),
      ...[false, undefined].map((other) =>
        createCluster({
          ...{ rootNodes: [{ socket: at(first) }], defaults: { socket: tls } },
          nodeAddressMap: { 'a:1': { ...at(second), tls: other } as never },
        }),
      ),
      createCluster({
        rootNodes: [{ socket: at(first) }],
        nodeAddressMap: { 'a:1': { ...at(second), ...tls } as never },
      }),
    ]
    for (const client of refused) {
      expect(() => new RedisCacheBackend({ client: client as never })).toThrow(
        expect.objectContaining({
          code: 'CACHE_INVALID_OPTIONS',
          message: expect.stringMatching(/without TLS/),
        }),
      )
    }
    const allowed = [
      createClient({ url: cleartextUrl }),
      createClient({ url: tlsUrl, socket: { ca } as never }),
      createClient({ socket: { ...at(first), ...tls, ca } as never }),
      createCluster({ rootNodes: [{ url: cleartextUrl }] }),
      createCluster({ rootNodes: [{ url: tlsUrl }, at(second) as never], defaults: { socket: tls } }),
      createCluster({
        ...{ rootNodes: [{ url: tlsUrl }], defaults: { socket: tls } },
        nodeAddressMap: { 'a:1': at(second) },
      }),
    ]
    for (const client of allowed)
      expect(() => new RedisCacheBackend({ client: client as never })).not.toThrow()
  })

  test('a client and a cluster of @redis/client: the connections of our own use it too', async () => {
    const [url = ''] = urls('rediss', 'rediss')
    const socket = { ca, tls: true } as const
    for (const client of [
      createClient({ url, socket }),
      createCluster({ rootNodes: [{ url }], defaults: { socket, password: 'secret' } }),
    ]) {
      client.on('error', () => {})
      await client.connect()
      await attempt({ client: client as never })
      client.destroy()
      expect([first, named].map(encrypted).join()).toMatch(/ secret.*confidential/s)
    }
    expect(cleartext()).toEqual([])
  })

  test('subscriptions of our own reach a server that only speaks TLS', async () => {
    const server = await startStandalone({ tls: true, password: 'secret' })
    const socket = { ca: server.ca as string, tls: true } as const
    const clients = [new Redis(server.url, { tls: socket }), createClient({ url: server.url, socket })]
    await clients[1]?.connect()
    for (const client of clients) {
      const prefix = `${clients.indexOf(client)}:`
      const cache = createCache({ client, coherence: { mode: 'bus' }, prefix })
      await cache.set('key', 1)
      const channels = async () => String(await server.ask('PUBSUB', 'CHANNELS', `${prefix}*`))
      await waitUntil(async () => (await channels()) !== '', { what: 'a subscription' })
      await cache.shutdown()
      client.disconnect()
    }
    await server.stop()
  })
})
