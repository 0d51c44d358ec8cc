import { RedisCacheBackend } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'

const TIMEOUT_MS = 2_000
/** Longer than a merely slow event loop stands still. */
const FROZEN_MS = 8_000

const scene = useScene()

/** Keeps the process from doing anything, as SIGSTOP or a suspended machine does. */
function freeze(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FROZEN_MS)
}

describe.each(['@redis/client', 'ioredis'] as const)('a process that was frozen, over %s', (library) => {
  async function opened(url: string): Promise<RedisCacheBackend> {
    const client = library === 'ioredis' ? new Redis(url) : undefined
    client?.on('error', () => {})
    scene.later(() => client?.disconnect())
    const options = { commandTimeout: `${TIMEOUT_MS}ms`, errors: 'throw' } as const
    const backend = new RedisCacheBackend({ ...options, ...(client ? { client } : { url }) })
    scene.later(() => backend.shutdown())
    await backend.initialize()
    await backend.set('value', 'there')
    return backend
  }

  test('soon has another connection, if its own was dropped without a word', async () => {
    const proxy = await scene.proxy()
    const backend = await opened(proxy.url)
    proxy.goSilent()
    proxy.healForNewConnections()
    freeze()
    const resumedMs = performance.now()
    await waitUntil(
      () =>
        backend.get('value').then(
          (value) => value === 'there',
          () => false,
        ),
      {
        what: 'a hit over another connection',
      },
    )
    // A probe that waits for a command to time out, and then for five deadlines, would take twice as long.
    expect(performance.now() - resumedMs).toBeLessThan(3 * TIMEOUT_MS)
  })

  test('keeps a connection that is healthy', async () => {
    const proxy = await scene.proxy()
    const backend = await opened(proxy.url)
    const { links } = proxy
    const [client] = String(await scene.redis.ask('CLIENT', 'LIST')).match(/id=\d+ .*cmd=set/) ?? []
    freeze()
    for (let read = 0; read < 20; read++) expect(await backend.get('value')).toBe('there')
    await new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS))
    expect(proxy.links).toBe(links)
    expect(String(await scene.redis.ask('CLIENT', 'LIST'))).toContain(`${client?.split(' ')[0]} `)
    expect(await backend.get('value')).toBe('there')
  })
})
