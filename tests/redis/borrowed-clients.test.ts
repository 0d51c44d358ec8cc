import { createClient, createCluster } from '@redis/client'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { IoredisPort } from '../../src/redis/ioredis/port.ts'
import { BorrowedNodeRedisClient } from '../../src/redis/node-redis/borrowed-client.ts'
import { DeadlinePort } from '../../src/redis/port/deadline-port.ts'
import type { RedisPort } from '../../src/redis/port/redis-port.ts'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import type { RedisProcess } from '../../testbed/redis-process.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { RecordedWatch } from './recorded-watch.ts'

const KEY = 'key'
const TIMEOUTS = { commandTimeoutMs: 1_000, connectTimeoutMs: 5_000 }

let standalone: Standalone
let cluster: RedisCluster
const closers: (() => unknown)[] = []

beforeAll(async () => {
  ;[standalone, cluster] = await Promise.all([startStandalone(), startCluster({ replicasPerMaster: 0 })])
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})
afterAll(() => Promise.all([standalone.stop(), cluster.stop()]))

/** A client of the caller's, connected. */
interface Borrowed {
  readonly port: RedisPort
  readonly listenerCount: () => number
  /** Asks the caller's own client something. */
  readonly use: () => Promise<unknown>
}

const places = () => cluster.nodes.map(({ host, port }) => ({ host, port }))

async function overIoredis(client: Redis | Redis5 | Cluster | Cluster5): Promise<Borrowed> {
  ;(client as Redis).on('error', () => {})
  closers.push(() => client.disconnect())
  await waitUntil(() => client.status === 'ready', { what: 'ioredis to be ready' })
  const followed = () => ('nodes' in client ? [client, ...client.nodes('master')] : [client])
  return {
    port: new IoredisPort(client, TIMEOUTS),
    listenerCount: () => count(followed()),
    use: () => client.set(KEY, 'used'),
  }
}

const count = (emitters: readonly { eventNames(): unknown[]; listenerCount(name: never): number }[]) =>
  emitters
    .flatMap((emitter) => emitter.eventNames().map((name) => emitter.listenerCount(name as never)))
    .reduce((sum, listeners) => sum + listeners, 0)

const CLIENTS: readonly (readonly [name: string, isCluster: boolean, open: () => Promise<Borrowed>])[] = [
  [
    'a client of @redis/client',
    false,
    async () => {
      const client = createClient({ url: standalone.url })
      client.on('error', () => {})
      await client.connect()
      closers.push(() => client.destroy())
      return {
        port: new BorrowedNodeRedisClient(client),
        listenerCount: () => count([client]),
        use: () => client.set(KEY, 'used'),
      }
    },
  ],
  [
    'a cluster of @redis/client',
    true,
    async () => {
      const client = createCluster({ rootNodes: places().map((socket) => ({ socket })) })
      client.on('error', () => {})
      await client.connect()
      closers.push(() => client.destroy())
      return {
        port: new BorrowedNodeRedisClient(client),
        listenerCount: () => count([client]),
        use: () => client.set(KEY, 'used'),
      }
    },
  ],
  ['ioredis 6', false, () => overIoredis(new Redis(standalone.url))],
  ['ioredis 5', false, () => overIoredis(new Redis5(standalone.url))],
  ['a cluster of ioredis 6', true, () => overIoredis(new Cluster(places()))],
  ['a cluster of ioredis 5', true, () => overIoredis(new Cluster5(places()))],
]

