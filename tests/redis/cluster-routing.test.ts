import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { CacheError } from '../../src/foundation/cache-error.ts'
import { NodeRedisCluster } from '../../src/redis/cluster/cluster.ts'
import { DeadlinePort } from '../../src/redis/port/deadline-port.ts'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { RecordedWatch } from './recorded-watch.ts'

const TIMEOUTS = { timeoutMs: 1_000, connectTimeoutMs: 5_000 }
/** Enough to be owned by every master. */
const KEYS = Array.from({ length: 60 }, (_, number) => `key:${number}`)

let cluster: RedisCluster
const closers: (() => unknown)[] = []

beforeAll(async () => {
  cluster = await startCluster({ masters: 3, replicasPerMaster: 1, nodeTimeoutMs: 1_000 })
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})
afterAll(() => cluster.stop())

const urls = () => cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)

async function openPort(watch?: RecordedWatch): Promise<DeadlinePort> {
  const listener = { connected() {}, disconnected() {} }
  const router = new NodeRedisCluster({ nodes: urls() }, {}, TIMEOUTS, listener)
  const port = new DeadlinePort(router, TIMEOUTS.timeoutMs, TIMEOUTS.connectTimeoutMs)
  closers.push(() => port.close())
  if (watch !== undefined) port.watch(watch)
  await port.connect()
  return port
}

/** Resolves when every key can be written and read. */
async function servedAgain(port: DeadlinePort): Promise<void> {
  await waitUntil(
    async () => {
      await Promise.all(KEYS.map((key) => port.send(key, ['SET', key, key], 'text')))
      return (await readAll(port)).every((value, index) => value === KEYS[index])
    },
    { what: 'every key to be served again', timeoutMs: 20_000 },
  )
}

const readAll = (port: DeadlinePort) => Promise.all(KEYS.map((key) => port.send(key, ['GET', key], 'text')))

async function replicaOf(master: number): Promise<number> {
  const id = String(await cluster.ask(master, 'CLUSTER', 'MYID'))
  for (const { port, pid } of cluster.nodes) {
    if (pid === undefined) continue
    const [self] = String(await cluster.ask(port, 'CLUSTER', 'NODES'))
      .split('\n')
      .filter((line) => line.includes('myself'))
    if (self?.split(' ')[3] === id) return port
  }
  throw new Error(`port ${master} has no replica`)
}

describe('a cluster is found', () => {
  test('by any seed, though others are gone or silent', async () => {
    const [known] = (await cluster.masters()) as [number]
    const silent = await startTcpProxy(known)
    closers.push(() => silent.stop())
    silent.goSilent()
    const port = new NodeRedisCluster(
      {
        nodes: ['redis://127.0.0.1:1', silent.url, `redis://127.0.0.1:${known}`],
        nodeAddressMap: () => undefined,
      },
      {},
      { ...TIMEOUTS, connectTimeoutMs: 1_500 },
      { connected() {}, disconnected() {} },
    )
    closers.push(() => port.close())
    await port.connect()
    expect(await port.masters()).toHaveLength(3)
    await waitUntil(() => silent.links === 0, { what: 'the silent seed to be left' })
  })

  test('by a seed that says nothing it is not, and that is told in time', async () => {
    const silent = await startTcpProxy((await cluster.masters())[0] as number)
    closers.push(() => silent.stop())
    silent.goSilent()
    const port = new NodeRedisCluster(
      { nodes: [silent.url] },
      {},
      { ...TIMEOUTS, connectTimeoutMs: 300 },
      {
        connected() {},
        disconnected() {},
      },
    )
    await expect(port.connect()).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE' })
    await waitUntil(() => silent.links === 0, { what: 'the silent seed to be left' })
  })
})

