// Run by tests/lifecycle/rounds.ts: makes caches one after the other, uses each and shuts it down, and tells what is left
// of them in the process. The first message says how. Nothing here calls process.exit().
import { once } from 'node:events'
import { cacheKind } from './cache-kinds.mjs'
import { watchProcess } from './left-behind.mjs'

const [settings] = await once(process, 'message')
const { kind, library, moments, rounds, samples, servers } = settings
const { createCache } = await import(`${library}/index.js`)
const { pids } = servers

/** What is done with a cache before it is shut down. What is returned is called after that. */
const MOMENTS = {
  async 'at rest'({ cache }, round) {
    cache.on('error', ({ error }) => failures.push(`round ${round}: ${error.message}`))
    await cache.getOrSet('key', () => round, { tags: ['tag', 'other'] })
    await cache.namespace('part').getOrSet('key', () => round, { tags: ['tag'] })
    await cache.getOrSet('key', () => round)
    cache.peek('key')
    await cache.set('set', round)
    await cache.invalidateTags(['tag'])
    await cache.delete('set')
    await cache.counters.incr('count')
  },
  initializing({ cache }) {
    cache.initialize().catch(() => {})
    void cache.getOrSet('key', () => 1)
  },
  async loading({ cache, later }) {
    const loader = later()
    void cache.getOrSet('loading', () => loader.promise)
    void cache.getOrSet('loading', () => loader.promise, { tags: ['tag'] })
    await cache.getOrSet('key', () => 1)
  },
  async refreshing({ cache, later }) {
    const loader = later()
    await cache.set('stale', 1, { ttl: '1ms' })
    await pause(3)
    await Promise.race([cache.getOrSet('stale', () => loader.promise), pause(20)])
  },
  async 'waiting for another'({ another, cache, later }) {
    const loader = later()
    const other = another()
    void other.getOrSet('waited for', () => loader.promise)
    await other.getOrSet('key', () => 1)
    void cache.getOrSet('waited for', () => 2)
    await cache.getOrSet('key', () => 1)
  },
  async reserving({ cache }) {
    await cache.reserve('slot', { wait: true })
  },
  async clearing({ cache }) {
    await cache.getOrSet('key', () => 1)
    void cache.clear()
    void cache.invalidatePattern('k*')
    await cache.clear()
  },
  async away({ cache }) {
    await cache.getOrSet('key', () => 1)
    await cache.delete('key')
    await cache.getOrSet('key', () => 1)
  },
  async frozen({ cache, later }) {
    const loader = later()
    void cache.getOrSet('loading', () => loader.promise)
    await cache.getOrSet('key', () => 1)
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    void cache.delete('key')
    void cache.getOrSet('new', () => 1)
    return () => {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    }
  },
  'frozen at once'({ cache }) {
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    void cache.getOrSet('new', () => 1)
    return () => {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    }
  },
}

const COMMON = { prefix: 'rounds:', ttl: '1m', staleWhileRevalidate: '1m', shutdown: { drain: '5ms' } }
/** Where Redis does not answer. */
const IMPATIENT = { commandTimeout: '40ms', connectTimeout: '60ms' }
const IMPATIENT_MOMENTS = ['away', 'frozen', 'frozen at once']
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const failures = []

const made = await cacheKind(kind, servers, library)
const watch = await watchProcess(made.clients)
process.send('ready')
await once(process, 'message')

for (let round = 0; round < rounds; round++) {
  const moment = moments[round % moments.length]
  await playRound(moment, round)
  await watch.settled(`round ${round}, ${moment}`)
  if ((round + 1) % Math.ceil(rounds / samples) === 0) await watch.sample(round)
}
await watch.sample(rounds)
process.send({ ...watch.report(), failures })
await once(process, 'message')
await made.close()
process.disconnect()

async function playRound(moment, round) {
  const patience = IMPATIENT_MOMENTS.includes(moment) ? IMPATIENT : {}
  const closers = []
  const open = () => {
    const { close, options } = made.open(moment === 'away', patience)
    const cache = createCache({ ...COMMON, ...patience, ...options })
    watch.cache(cache)
    closers.push(async () => {
      await cache.shutdown()
      await close?.()
    })
    return cache
  }
  const loaders = []
  const later = () => {
    const loader = deferred()
    loaders.push(loader)
    return loader
  }
  const after = await MOMENTS[moment]({ cache: open(), another: open, later }, round)
  for (const close of closers) await close()
  after?.()
  for (const loader of loaders) loader.resolve(round)
}

function deferred() {
  let resolve
  const promise = new Promise((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
