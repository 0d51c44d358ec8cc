// Run by shutdown.test.ts: opens a backend as its first message says, does what it is told, shuts the backend down,
// and must then end by itself. Nothing here calls process.exit().
import { once } from 'node:events'

const [{ library, options, kind, when }] = await once(process, 'message')
const tell = (what) => process.send(what)
const told = async (what) => {
  for (;;) if ((await once(process, 'message'))[0] === what) return
}

const clients = []
const backend = await createBackend()
const quietly = (promise) => promise.catch(() => {})

switch (when) {
  case 'at rest':
    await backend.initialize()
    await backend.set('value', 1)
    await quietly(backend.incr('count'))
    await backend.get('value')
    break
  case 'unused':
    break
  case 'at once': {
    quietly(backend.initialize())
    break
  }
  case 'silent': {
    await backend.initialize()
    await backend.get('value')
    await quietly(backend.incr('count'))
    const paused = told('paused')
    tell('ready')
    await paused
    for (let call = 0; call < 10; call++) quietly(backend.get('value'))
    quietly(backend.incr('count'))
    await backend.set('value', 1)
    break
  }
  case 'silent for long': {
    await backend.initialize()
    const paused = told('paused')
    tell('ready')
    await paused
    const endMs = performance.now() + 1500
    while (performance.now() < endMs) await backend.set('value', 1)
    break
  }
  case 'learning': {
    await backend.initialize()
    for (let times = 0; times < 3; times++) await backend.set('value', { id: times })
    break
  }
  case 'learning in silence': {
    await backend.initialize()
    const paused = told('paused')
    tell('ready')
    await paused
    for (let times = 0; times < 3; times++) quietly(backend.set('value', { id: times }))
    // Long enough for the publication to be under way.
    await new Promise((resolve) => setTimeout(resolve, 50))
    break
  }
  case 'redialling': {
    await backend.initialize()
    const lost = new Promise((resolve) => backend.on('disconnect', resolve))
    tell('ready')
    await lost
    await backend.get('value')
    break
  }
  case 'retried': {
    for (let attempt = 0; attempt < 4; attempt++) await quietly(backend.initialize())
    const resumed = told('resumed')
    tell('ready')
    await resumed
    await backend.initialize()
    await backend.get('value')
    break
  }
}
const startMs = performance.now()
await backend.shutdown()
tell({ shutdownMs: performance.now() - startMs })
for (const client of clients) client.disconnect()
process.disconnect()

async function createBackend() {
  if (kind === 'memory') {
    const { MemoryCacheBackend } = await import(`${library}/memory/memory-cache-backend.js`)
    return new MemoryCacheBackend()
  }
  if (kind === 'ioredis' || kind === 'ioredis cluster') {
    const { Cluster, Redis } = await import('ioredis')
    const { IoredisCacheBackend } = await import(`${library}/redis/ioredis-cache-backend.js`)
    const { nodes, url, ...rest } = options
    const client = kind === 'ioredis' ? new Redis(url) : new Cluster(nodes)
    client.on('error', () => {})
    clients.push(client)
    return new IoredisCacheBackend({ ...rest, client })
  }
  const { RedisCacheBackend } = await import(`${library}/redis/redis-cache-backend.js`)
  return new RedisCacheBackend(options)
}