describe('a cluster is followed wherever its slots go', () => {
  test('a master is told to hand over to its replica, while reads go on', async () => {
    const watch = new RecordedWatch()
    const port = await openPort(watch)
    await servedAgain(port)
    const master = await cluster.masterOf(await cluster.slotOf('key:0'))
    const replica = await replicaOf(master)
    const before = port.connectionOf('key:0')
    expect(before?.endpoint).toBe(`127.0.0.1:${master}`)
    let isOver = false
    let rounds = 0
    const reading = (async () => {
      while (!isOver) {
        try {
          expect(await readAll(port)).toEqual(KEYS)
          rounds++
        } catch (error) {
          // A node may say so itself for a moment, until it has heard of the votes.
          if ((error as CacheError).replyCode !== 'CLUSTERDOWN') throw error
        }
      }
    })()
    reading.catch(() => {})
    await cluster.ask(replica, 'CLUSTER', 'FAILOVER')
    await waitUntil(async () => (await cluster.masterOf(await cluster.slotOf('key:0'))) === replica, {
      what: 'the failover',
    })
    isOver = true
    await reading
    expect(rounds).toBeGreaterThan(0)
    await servedAgain(port)
    expect(watch.reroutes).toBeGreaterThan(0)
    await waitUntil(() => port.connectionOf('key:0')?.endpoint === `127.0.0.1:${replica}`, {
      what: 'the connection to the new master',
    })
    await waitUntil(() => watch.open.size === 3, { what: 'the old master to be left' })
    expect([...watch.open].map(({ endpoint }) => endpoint)).not.toContain(`127.0.0.1:${master}`)
    await cluster.whole(1)
  })

  test('a master is killed and its replica takes over', async () => {
    const watch = new RecordedWatch()
    const port = await openPort(watch)
    const unwatched = await openPort()
    await servedAgain(port)
    const master = await cluster.masterOf(await cluster.slotOf('key:0'))
    const replica = await replicaOf(master)
    await cluster.node(master).kill()
    await servedAgain(port)
    expect(port.connectionOf('key:0')?.endpoint).toBe(`127.0.0.1:${replica}`)
    expect(watch.reroutes).toBeGreaterThan(0)
    await servedAgain(unwatched)
    await cluster.node(master).restart()
    await cluster.whole(1)
    expect(await readAll(port)).not.toContain(null)
  }, 60_000)

  test('a paused master is left for its replica', async () => {
    const port = await openPort(new RecordedWatch())
    await servedAgain(port)
    const master = await cluster.masterOf(await cluster.slotOf('key:0'))
    const node = cluster.node(master)
    node.pause()
    closers.push(() => node.resume())
    await servedAgain(port)
    expect(port.connectionOf('key:0')?.endpoint).not.toBe(`127.0.0.1:${master}`)
    node.resume()
    await cluster.whole(1)
    await servedAgain(port)
  }, 60_000)

  test('a slot is moved back and forth under load: no wrong answer, and no counter counts twice', async () => {
    const port = await openPort(new RecordedWatch())
    const keys = Array.from({ length: 20 }, (_, number) => `{moving}:${number}`)
    const slot = await cluster.slotOf('{moving}')
    const counts = new Map(keys.map((key) => [key, 0]))
    let isMoving = true
    let answers = 0
    const load = async (key: string) => {
      while (isMoving) {
        const next = (counts.get(key) as number) + 1
        expect(await port.send(key, ['INCR', key], 'text')).toBe(next)
        counts.set(key, next)
        expect(await port.send(key, ['GET', key], 'text')).toBe(String(next))
        answers++
      }
    }
    const loads = Promise.all(keys.map(load))
    loads.catch(() => {})
    for (let round = 0; round < 4; round++) {
      const from = await cluster.masterOf(slot)
      const to = (await cluster.masters()).find((other) => other !== from) as number
      await cluster.beginMigration(slot, from, to)
      await cluster.moveKeys(slot, from, to, keys.slice(0, 10))
      await cluster.finishMigration(slot, from, to)
    }
    isMoving = false
    await loads
    expect(answers).toBeGreaterThan(100)
    for (const master of await cluster.masters()) await cluster.ask(master, 'FLUSHALL')
  })

  test('a slot moves to a master that had none', async () => {
    const port = await openPort(new RecordedWatch())
    await servedAgain(port)
    const [from, , to] = (await cluster.masters()) as [number, number, number]
    // From here on the last master has no replica.
    const empty = await replicaOf(to)
    expect(port.connectionOf('key:0')).toBeDefined()
    // A replica that is reset and met again is a master without slots.
    await cluster.ask(empty, 'CLUSTER', 'RESET', 'HARD')
    await cluster.ask(empty, 'CLUSTER', 'MEET', '127.0.0.1', from)
    await waitUntil(
      async () => {
        const id = String(await cluster.ask(empty, 'CLUSTER', 'MYID'))
        const nodes = await Promise.all(
          cluster.nodes.map((node) => node.ask('CLUSTER', 'NODES').then(String)),
        )
        const info = String(await cluster.ask(empty, 'CLUSTER', 'INFO'))
        return info.includes('cluster_state:ok') && nodes.every((text) => text.includes(id))
      },
      { what: 'every node to know the new one' },
    )
    const [key] = (await cluster.ask(from, 'KEYS', 'key:*')) as string[]
    const moving = key as string
    const slot = await cluster.slotOf(moving)
    await cluster.beginMigration(slot, from, empty)
    await cluster.moveKeys(slot, from, empty, [moving])
    expect(await port.send(moving, ['GET', moving], 'text')).toBe(moving)
    await cluster.finishMigration(slot, from, empty)
    expect(await port.send(moving, ['GET', moving], 'text')).toBe(moving)
    expect(port.connectionOf(moving)?.endpoint).toBe(`127.0.0.1:${empty}`)
    expect(await port.masters()).toHaveLength(4)
    await cluster.beginMigration(slot, empty, from)
    await cluster.finishMigration(slot, empty, from)
    await waitUntil(async () => (await port.masters()).length === 3, {
      what: 'the node without slots to be left',
    })
  }, 60_000)
})

