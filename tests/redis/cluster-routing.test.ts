import { describe, expect, test } from 'vitest'
import { NodeRedisCluster } from '../../src/redis/cluster/cluster.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { RecordedWatch } from './recorded-watch.ts'
import { KEYS, readAll, servedAgain, TIMEOUTS, useRoutedCluster } from './routed-cluster.ts'

const routed = useRoutedCluster()

describe('connecting to a cluster', () => {
  test('succeeds through any seed, even if others are gone or silent', async () => {
    const [known] = (await routed.cluster.masters()) as [number]
    const silent = await startTcpProxy(known)
    routed.afterTest(() => silent.stop())
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
    routed.afterTest(() => port.close())
    await port.connect()
    expect(await port.masters()).toHaveLength(3)
    await waitUntil(() => silent.links === 0, { what: 'the silent seed to be left' })
  })

  test('rejects in time if the only seed is silent', async () => {
    const silent = await startTcpProxy((await routed.cluster.masters())[0] as number)
    routed.afterTest(() => silent.stop())
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

describe('a watch of a cluster', () => {
  test('reports a slot that moves, even if no command touches it', async () => {
    const watch = new RecordedWatch()
    const port = await routed.openPort(watch)
    const slot = await routed.cluster.slotOf('untouched')
    const from = await routed.cluster.masterOf(slot)
    const to = (await routed.cluster.masters()).find((other) => other !== from) as number
    expect(port.connectionOf('untouched')?.endpoint).toBe(`127.0.0.1:${from}`)
    await routed.cluster.beginMigration(slot, from, to)
    await routed.cluster.finishMigration(slot, from, to)
    await waitUntil(() => watch.reroutes > 0, { what: 'the watch to be told' })
    expect(port.connectionOf('untouched')?.endpoint).toBe(`127.0.0.1:${to}`)
    expect(watch.closures).toBe(0)
  })

  test('reports a change of a key that was read on any master', async () => {
    const watch = new RecordedWatch()
    const port = await routed.openPort(watch)
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
      await routed.cluster.ask(
        await routed.cluster.masterOf(await routed.cluster.slotOf(key)),
        'SET',
        key,
        'changed',
      )
    }
    await waitUntil(() => KEYS.every((key) => watch.invalidatedKeys.includes(key)), {
      what: 'every change to be told',
    })
  })

  test('reports every connection of a running cluster, each of them tracked', async () => {
    const watch = new RecordedWatch()
    const port = await routed.openPort()
    await servedAgain(port)
    port.watch(watch)
    await waitUntil(() => watch.open.size === 3, { what: 'three connections' })
    expect([...watch.open].every(({ isTracked }) => isTracked)).toBe(true)
    await servedAgain(port)
  })

  test('reports a killed connection as closed, and a new one replaces it', async () => {
    const watch = new RecordedWatch()
    const port = await routed.openPort(watch)
    const before = port.connectionOf('key:0')
    const master = await routed.cluster.masterOf(await routed.cluster.slotOf('key:0'))
    await routed.cluster.ask(master, 'CLIENT', 'KILL', 'TYPE', 'normal')
    await waitUntil(() => port.connectionOf('key:0') !== undefined && port.connectionOf('key:0') !== before, {
      what: 'another connection',
    })
    expect(watch.open.has(before as never)).toBe(false)
    expect(await before?.send(['PING'], 'text').catch((error: unknown) => error)).toMatchObject({
      code: 'CACHE_UNAVAILABLE',
    })
  })

  test('gets a message published at any node', async () => {
    const port = await routed.openPort()
    const heard: string[] = []
    const subscription = await port.subscribe('channel', {
      message: (text) => heard.push(text),
      lost: () => heard.push('lost'),
    })
    for (const node of routed.cluster.nodes) await node.ask('PUBLISH', 'channel', String(node.port))
    await waitUntil(() => heard.length === routed.cluster.nodes.length, { what: 'every message' })
    await subscription.close()
    expect(heard).not.toContain('lost')
  })

  test('leaves no connection after close()', async () => {
    const watch = new RecordedWatch()
    const port = await routed.openPort(watch)
    await port.close()
    expect(watch.open.size).toBe(0)
    expect(port.connectionOf('key:0')).toBeUndefined()
    await expect(port.send('key:0', ['GET', 'key:0'], 'text')).rejects.toMatchObject({
      code: 'CACHE_UNAVAILABLE',
    })
    for (const node of routed.cluster.nodes) {
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
