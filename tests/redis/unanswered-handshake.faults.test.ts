import { RedisCacheBackend } from 'cachewright/redis'
import { expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { startLyingServer } from '../support/lying-server.ts'
import { useScene } from '../support/scene.ts'

const { later, redis } = useScene()

test.each(['HELLO', 'CLIENT'])(
  'a server that once does not answer %s is dialled again after connectTimeout',
  async (name) => {
    const server = await startLyingServer(redis.port)
    later(() => server.stop())
    const backend = new RedisCacheBackend({
      url: server.url,
      commandTimeout: '200ms',
      connectTimeout: '300ms',
    })
    later(() => backend.shutdown())
    expect(await backend.set('key', 1)).toBe(true)
    let isOwed = true
    server.lie = ([word], reply) => {
      if (!isOwed || String(word) !== name) return reply
      isOwed = false
      return Buffer.alloc(0)
    }
    await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal')
    await waitUntil(async () => !isOwed && (await backend.get('key')) === 1, {
      what: 'the connection',
      timeoutMs: 5_000,
    })
  },
)
