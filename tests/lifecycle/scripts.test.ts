import { expect, test } from 'vitest'
import { useScene } from '../support/scene.ts'
import { useScripts } from '../support/scripts.ts'

const scene = useScene({ caches: { prefix: 'script:', ttl: '5m', lease: { ttl: '1s' } } })
const run = useScripts()

const cacheWith = (options = '') => `
  import { createCache } from 'cachewright'
  const cache = createCache({ redis: '${scene.redis.url}', prefix: 'script:', ttl: '5m', lease: { ttl: '1s' }, ${options} })
`

test('a script that throws ends with its error, whatever its cache is doing', async () => {
  const running = run(`${cacheWith()}
    await cache.set('key', 1)
    void cache.getOrSet('slow', () => new Promise(() => {}))
    throw new Error('thrown by the script')
  `)
  await expect(running).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('thrown by the script'),
  })
  const cache = await scene.open()
  expect(await cache.getOrSet('slow', () => 'loaded')).toBe('loaded')
})

test('a load that fails without a handler ends a script, as every such promise does', async () => {
  const running = run(`${cacheWith()}
    void cache.getOrSet('key', () => Promise.reject(new Error('of the source')))
  `)
  await expect(running).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('of the source') })
})

test('work in the background that fails ends no script', async () => {
  const printed = await run(`${cacheWith("staleWhileRevalidate: '1h'")}
    cache.on('background-error', ({ task, error }) => console.log(task, error.message))
    await cache.set('key', 'stale')
    await cache.expire('key')
    console.log(await cache.getOrSet('key', () => Promise.reject(new Error('of the source'))))
    await cache.idle()
    await cache.shutdown()
  `)
  expect(printed).toBe('stale\nrefresh of the source')
})

test('process.exit() in the middle of writes leaves each value whole, or none', async () => {
  const value = 'x'.repeat(300_000)
  await run(`${cacheWith()}
    await cache.initialize()
    for (let number = 0; number < 20; number++) void cache.set('key:' + number, 'x'.repeat(300_000))
    setImmediate(() => process.exit())
  `)
  const cache = await scene.open()
  for (let number = 0; number < 20; number++) {
    expect([undefined, value]).toContain(await cache.get(`key:${number}`))
    expect(await cache.getOrSet(`key:${number}`, () => value)).toBe(value)
  }
})

test('a script that does not call shutdown() is kept alive by its connection', async () => {
  const printed = await run(`${cacheWith()}
    await cache.getOrSet('key', () => 1)
    console.log(process.getActiveResourcesInfo().includes('TCPSocketWrap'))
    await cache.shutdown()
  `)
  expect(printed).toBe('true')
})
