import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

const TIMEOUT_MS = 100

let redis: Standalone
let tls: Standalone
const closers: (() => unknown)[] = []
beforeAll(async () => {
  ;[redis, tls] = await Promise.all([startStandalone(), startStandalone({ tls: true })])
})
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
afterAll(() => Promise.all([redis.stop(), tls.stop()]))

/** Keeps the process from doing anything else. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

async function opened<B extends IoredisCacheBackend | RedisCacheBackend>(backend: B): Promise<B> {
  closers.push(() => backend.shutdown())
  await backend.initialize()
  // The deadline is so short that a busy machine may miss it, which is not what these tests are about.
  await waitUntil(() => backend.set('value', 'there'), { what: 'a value' })
  await waitUntil(async () => (await backend.incr('count', 0)) >= 0, { what: 'a counter' })
  return backend
}

/** Resolves once what was sent in this tick has been written, and before its reply can have been read. */
async function written(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

const options = { commandTimeout: `${TIMEOUT_MS}ms`, errors: 'throw' } as const

function ioredisBackend(): IoredisCacheBackend {
  const client = new Redis(redis.url)
  closers.push(() => client.disconnect())
  return new IoredisCacheBackend({ ...options, client })
}

describe('P37 every call settles by its deadline, and a stalled event loop reads waiting replies before timing out', () => {
  for (const [name, createBackend] of [
    ['@redis/client', () => new RedisCacheBackend({ ...options, url: redis.url })],
    [
      'TLS',
      () =>
        new RedisCacheBackend({
          ...options,
          url: tls.url,
          clientOptions: { socket: { ca: tls.ca } as never },
        }),
    ],
    ['ioredis', ioredisBackend],
  ] as const) {
    test(`replies that wait in the socket are read, with ${name}`, async () => {
      const backend = await opened(createBackend())
      const before = await backend.incr('count', 0)
      for (let round = 0; round < 5; round++) {
        const calls = Promise.all([backend.get('value'), backend.set('other', round), backend.incr('count')])
        await written()
        stall(3 * TIMEOUT_MS)
        expect(await calls).toEqual(['there', true, before + round + 1])
      }
    })

    test(`a command written after the stall gets its full timeout, with ${name}`, async () => {
      const backend = await opened(createBackend())
      const calls = Promise.all([backend.get('value'), backend.set('other', 1), backend.exists('value')])
      stall(3 * TIMEOUT_MS)
      expect(await calls).toEqual(['there', true, true])
    })
  }

  test('a reply of many megabytes that waits in the socket is read', async () => {
    // Time enough to read it on a busy machine, once the loop goes on.
    const timeoutMs = 10 * TIMEOUT_MS
    const backend = await opened(
      new RedisCacheBackend({ ...options, commandTimeout: timeoutMs / 1_000, url: redis.url }),
    )
    const large = 'x'.repeat(8 << 20)
    await backend.set('large', large)
    const read = backend.get('large')
    await written()
    stall(2 * timeoutMs)
    expect(await read).toHaveLength(large.length)
  })

  test('a reply that never comes still times out after a stall', async () => {
    const proxy = await startTcpProxy(redis.port)
    closers.push(() => proxy.stop())
    const backend = await opened(new RedisCacheBackend({ ...options, url: proxy.url }))
    proxy.goSilent()
    const read = backend.get('value')
    await written()
    stall(3 * TIMEOUT_MS)
    await expect(read).rejects.toMatchObject({ code: 'CACHE_TIMEOUT' })
  })

  test('repeated stalls do not postpone a timeout for ever', async () => {
    const proxy = await startTcpProxy(redis.port)
    closers.push(() => proxy.stop())
    const backend = await opened(new RedisCacheBackend({ ...options, url: proxy.url }))
    proxy.goSilent()
    let outcome: unknown
    const read = backend.get('value').catch((error: { code: string }) => {
      outcome = error.code
    })
    for (let stalls = 0; stalls < 10 && outcome === undefined; stalls++) {
      stall(2 * TIMEOUT_MS)
      await written()
    }
    expect(outcome).toBe('CACHE_TIMEOUT')
    await read
  })
})