describe.each(CLIENTS)('over %s', (_name, isCluster, open) => {
  const servers = (): readonly Pick<RedisProcess, 'ask'>[] => (isCluster ? cluster.nodes : [standalone])

  async function clients(type: 'normal' | 'pubsub'): Promise<number> {
    const lists = await Promise.all(servers().map((server) => server.ask('CLIENT', 'LIST', 'TYPE', type)))
    return lists.join('').split('\n').filter(Boolean).length
  }

  async function opened(watch?: RecordedWatch): Promise<Borrowed & { readonly port: DeadlinePort }> {
    const borrowed = await open()
    await borrowed.use()
    const port = new DeadlinePort(borrowed.port, 1_000, 5_000)
    closers.push(() => port.close())
    if (watch !== undefined) port.watch(watch)
    await port.connect()
    // ioredis connects to each node of a cluster with its first command.
    for (const master of await port.masters()) await master.send(['PING'], 'text')
    await waitUntil(() => port.connectionOf(KEY) !== undefined, { what: 'a connection' })
    return { ...borrowed, port }
  }

  test('messages arrive until close(), which leaves no subscriber', async () => {
    const { port, use } = await opened()
    const heard: string[] = []
    const subscription = await port.subscribe('channel', {
      message: (text) => heard.push(text),
      lost: (reason) => heard.push(`lost: ${reason}`),
    })
    for (const server of servers()) await server.ask('PUBLISH', 'channel', 'ü')
    await waitUntil(() => heard.length === servers().length, { what: 'the messages' })
    expect(new Set(heard)).toEqual(new Set(['ü']))
    await subscription.close()
    await waitUntil(async () => (await clients('pubsub')) === 0, { what: 'the subscriber to be gone' })
    for (const server of servers()) await server.ask('PUBLISH', 'channel', 'late')
    expect(await use()).toBe('OK')
    expect(heard).toHaveLength(servers().length)
  })

  test('a killed subscriber reports its loss once, and does not reconnect', async () => {
    const { port, use } = await opened()
    const heard: string[] = []
    // Its own channel: between the nodes of a cluster, the last message of another test may still be on its way.
    await port.subscribe('channel of the killed', {
      message: (text) => heard.push(text),
      lost: () => heard.push('lost'),
    })
    for (const server of servers()) await server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await waitUntil(() => heard.length > 0, { what: 'the loss' })
    for (const server of servers()) await server.ask('PUBLISH', 'channel of the killed', 'late')
    expect(await use()).toBe('OK')
    // A server closes a killed connection some time after its reply to CLIENT KILL.
    await waitUntil(async () => (await clients('pubsub')) === 0, { what: 'the subscriber to be gone' })
    expect(heard).toEqual(['lost'])
  })

  test("the connection is replaced after the caller's was killed", async () => {
    const watch = new RecordedWatch()
    const { port, use } = await opened(watch)
    const before = port.connectionOf(KEY)
    expect(before).toMatchObject({ isTracked: false, version: '', runId: undefined })
    expect(await before?.send(['GET', KEY], 'text')).toBe('used')
    expect(watch.open.has(before as never)).toBe(true)
    expect(watch.open.size).toBe(servers().length)
    for (const server of servers()) await server.ask('CLIENT', 'KILL', 'TYPE', 'normal')
    await waitUntil(async () => (await use()) === 'OK', { what: 'the client to reconnect' })
    await waitUntil(() => port.connectionOf(KEY) !== undefined && port.connectionOf(KEY) !== before, {
      what: 'another connection',
    })
    expect(watch.open.has(before as never)).toBe(false)
    expect(watch.open.has(port.connectionOf(KEY) as never)).toBe(true)
    expect(await port.connectionOf(KEY)?.send(['GET', KEY], 'text')).toBe('used')
    await expect(before?.send(['GET', KEY], 'text')).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE' })
  })

  test("close() leaves the caller's client unchanged, and connect() may follow", async () => {
    const watch = new RecordedWatch()
    const { listenerCount, port, use } = await opened(watch)
    const openListeners = listenerCount()
    await port.send(KEY, ['EVAL', 'return 1', '1', KEY], 'text')
    const subscription = await port.subscribe('channel', { message() {}, lost() {} })
    await subscription.close()
    await port.close()
    expect(listenerCount()).toBeLessThan(openListeners)
    expect(watch.open.size).toBe(0)
    expect(port.connectionOf(KEY)).toBeUndefined()
    await port.connect()
    expect(listenerCount()).toBe(openListeners)
    expect(port.connectionOf(KEY)).toBeDefined()
    await port.close()
    expect(await use()).toBe('OK')
    for (const close of closers.splice(0).reverse()) await close()
    // Those who ask are clients, too.
    await waitUntil(async () => (await clients('normal')) === servers().length, { what: 'no client left' })
    expect(await clients('pubsub')).toBe(0)
  })
})

