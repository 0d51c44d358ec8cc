import { RedisCacheBackend } from 'cachewright/redis'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { expectEveryOperationToSettle } from '../support/every-operation.ts'
import { useScene } from '../support/scene.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'

const TIMEOUT = '100ms'
const SETTLED_WITHIN_MS = 3_000
/** Far below the quarter of an hour after which TCP itself gives up. */
const RECOVERED_WITHIN_MS = 8_000

const scene = useScene({ cluster: { replicasPerMaster: 0 }, flush: false })
const { cluster } = scene

async function opened(backend: RedisCacheBackend): Promise<RedisCacheBackend> {
  scene.later(() => backend.shutdown())
  await backend.initialize()
  return backend
}

describe('P37 every call settles by its deadline on a half-open connection, and a silent connection is dropped', () => {
  test('a single server', async () => {
    const proxy = await scene.proxy()
    const backend = await opened(new RedisCacheBackend({ url: proxy.url, commandTimeout: TIMEOUT }))
    const lost: string[] = []
    backend.on('disconnect', ({ reason }) => lost.push(reason))
    await backend.set('value', 'before')
    proxy.goSilent()
    await expectEveryOperationToSettle(backend, SETTLED_WITHIN_MS)
    proxy.healForNewConnections()
    await waitUntil(async () => (await backend.get('value')) === 'before', {
      what: 'a hit over a new connection',
      timeoutMs: RECOVERED_WITHIN_MS,
    })
    expect(lost).toHaveLength(1)
  })

  test('a single server to which only whole-prefix removals are sent', async () => {
    const proxy = await scene.proxy()
    const backend = await opened(new RedisCacheBackend({ url: proxy.url, commandTimeout: TIMEOUT }))
    proxy.goSilent()
    expect(await backend.clear()).toBe(false)
    proxy.healForNewConnections()
    await waitUntil(() => backend.clear(), {
      what: 'a removal over a new connection',
      timeoutMs: RECOVERED_WITHIN_MS,
    })
  })

  test('one node of a cluster, while the others answer', async () => {
    const proxies = new Map<number, TcpProxy>()
    for (const { port } of cluster.nodes) proxies.set(port, await scene.proxy({ port }))
    const backend = await opened(
      new RedisCacheBackend({
        cluster: {
          nodes: [...proxies.values()].map(({ url }) => url),
          nodeAddressMap: Object.fromEntries(
            [...proxies].map(([port, proxy]) => [
              `127.0.0.1:${port}`,
              { host: '127.0.0.1', port: proxy.port },
            ]),
          ),
        },
        prefix: '',
        commandTimeout: TIMEOUT,
      }),
    )
    const keys = Array.from({ length: 30 }, (_, number) => `key:${number}`)
    await backend.setMany(keys.map((key) => [key, key] as const))
    const silent = proxies.get(await cluster.masterOf(await cluster.slotOf('key:0'))) as TcpProxy
    silent.goSilent()
    const answers = await Promise.all(keys.map((key) => backend.get(key)))
    expect(answers[0]).toBeUndefined()
    expect(answers.filter((answer) => answer !== undefined).length).toBeGreaterThan(0)
    silent.healForNewConnections()
    await waitUntil(
      async () => (await Promise.all(keys.map((key) => backend.get(key)))).every((hit) => hit !== undefined),
      { what: 'a hit from the node that was silent', timeoutMs: RECOVERED_WITHIN_MS },
    )
  })

  test('initialize() rejects on a server that accepts and never replies, and may be retried', async () => {
    const proxy = await scene.proxy()
    proxy.goSilent()
    const backend = new RedisCacheBackend({
      url: proxy.url,
      connectTimeout: '300ms',
      commandTimeout: TIMEOUT,
    })
    scene.later(() => backend.shutdown())
    const startMs = performance.now()
    await expect(backend.initialize()).rejects.toMatchObject({
      name: 'CacheError',
      code: expect.stringMatching(/^CACHE_(TIMEOUT|UNAVAILABLE)$/),
    })
    expect(performance.now() - startMs).toBeLessThan(SETTLED_WITHIN_MS)
    proxy.healForNewConnections()
    await backend.initialize()
    expect(await backend.set('value', 'stored')).toBe(true)
    await waitUntil(() => proxy.links <= 2, { what: 'the first attempt to be closed' })
  })
})
