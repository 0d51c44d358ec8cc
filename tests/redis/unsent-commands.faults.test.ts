import { createClient } from '@redis/client'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'
import { CALLERS_CLIENTS } from './borrowed-places.ts'

const scene = useScene()

const CLIENTS = {
  ...CALLERS_CLIENTS.single,
  '@redis/client with disableOfflineQueue': async (url: string) => {
    const client = createClient({ url, disableOfflineQueue: true })
    client.on('error', () => {})
    await client.connect()
    return { client, close: () => client.destroy() }
  },
  'ioredis 6 with enableOfflineQueue: false': (url: string) =>
    CALLERS_CLIENTS.single['ioredis 6'](url, { enableOfflineQueue: false }),
}

describe.each(Object.entries(CLIENTS))('while Redis is away, over %s', (_library, open) => {
  test('a counter says that it was not changed, and is not changed later', async () => {
    const proxy = await scene.proxy()
    const { client, close } = await open(proxy.url)
    scene.later(close)
    const backend = new RedisCacheBackend({ client, commandTimeout: '5s' })
    scene.later(() => backend.shutdown())
    await backend.initialize()
    expect(await backend.incr('count', 0)).toBe(0)
    proxy.isRefusing = true
    proxy.cut()
    const codeOf = () => backend.incr('count').then(String, ({ code }: { code: string }) => code)
    await waitUntil(async () => (await codeOf()) === 'CACHE_UNAVAILABLE', {
      what: 'the loss',
      timeoutMs: 30_000,
    })
    for (let call = 0; call < 5; call++) expect(await codeOf()).toBe('CACHE_UNAVAILABLE')
    proxy.isRefusing = false
    await waitUntil(
      () =>
        backend.incr('count', 0).then(
          () => true,
          () => false,
        ),
      {
        what: 'another connection',
        timeoutMs: 30_000,
      },
    )
    expect(await backend.incr('count', 0)).toBe(0)
  })
})
