import { RedisCacheBackend } from 'cachewright/redis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { commandCalls } from '../support/command-calls.ts'

let redis: Standalone
let backend: RedisCacheBackend
beforeAll(async () => {
  // Each write is on disk before its reply, so a kill leaves the same data as a crash.
  redis = await startStandalone({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
})
beforeEach(async () => {
  await redis.ask('FLUSHALL')
  backend = new RedisCacheBackend({ url: redis.url, commandTimeout: '500ms' })
  await backend.initialize()
})
afterEach(() => backend.shutdown())
afterAll(() => redis.stop())

async function countersWithoutTtl(): Promise<string[]> {
  const keys = (await redis.ask('KEYS', 'cache:*')) as string[]
  const immortal: string[] = []
  for (const key of keys) if ((await redis.ask('PTTL', key)) === -1) immortal.push(key)
  return immortal
}

/** Increments new counters, many at a time, until it is stopped. */
function countOn(): { stop(): Promise<number> } {
  let isStopped = false
  let next = 0
  const worker = async () => {
    while (!isStopped) {
      await backend.incr(`count:${next++}`, 1, { ttl: '1h' }).catch(() => {})
      await new Promise((resolve) => setImmediate(resolve)) // an immediate rejection must not starve other workers
    }
  }
  const workers = Array.from({ length: 50 }, worker)
  return {
    async stop() {
      isStopped = true
      await Promise.all(workers)
      return next
    },
  }
}

describe('P27 increment and first TTL are atomic', () => {
  test('no counter is left without a TTL when the server is killed between calls', async () => {
    for (let round = 0; round < 3; round++) {
      const counting = countOn()
      await waitUntil(async () => Number(await redis.ask('DBSIZE')) > 100 * (round + 1), {
        what: 'some counters',
      })
      await redis.kill()
      await redis.restart()
      await counting.stop()
      expect(Number(await redis.ask('DBSIZE'))).toBeGreaterThan(100)
      expect(await countersWithoutTtl()).toEqual([])
      await waitUntil(async () => (await backend.incr('alive')) > 0, { what: 'the counter to work again' })
    }
  })

  test('no counter is left without a TTL when CLIENT KILL cuts the connections', async () => {
    const counting = countOn()
    for (let cut = 1; cut <= 20; cut++) {
      await waitUntil(async () => Number(await redis.ask('DBSIZE')) > 20 * cut, { what: 'some counters' })
      await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal')
    }
    await counting.stop()
    expect(await countersWithoutTtl()).toEqual([])
  })

  test('an incr with a TTL is a single EVALSHA once the script is loaded', async () => {
    await backend.incr('count', 1, { ttl: '1h' })
    await redis.ask('CONFIG', 'RESETSTAT')
    for (let call = 0; call < 50; call++)
      await backend.incr(`count:${call % 10}`, 1, { ttl: '1h', slide: call % 2 === 0 })
    const calls = await commandCalls(redis)
    expect(calls.get('evalsha')).toBe(50)
    expect([...calls.keys()].filter((name) => ['eval', 'script|load', 'multi'].includes(name))).toEqual([])
  })

  test('a SCRIPT FLUSH between calls loses and doubles no count', async () => {
    for (let call = 1; call <= 20; call++) {
      await redis.ask('SCRIPT', 'FLUSH')
      expect(await backend.incr('count', 1, { ttl: '1h' })).toBe(call)
    }
    const concurrent = Promise.all(Array.from({ length: 200 }, () => backend.incr('count')))
    await redis.ask('SCRIPT', 'FLUSH')
    expect(new Set(await concurrent).size).toBe(200)
    expect(await redis.ask('GET', 'cache:count')).toBe('220')
    expect(await countersWithoutTtl()).toEqual([])
    await redis.ask('SCRIPT', 'FLUSH')
    expect(await backend.addToSet('set', 'member')).toBe(true)
  })
})
