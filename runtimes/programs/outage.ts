// A cache whose Redis loses its connections, and falls silent. At last it is shut down while Redis is silent, after which
// the process has to end by itself all the same. Argument: the settings.
import assert from 'node:assert/strict'
import { waitUntil } from '../../testbed/wait-until.ts'
import { make, tell } from './checks.ts'
import { ask, type OpenCache, openCache, type Way } from './settings.ts'

const SILENCE_MS = 800
const SILENT_FOR_GOOD_MS = 60_000

const WAYS: readonly Way[] = ['own client', 'own client over TLS', 'ioredis']
/** Two ways have one server. */
const optionsOf = (way: Way) =>
  ({ prefix: `${way}:`, commandTimeout: '250ms', connectTimeout: '3s' }) as const
const opened = new Map(
  WAYS.map(
    (way) => [way, [openCache(way, optionsOf(way)), openCache(way, optionsOf(way))] as const] as const,
  ),
)

for (const [way, [here, there]] of opened) {
  await make({ title: `${way} > a change during a loss is seen`, body: () => killed(here, there) })
  await make({ title: `${way} > without an answer, the loader answers`, body: () => silent(here) })
}
await make({ title: 'shutdown() ends while Redis is silent', body: closed })
tell({ done: true })

/** All connections are lost at once, and then another cache writes. */
async function killed({ cache, server }: OpenCache, there: OpenCache): Promise<void> {
  await Promise.all([cache.initialize(), there.cache.initialize()])
  for (const key of ['first', 'second']) {
    await keep(cache, key, 'old')
    for (const type of ['normal', 'pubsub']) await ask(server, 'CLIENT', 'KILL', 'TYPE', type)
    await waitUntil(() => there.cache.set(key, 'new'), { what: 'a write' })
    await waitUntil(async () => (await cache.get(key)) === 'new', { what: 'the new value' })
  }
}

async function silent({ cache, server }: OpenCache): Promise<void> {
  await ask(server, 'CLIENT', 'PAUSE', `${SILENCE_MS}`, 'ALL')
  assert.equal(await cache.getOrSet('other', () => 'loaded'), 'loaded')
  await waitUntil(() => cache.set('other', 'stored'), { what: 'a connection that answers' })
  assert.equal(await cache.get('other', { local: false }), 'stored')
}

async function closed(): Promise<void> {
  const caches = [...opened.values()].flat()
  for (const server of new Set(caches.map((cache) => cache.server))) {
    await ask(server, 'CLIENT', 'PAUSE', `${SILENT_FOR_GOOD_MS}`, 'ALL')
  }
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
