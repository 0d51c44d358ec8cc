// Run by exit.test.ts: makes a cache as its first message says, does what it is told, shuts the cache down, and must
// then end by itself. Nothing here calls process.exit().
import { once } from 'node:events'

const [{ library, options, client, when }] = await once(process, 'message')
const { createCache } = await import(`${library}/index.js`)
const tell = (what) => process.send(what)
const told = async (what) => {
  for (;;) if ((await once(process, 'message'))[0] === what) return
}

const lent = client === undefined ? undefined : new (await import('ioredis')).Redis(client)
lent?.on('error', () => {})
const cache = createCache({ ...options, ...(lent === undefined ? {} : { client: lent }) })

switch (when) {
  case 'unused':
    break
  case 'at rest':
    await cache.getOrSet('key', () => 1, { tags: ['t'] })
    await cache.set('other', 1)
    await cache.invalidateTags(['t'])
    await cache.counters.incr('count').catch(() => {})
    break
  case 'at once':
    void cache.getOrSet('key', () => 1)
    break
  case 'loading':
    // The lease is being renewed, and the loader never ends.
    void cache.getOrSet('key', () => new Promise(() => {})).catch(() => {})
    void cache.getOrSet('slow', () => new Promise((resolve) => setTimeout(resolve, 300))).catch(() => {})
    await cache.getOrSet('other', () => 1)
    break
  case 'clearing':
    if (options.redis === 'redis://127.0.0.1:1') break
    await cache.setMany(Array.from({ length: 300 }, (_, number) => [`key:${number}`, number]))
    void cache.clear()
    await cache.clear()
    break
  case 'silent': {
    await cache.getOrSet('key', () => 1)
    const paused = told('paused')
    tell('ready')
    await paused
    for (let call = 0; call < 20; call++) await cache.getOrSet(`key:${call}`, () => 1)
    await cache.delete('key')
    break
  }
  case 'gone': {
    await cache.getOrSet('key', () => 1)
    const gone = told('gone')
    tell('ready')
    await gone
    for (let call = 0; call < 20; call++) await cache.getOrSet(`key:${call}`, () => 1)
    await cache.delete('key')
    break
  }
}
const startMs = performance.now()
await cache.shutdown()
tell({ shutdownMs: performance.now() - startMs })
lent?.disconnect()
process.disconnect()
