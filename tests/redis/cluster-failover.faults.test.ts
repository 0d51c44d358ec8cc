import { describe, expect, test } from 'vitest'
import type { CacheError } from '../../src/foundation/errors/cache-error.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { RecordedWatch } from './recorded-watch.ts'
import { KEYS, readAll, servedAgain, useRoutedCluster } from './routed-cluster.ts'

const routed = useRoutedCluster()

describe('a client follows the slots of a cluster', () => {
  test('when a master hands over to its replica during reads', async () => {
    const watch = new RecordedWatch()
    const port = await routed.openPort(watch)
    await servedAgain(port)
    const master = await routed.cluster.masterOf(await routed.cluster.slotOf('key:0'))
    const replica = await routed.cluster.replicaOf(master)
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
    await routed.cluster.ask(replica, 'CLUSTER', 'FAILOVER')
    await waitUntil(
      async () => (await routed.cluster.masterOf(await routed.cluster.slotOf('key:0'))) === replica,
      {
        what: 'the failover',
      },
    )
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
    await routed.cluster.whole(1)
  })

  test('when a master is killed and its replica takes over', async () => {
    const watch = new RecordedWatch()
    const port = await routed.openPort(watch)
    const unwatched = await routed.openPort()
    await servedAgain(port)
    const master = await routed.cluster.masterOf(await routed.cluster.slotOf('key:0'))
    const replica = await routed.cluster.replicaOf(master)
    await routed.cluster.node(master).kill()
    await servedAgain(port)
    expect(port.connectionOf('key:0')?.endpoint).toBe(`127.0.0.1:${replica}`)
    expect(watch.reroutes).toBeGreaterThan(0)
    await servedAgain(unwatched)
    await routed.cluster.node(master).restart()
    await routed.cluster.whole(1)
    expect(await readAll(port)).not.toContain(null)
  }, 60_000)

  test('when a paused master is replaced by its replica', async () => {
    const port = await routed.openPort(new RecordedWatch())
    await servedAgain(port)
    const master = await routed.cluster.masterOf(await routed.cluster.slotOf('key:0'))
    const node = routed.cluster.node(master)
    node.pause()
    routed.afterTest(() => node.resume())
    await servedAgain(port)
    expect(port.connectionOf('key:0')?.endpoint).not.toBe(`127.0.0.1:${master}`)
    node.resume()
    await routed.cluster.whole(1)
    await servedAgain(port)
  }, 60_000)

  test('without wrong answers or double counts when a slot moves back and forth under load', async () => {
    const port = await routed.openPort(new RecordedWatch())
    const keys = Array.from({ length: 20 }, (_, number) => `{moving}:${number}`)
    const slot = await routed.cluster.slotOf('{moving}')
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
      const from = await routed.cluster.masterOf(slot)
      const to = (await routed.cluster.masters()).find((other) => other !== from) as number
      await routed.cluster.beginMigration(slot, from, to)
      await routed.cluster.moveKeys(slot, from, to, keys.slice(0, 10))
      await routed.cluster.finishMigration(slot, from, to)
    }
    isMoving = false
    await loads
    expect(answers).toBeGreaterThan(100)
    for (const master of await routed.cluster.masters()) await routed.cluster.ask(master, 'FLUSHALL')
  })

  test('when a slot moves to a master that had none', async () => {
    const port = await routed.openPort(new RecordedWatch())
    await servedAgain(port)
    const [from, , to] = (await routed.cluster.masters()) as [number, number, number]
    // From here on the last master has no replica.
    const empty = await routed.cluster.replicaOf(to)
    expect(port.connectionOf('key:0')).toBeDefined()
    // A replica that is reset and met again is a master without slots.
    await routed.cluster.ask(empty, 'CLUSTER', 'RESET', 'HARD')
    await routed.cluster.ask(empty, 'CLUSTER', 'MEET', '127.0.0.1', from)
    await waitUntil(
      async () => {
        const id = String(await routed.cluster.ask(empty, 'CLUSTER', 'MYID'))
        const nodes = await Promise.all(
          routed.cluster.nodes.map((node) => node.ask('CLUSTER', 'NODES').then(String)),
        )
        const info = String(await routed.cluster.ask(empty, 'CLUSTER', 'INFO'))
        return info.includes('cluster_state:ok') && nodes.every((text) => text.includes(id))
      },
      { what: 'every node to know the new one' },
    )
    const [key] = (await routed.cluster.ask(from, 'KEYS', 'key:*')) as string[]
    const moving = key as string
    const slot = await routed.cluster.slotOf(moving)
    await routed.cluster.beginMigration(slot, from, empty)
    await routed.cluster.moveKeys(slot, from, empty, [moving])
    expect(await port.send(moving, ['GET', moving], 'text')).toBe(moving)
    await routed.cluster.finishMigration(slot, from, empty)
    expect(await port.send(moving, ['GET', moving], 'text')).toBe(moving)
    expect(port.connectionOf(moving)?.endpoint).toBe(`127.0.0.1:${empty}`)
    expect(await port.masters()).toHaveLength(4)
    await routed.cluster.beginMigration(slot, empty, from)
    await routed.cluster.finishMigration(slot, empty, from)
    await waitUntil(async () => (await port.masters()).length === 3, {
      what: 'the node without slots to be left',
    })
  }, 60_000)
})
