// A cache whose Redis loses its connections, and falls silent. At last it is shut down while Redis is silent, after which
// the process has to end by itself all the same. Argument: the settings.
import assert from 'node:assert/strict'
import { waitUntil } from '../../testbed/wait-until.ts'
import { make, tell } from './checks.ts'
import { ask, type OpenCache, openCache, type Way } from './settings.ts'

const SILENCE_MS = 800
const SILENT_FOR_GOOD_MS = 60_000
const IMPATIENT = { prefix: 'outage:', commandTimeout: '250ms', connectTimeout: '3s' } as const

const WAYS: readonly Way[] = ['own client', 'own client over TLS', 'ioredis']
const opened = new Map(WAYS.map((way) => [way, openCache(way, IMPATIENT)] as const))

for (const [way, cache] of opened) {
  await make({ title: `${way} > connections that were killed are replaced`, body: () => killed(cache) })
  await make({ title: `${way} > without an answer, the loader answers`, body: () => silent(cache) })
}
await make({ title: 'shutdown() ends while Redis is silent', body: closed })
tell({ done: true })

async function killed({ cache, server }: OpenCache): Promise<void> {
  await cache.initialize()
  let losses = 0
  const unsubscribe = cache.on('disconnect', () => losses++)
  for (let round = 1; round <= 3; round++) {
    await keep(cache, 'key', `old ${round}`)
    await ask(server, 'CLIENT', 'KILL', 'TYPE', 'normal')
    await waitUntil(() => losses >= round, { what: 'the loss' })
    // Nobody tells of this write.
    await ask(server, 'SET', 'outage:key', `"new ${round}"`)
    await waitUntil(async () => (await cache.get('key', { local: false })) === `new ${round}`, {
      what: 'the new value',
    })
    await cache.delete('key')
  }
  unsubscribe()
}

async function silent({ cache, server }: OpenCache): Promise<void> {
  await ask(server, 'CLIENT', 'PAUSE', `${SILENCE_MS}`, 'ALL')
  assert.equal(await cache.getOrSet('other', () => 'loaded'), 'loaded')
  await waitUntil(() => cache.set('other', 'stored'), { what: 'a connection that answers' })
  assert.equal(await cache.get('other', { local: false }), 'stored')
}

async function closed(): Promise<void> {
  const caches = [...opened.values()]
  for (const { server } of caches) await ask(server, 'CLIENT', 'PAUSE', `${SILENT_FOR_GOOD_MS}`, 'ALL')
  await Promise.all(
    caches.map(async ({ cache, close }) => {
      await cache.getOrSet('key', () => 1)
      await close()
    }),
  )
}

function keep(cache: OpenCache['cache'], key: string, value: string): Promise<void> {
  return waitUntil(
    async () => {
      await cache.getOrSet(key, () => value)
      return cache.peek(key) !== undefined
    },
    { what: 'a local copy' },
  )
}
