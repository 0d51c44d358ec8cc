import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'
import { CALLERS_CLIENTS } from './borrowed-places.ts'

/** One more than the listeners that an emitter takes without a warning. */
const CACHES = 11

const scene = useScene({ cluster: { replicasPerMaster: 0 } })
const { cluster, redis } = scene

interface Emitter {
  eventNames(): readonly unknown[]
  listenerCount(name: never): number
}

interface Server {
  ask(...command: string[]): Promise<unknown>
}

function listenersOf(client: object): Record<string, number> {
  const emitter = client as Emitter
  return Object.fromEntries(
    emitter
      .eventNames()
      .map((name) => [String(name), emitter.listenerCount(name as never)] as const)
      .toSorted(([one], [other]) => one.localeCompare(other)),
  )
}

/** Connections that are used for commands, but for those of `ask` itself. */
async function connections(server: Server): Promise<number> {
  return (
    String(await server.ask('CLIENT', 'LIST', 'TYPE', 'normal'))
      .trim()
      .split('\n').length - 1
  )
}

/** Connections of all these servers that are used for subscriptions. */
async function subscribers(servers: readonly Server[]): Promise<number> {
  const lists = await Promise.all(servers.map((server) => server.ask('CLIENT', 'LIST', 'TYPE', 'pubsub')))
  return lists
    .map((list) => String(list).split('\n').filter(Boolean).length)
    .reduce((sum, one) => sum + one, 0)
}

const places = () => cluster.nodes.map(({ host, port }) => ({ host, port }))
const CLIENTS = [
  ...Object.entries(CALLERS_CLIENTS.single).map(
    ([library, open]) => [`a client of ${library}`, () => open(redis.url), () => [redis]] as const,
  ),
  ...Object.entries(CALLERS_CLIENTS.cluster).map(
    ([library, open]) => [`a cluster of ${library}`, () => open(places()), () => cluster.nodes] as const,
  ),
] as const

describe.each(CLIENTS)('eleven caches over %s', (_name, open, serversOf) => {
  test('share listeners and connections, and leave none behind', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    scene.later(() => process.off('warning', onWarning))
    const { client, close } = await open()
    scene.later(close)
    await (client as unknown as { set(key: string, value: string): Promise<unknown> }).set('used', 'yes')
    const servers: readonly Server[] = serversOf()
    const server = servers[0] as Server
    const listenersBefore = listenersOf(client)
    const first = await scene.open({ client, prefix: '0:' })
    await waitUntil(() => first.coherence === 'bus', { what: 'the bus' })
    const withOne = await connections(server)
    const others = await Promise.all(
      Array.from({ length: CACHES - 1 }, (_, index) => scene.open({ client, prefix: `${index + 1}:` })),
    )
    const values = await Promise.all(
      [first, ...others].map((cache, index) => cache.getOrSet('key', async () => index)),
    )
    expect(values).toEqual(Array.from({ length: CACHES }, (_, index) => index))
    await waitUntil(() => others.every((cache) => cache.coherence === 'bus'), { what: 'every bus' })
    expect(await connections(server)).toBe(withOne)
    expect(await subscribers(servers)).toBe(1)
    await Promise.all(others.map((cache) => cache.shutdown()))
    expect(await first.set('key', 'still open')).toBe(true)
    expect(await subscribers(servers)).toBe(1)
    // The connection goes on for the one that is left, and is lost and made again for it.
    const other = await scene.open({ client, prefix: '0:' })
    await waitUntil(() => other.coherence === 'bus', { what: 'the other bus' })
    for (const change of ['heard', 'heard again']) {
      await waitUntil(async () => (await other.get('key')) !== undefined, { what: 'a local copy' })
      expect(await first.set('key', change)).toBe(true)
      await waitUntil(async () => (await other.get('key')) === change, { what: 'the news' })
      if (change === 'heard')
        await Promise.all(servers.map((one) => one.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')))
      await waitUntil(() => first.coherence === 'bus' && other.coherence === 'bus', { what: 'both buses' })
    }
    expect(await subscribers(servers)).toBe(1)
    await other.shutdown()
    await first.shutdown()
    expect(listenersOf(client)).toEqual(listenersBefore)
    await waitUntil(async () => (await connections(server)) <= withOne, { what: 'no connection left' })
    await waitUntil(async () => (await subscribers(servers)) === 0, { what: 'no subscription left' })
    // Warnings are emitted in a later tick.
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings).toEqual([])
  })
})
