import { createCache } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { deferred } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'
import { useScripts } from '../support/scripts.ts'

const scene = useScene({ simple: true, cluster: { replicasPerMaster: 0 }, sentinel: {} })
const run = useScripts()

const KINDS: readonly (readonly [name: string, redis: () => unknown])[] = [
  ['a single server', () => scene.redis.url],
  ['a server without RESP3, by the bus', () => scene.simple.url],
  ['a cluster', () => ({ cluster: { nodes: scene.cluster.urls } })],
  ['Sentinel', () => ({ sentinel: { name: scene.sentinel.name, nodes: scene.sentinel.urls } })],
]

describe('a script with unref: true ends by itself when its calls are done', () => {
  test.each(KINDS)('over %s', async (_name, redis) => {
    const printed = await run(`
      import { createCache } from 'cachewright'
      const cache = createCache({ redis: ${JSON.stringify(redis())}, prefix: 'script:', unref: true })
      await cache.set('key', 'stored')
      await cache.getOrSet('other', async () => 'loaded')
      console.log(await cache.get('key'), await cache.counters.incr('count'))
    `)
    expect(printed).toBe('stored 1')
  })

  test('over a backend alone', async () => {
    const printed = await run(`
      import { RedisCacheBackend } from 'cachewright/redis'
      const backend = new RedisCacheBackend({ url: '${scene.redis.url}', prefix: 'script:', unref: true })
      await backend.set('key', 'stored')
      console.log(await backend.get('key'))
    `)
    expect(printed).toBe('stored')
  })
})

describe('what a script with unref: true awaits keeps it alive', () => {
  test('a command until its deadline, while Redis hangs', async () => {
    const server = await scene.server()
    const running = run(`
      import { RedisCacheBackend } from 'cachewright/redis'
      const backend = new RedisCacheBackend({ url: '${server.url}', commandTimeout: '1s', unref: true })
      await backend.set('key', 1)
      process.kill(${server.process.pid}, 'SIGSTOP')
      console.log(await backend.get('key'), await backend.delete('key'))
    `)
    scene.later(() => server.resume())
    expect(await running).toBe('undefined false')
  })

  test('the load of another process', async () => {
    const cache = await scene.open({ prefix: 'script:' })
    const loading = deferred<string>()
    const value = cache.getOrSet('slow', () => loading.promise)
    const running = run(`
      import { createCache } from 'cachewright'
      const cache = createCache({ redis: '${scene.redis.url}', prefix: 'script:', unref: true })
      console.log(await cache.getOrSet('slow', async () => 'own'))
    `)
    await waitUntil(async () => (await trackedConnections()) === 2, { what: 'the script to connect' })
    setTimeout(() => loading.resolve('of the other'), 2_000)
    expect(await value).toBe('of the other')
    expect(await running).toBe('of the other')
  })
})

test('what a script in memory awaits keeps it alive, although it has no connection', async () => {
  const printed = await run(`
    import { createCache } from 'cachewright'
    const cache = createCache({ redis: false })
    const loads = cache.getOrSet('key', () => new Promise((resolve) => setTimeout(resolve, 300, 'loaded')))
    await cache.peek('key')
    console.log(await Promise.all([loads, cache.refresh('key', () => 'again')]))
  `)
  expect(printed).toBe("[ 'loaded', 'again' ]")
})

test.each([
  ['a refresh in the background', {}],
  ['a load behind a soft timeout', { softTimeout: '50ms', hardTimeout: '50s' }],
])('%s that hangs does not keep a script in memory alive', async (_what, timeouts) => {
  const printed = await run(`
    import { createCache } from 'cachewright'
    const stale = ${JSON.stringify(timeouts)}.softTimeout ? { staleIfError: '1h' } : { staleWhileRevalidate: '1h' }
    const cache = createCache({ redis: false, ttl: '50ms', ...stale, ...${JSON.stringify(timeouts)} })
    await cache.set('key', 'stale')
    await new Promise((resolve) => setTimeout(resolve, 100))
    const startMs = performance.now()
    process.once('exit', () => console.log(performance.now() - startMs < 20_000))
    console.log(await cache.getOrSet('key', () => new Promise(() => {})))
  `)
  expect(printed).toBe('stale\ntrue')
})

test('unref is refused where it is up to somebody else', () => {
  const refused = expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS' })
  const client = { sendCommand() {}, isOpen: true } as never
  expect(() => new RedisCacheBackend({ client, unref: true })).toThrow(refused)
  expect(() => createCache({ client, unref: true })).toThrow(refused)
  const backend = new RedisCacheBackend({ url: scene.redis.url })
  expect(() => createCache({ backend, unref: true })).toThrow(refused)
})

async function trackedConnections(): Promise<number> {
  const list = String(await scene.redis.ask('CLIENT', 'LIST'))
  return list.split('\n').filter((line) => / flags=\S*t/.test(line)).length
}
