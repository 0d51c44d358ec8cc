import { createClient, createCluster } from '@redis/client'
import { createCache } from 'cachewright'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend, type RedisCacheBackendOptions } from 'cachewright/redis'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { type CleartextListener, certificateOfListeners, listenInCleartext } from './cleartext-listener.ts'

/** A seed or sentinel, another one, and the server that they name. */
let first: CleartextListener
let second: CleartextListener
let named: CleartextListener
let ca: string

beforeAll(async () => {
  const certificate = await certificateOfListeners()
  ca = certificate.cert
  const listen = () => listenInCleartext(certificate, answers)
  ;[first, second, named] = await Promise.all([listen(), listen(), listen()])
})
beforeEach(() => {
  for (const { cleartext, encrypted } of [first, second, named]) {
    cleartext.length = 0
    encrypted.length = 0
  }
})
afterAll(() => Promise.all([first, second, named].map((listener) => listener.close())))

/** What a server answers that is a primary, a node of a cluster and a sentinel in one. */
function answers(): Readonly<Record<string, string>> {
  const port = String(named.port)
  return {
    HELLO: '%1\r\n$5\r\nproto\r\n:3\r\n',
    AUTH: '+OK\r\n',
    SELECT: '+OK\r\n',
    CLIENT: '+OK\r\n',
    PING: '+PONG\r\n',
    ROLE: '*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n',
    INFO: `$${'role:master\r\ncluster_enabled:1\r\n'.length}\r\nrole:master\r\ncluster_enabled:1\r\n\r\n`,
    'CLUSTER INFO': '$16\r\ncluster_state:ok\r\n',
    'CLUSTER SLOTS': `*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:${port}\r\n$40\r\n${'a'.repeat(40)}\r\n`,
    'SENTINEL GET-MASTER-ADDR-BY-NAME': `*2\r\n$9\r\n127.0.0.1\r\n$${port.length}\r\n${port}\r\n`,
    'SENTINEL SENTINELS': '*0\r\n',
    'SENTINEL MASTER': '%1\r\n$12\r\nconfig-epoch\r\n$1\r\n1\r\n',
  }
}

const SCHEMES = ['redis', 'rediss'] as const
const SOCKETS: Readonly<Record<string, () => object>> = {
  none: () => ({}),
  'tls: false': () => ({ tls: false }),
  'tls: true': () => ({ tls: true }),
  'tls: true and ca': () => ({ tls: true, ca }),
  'ca alone': () => ({ ca }),
  'servername alone': () => ({ servername: 'localhost' }),
  'rejectUnauthorized alone': () => ({ rejectUnauthorized: false }),
  "tls: 'true'": () => ({ tls: 'true' }),
  'tls: 1': () => ({ tls: 1 }),
  'tls: { ca }': () => ({ tls: { ca } }),
}

/** Two URLs with a password each. */
const urls = (one: string, other: string) => [
  `${one}://user:secret@127.0.0.1:${first.port}`,
  `${other}://user:secret@127.0.0.1:${second.port}`,
]

const MODES: Readonly<Record<string, (nodes: readonly string[]) => RedisCacheBackendOptions>> = {
  url: ([url]) => ({ url: url as string }),
  cluster: (nodes) => ({ cluster: { nodes } }),
  'cluster, seeds in the other order': (nodes) => ({ cluster: { nodes: nodes.toReversed() } }),
  sentinel: (nodes) => ({ sentinel: { name: 'main', nodes } }),
}

const MIXES = Object.keys(MODES).flatMap((mode) =>
  SCHEMES.flatMap((one) =>
    SCHEMES.flatMap((other) => Object.keys(SOCKETS).map((socket) => ({ mode, one, other, socket }))),
  ),
)

/** Lets a backend try to connect and to use what it has connected to. @returns whether it could be made */
async function attempt(options: RedisCacheBackendOptions): Promise<boolean> {
  let backend: RedisCacheBackend
  try {
    backend = new RedisCacheBackend({
      ...options,
      connectTimeout: '300ms',
      commandTimeout: '100ms',
    })
  } catch (error) {
    expect(error).toMatchObject({ code: 'CACHE_INVALID_OPTIONS' })
    expect(String(error)).not.toContain('secret')
    return false
  }
  await backend.initialize().catch(() => {})
  await backend.set('key', 'confidential')
  await backend.shutdown()
  return true
}

const cleartext = () => [first, second, named].flatMap((listener) => listener.cleartext)
const encrypted = (listener: CleartextListener) =>
  listener.encrypted.map((words) => words.join(' ')).join('\n')

describe('no byte leaves in cleartext if TLS is configured anywhere', () => {
  test.each(MIXES)('$mode, $one:// and $other://, socket: $socket', async ({ mode, one, other, socket }) => {
    const options = (MODES[mode] as (typeof MODES)[string])(urls(one, other))
    const socketOptions = (SOCKETS[socket] as () => object)()
    await attempt({ ...options, clientOptions: { socket: socketOptions as never } })
    const isInUrl = one === 'rediss' || (other === 'rediss' && mode !== 'url')
    const isConfigured = isInUrl || !['none', 'tls: false'].includes(socket)
    if (isConfigured) expect(cleartext()).toEqual([])
    else expect(cleartext().join()).toContain('secret')
  })

  test.each([
    ...['allowPartialTrustChain', 'enableTrace', 'honorCipherOrder', 'privateKeyIdentifier', 'requestOCSP'],
    ...['ssl', 'TLS', 'secure', 'tlsOptions'],
  ])('socket.%s without TLS is refused', async (name) => {
    const clientOptions = { socket: { [name]: true } as never }
    for (const optionsOf of Object.values(MODES)) {
      expect(await attempt({ ...optionsOf(urls('redis', 'redis')), clientOptions })).toBe(false)
    }
    expect(cleartext()).toEqual([])
  })

  test('TLS options outside of the socket', async () => {
    for (const clientOptions of [{ tls: true }, { tls: { ca } }]) {
      const isMade = await attempt({
        url: urls('redis', 'redis')[0] as string,
        clientOptions: clientOptions as never,
      })
      expect(isMade).toBe(false)
    }
    expect(cleartext()).toEqual([])
  })
})

describe('with TLS and a private certificate authority', () => {
  const clientOptions = () => ({ username: 'app', password: 'own secret', socket: { ca } as never })

  test('the sentinels and the primary are reached', async () => {
    const nodes = urls('rediss', 'rediss')
    await attempt({ sentinel: { name: 'main', nodes }, clientOptions: clientOptions() })
    for (const sentinel of [first, second]) {
      expect(encrypted(sentinel)).toContain('GET-MASTER-ADDR-BY-NAME')
      expect(encrypted(sentinel)).not.toContain('own secret')
    }
    expect(encrypted(named)).toContain('own secret')
    expect(encrypted(named)).toContain('confidential')
    expect(cleartext()).toEqual([])
  })

  test('TLS in the socket options covers the sentinels too', async () => {
    const nodes = urls('redis', 'redis')
    await attempt({
      sentinel: { name: 'main', nodes },
      clientOptions: { socket: { tls: true, ca } as never },
    })
    expect(encrypted(first)).toContain('GET-MASTER-ADDR-BY-NAME')
    expect(encrypted(named)).toContain('confidential')
    expect(cleartext()).toEqual([])
  })

  test('the nodes that a cluster names are reached', async () => {
    await attempt({
      cluster: { nodes: urls('rediss', 'rediss') },
      clientOptions: { socket: { ca } as never },
    })
    expect(encrypted(named)).toContain('confidential')
    expect(cleartext()).toEqual([])
  })
})

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