describe('whoever keeps copies hears of every change on every master', () => {
  test('a slot that moves is told of though no command touches it', async () => {
    const watch = new RecordedWatch()
    const port = await openPort(watch)
    const slot = await cluster.slotOf('untouched')
    const from = await cluster.masterOf(slot)
    const to = (await cluster.masters()).find((other) => other !== from) as number
    expect(port.connectionOf('untouched')?.endpoint).toBe(`127.0.0.1:${from}`)
    await cluster.beginMigration(slot, from, to)
    await cluster.finishMigration(slot, from, to)
    await waitUntil(() => watch.reroutes > 0, { what: 'the watch to be told' })
    expect(port.connectionOf('untouched')?.endpoint).toBe(`127.0.0.1:${to}`)
    expect(watch.closures).toBe(0)
  })

  test('a key that was read on any master is told of when it changes', async () => {
    const watch = new RecordedWatch()
    const port = await openPort(watch)
    await servedAgain(port)
    watch.invalidatedKeys.length = 0
    expect(watch.open.size).toBe(3)
    for (const connection of watch.open) {
      expect(connection).toMatchObject({ isTracked: true, version: expect.stringMatching(/^\d+\./) })
      expect(connection.runId).toBeDefined()
      expect(await connection.send(['PING'], 'text')).toBe('PONG')
    }
    await readAll(port)
    for (const key of KEYS) {
      await cluster.ask(await cluster.masterOf(await cluster.slotOf(key)), 'SET', key, 'changed')
    }
    await waitUntil(() => KEYS.every((key) => watch.invalidatedKeys.includes(key)), {
      what: 'every change to be told',
    })
  })

  test('who begins to watch a running cluster is told of every connection, and all are tracked', async () => {
    const watch = new RecordedWatch()
    const port = await openPort()
    await servedAgain(port)
    port.watch(watch)
    await waitUntil(() => watch.open.size === 3, { what: 'three connections' })
    expect([...watch.open].every(({ isTracked }) => isTracked)).toBe(true)
    await servedAgain(port)
  })

  test('a connection that is killed is another one afterwards, and the server has forgotten the first', async () => {
    const watch = new RecordedWatch()
    const port = await openPort(watch)
    const before = port.connectionOf('key:0')
    const master = await cluster.masterOf(await cluster.slotOf('key:0'))
    await cluster.ask(master, 'CLIENT', 'KILL', 'TYPE', 'normal')
    await waitUntil(() => port.connectionOf('key:0') !== undefined && port.connectionOf('key:0') !== before, {
      what: 'another connection',
    })
    expect(watch.open.has(before as never)).toBe(false)
    expect(await before?.send(['PING'], 'text').catch((error: unknown) => error)).toMatchObject({
      code: 'CACHE_UNAVAILABLE',
    })
  })

  test('a message that is published at any node arrives', async () => {
    const port = await openPort()
    const heard: string[] = []
    const subscription = await port.subscribe('channel', {
      message: (text) => heard.push(text),
      lost: () => heard.push('lost'),
    })
    for (const node of cluster.nodes) await node.ask('PUBLISH', 'channel', String(node.port))
    await waitUntil(() => heard.length === cluster.nodes.length, { what: 'every message' })
    await subscription.close()
    expect(heard).not.toContain('lost')
  })

  test('closing leaves no connection behind', async () => {
    const watch = new RecordedWatch()
    const port = await openPort(watch)
    await port.close()
    expect(watch.open.size).toBe(0)
    expect(port.connectionOf('key:0')).toBeUndefined()
    await expect(port.send('key:0', ['GET', 'key:0'], 'text')).rejects.toMatchObject({
      code: 'CACHE_UNAVAILABLE',
    })
    for (const node of cluster.nodes) {
      await waitUntil(
        async () => {
          const clients = String(await node.ask('CLIENT', 'LIST', 'TYPE', 'normal'))
          // Between nodes, MIGRATE keeps connections for a while.
          return (
            clients.split('\n').filter((line) => line !== '' && !line.includes('cmd=restore')).length === 1
          )
        },
        { what: 'no client but the one that asks' },
      )
    }
    await port.connect()
    expect(watch.open.size).toBe(3)
  })
})