describe('over ioredis, commands have a connection of their own', () => {
  test("it is replaced when it is lost, and the caller's stays", async () => {
    const client = new Redis(standalone.url, { connectionName: 'callers' })
    closers.push(() => client.disconnect())
    await client.ping()
    const ownId = await client.client('ID')
    const watch = new RecordedWatch()
    const port = new IoredisPort(client, TIMEOUTS)
    closers.push(() => port.close())
    port.watch(watch)
    await port.connect()
    await port.send(KEY, ['EVAL', 'return 1', '1', KEY], 'text')
    const before = port.connectionOf(KEY)
    const ids = String(await client.client('LIST')).matchAll(/^id=(\d+).* cmd=eval/gm)
    for (const [, id] of ids) await client.client('KILL', 'ID', Number(id))
    await waitUntil(() => port.connectionOf(KEY) !== before, { what: 'the loss' })
    await waitUntil(() => port.connectionOf(KEY) !== undefined, { what: 'another connection' })
    expect(watch).toMatchObject({ closures: 1, open: new Set([port.connectionOf(KEY)]) })
    expect(await client.client('ID')).toBe(ownId)
  })

  test('it ends with the client that the caller closes, and works again when that is connected again', async () => {
    const client = new Redis(standalone.url)
    closers.push(() => client.disconnect())
    const port = new IoredisPort(client, TIMEOUTS)
    closers.push(() => port.close())
    await port.connect()
    await port.send(KEY, ['SET', KEY, 'kept'], 'text')
    await client.quit()
    await waitUntil(() => port.connectionOf(KEY) === undefined, { what: 'the end' })
    await expect(port.send(KEY, ['GET', KEY], 'text')).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE' })
    await client.connect()
    await waitUntil(() => port.connectionOf(KEY) !== undefined, { what: 'another connection' })
    expect(await port.send(KEY, ['GET', KEY], 'text')).toBe('kept')
  })
})

describe('an ioredis cluster whose slots move', () => {
  test('reports the move even if no command meets it, and connects to the new owner', async () => {
    const client = new Cluster(places(), { slotsRefreshInterval: 500 })
    closers.push(() => client.disconnect())
    const watch = new RecordedWatch()
    const port = new IoredisPort(client, TIMEOUTS)
    closers.push(() => port.close())
    await client.set(KEY, 'here')
    port.watch(watch)
    await port.connect()
    await Promise.all((await port.masters()).map((master) => master.send(['PING'], 'text')))
    const slot = await cluster.slotOf(KEY)
    const move = async () => {
      const from = await cluster.masterOf(slot)
      const to = (await cluster.masters()).find((other) => other !== from) as number
      await cluster.beginMigration(slot, from, to)
      await cluster.finishMigration(slot, from, to)
      return to
    }
    const first = await move()
    expect(await port.send(KEY, ['GET', KEY], 'text')).toBe('here')
    expect(watch.reroutes).toBeGreaterThan(0)
    expect(port.connectionOf(KEY)?.endpoint).toBe(`127.0.0.1:${first}`)
    await port.close()
    await port.connect()
    watch.reroutes = 0
    const second = await move()
    await waitUntil(() => watch.reroutes > 0, { what: 'the watch to be told' })
    expect(port.connectionOf(KEY)?.endpoint).toBe(`127.0.0.1:${second}`)
  })
})
