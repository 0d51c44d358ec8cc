// Read-through caches over one Redis: one load for many callers, and changes that reach the local tiers of others, within
// the process and in another one. Argument: the settings.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Cache } from 'cachewright'
import { waitUntil } from '../../testbed/wait-until.ts'
import { make, tell } from './checks.ts'
import { type Peer, runPeer } from './run-peer.ts'
import { type OpenCache, openCache, type Way } from './settings.ts'

const CALLERS = 20

await Promise.all([
  checkWay('own client', 'tracking'),
  checkWay('own client over TLS', 'tracking'),
  checkWay('ioredis', 'bus'),
])
tell({ done: true })

async function checkWay(way: Way, mode: Cache['coherence']): Promise<void> {
  const opened = [openCache(way), openCache(way)]
  const check = (title: string, body: () => Promise<void>) => make({ title: `${way} > ${title}`, body })
  for (const [title, body] of checksOf(way, mode, opened)) await check(title, body)
  await check('shutdown() ends', async () => void (await Promise.all(opened.map(({ close }) => close()))))
}

function checksOf(
  way: Way,
  mode: Cache['coherence'],
  opened: readonly OpenCache[],
): readonly (readonly [string, () => Promise<void>])[] {
  const caches = opened.map(({ cache }) => cache)
  const [here, there] = caches as [Cache, Cache]
  // The ways share a server.
  const keyOf = (name: string) => `${way}:${name}`
  const loader = (value: unknown) => async () => value

  return [
    [
      `the mode is '${mode}'`,
      async () => {
        await Promise.all(caches.map((cache) => cache.initialize()))
        await waitUntil(() => caches.every(({ coherence }) => coherence === mode), { what: `mode ${mode}` })
      },
    ],
    [
      'one load for many callers of two caches',
      async () => {
        let loads = 0
        const load = async () => `loaded ${++loads}`
        const callers = Array.from({ length: CALLERS }, (_, index) => (index % 2 === 0 ? here : there))
        const values = await Promise.all(callers.map((cache) => cache.getOrSet(keyOf('herd'), load)))
        assert.deepEqual(new Set(values), new Set(['loaded 1']))
      },
    ],
    [
      'a delete reaches the local tier of the other cache',
      async () => {
        const key = keyOf('deleted')
        await kept(caches, key, loader('old'))
        await there.delete(key)
        await dropped(here, key)
        assert.equal(await here.getOrSet(key, loader('new')), 'new')
      },
    ],
    [
      'an invalidated tag reaches the local tier of the other cache',
      async () => {
        const key = keyOf('tagged')
        const tags = [keyOf('tag')]
        await kept(caches, key, loader('old'), tags)
        await there.invalidateTags(tags)
        await waitUntil(async () => (await here.getOrSet(key, loader('new'), { tags })) === 'new', {
          what: 'the new value',
        })
      },
    ],
    [
      'another process waits for the load of this one, and its delete reaches the local tier here',
      async () => {
        const [shared, removed] = [keyOf('shared'), keyOf('removed')]
        await kept([here], removed, loader('old'))
        let peer: Peer | undefined
        await here.getOrSet(shared, async () => {
          peer = runPeer(way, shared, removed)
          await peer.isReading
          return 'loaded here'
        })
        assert.deepEqual(await peer?.ended, { value: 'loaded here', loads: 0 })
        await dropped(here, removed)
      },
    ],
    [
      'a loader runs in the async context of its call, and may not wait for itself',
      async () => {
        const context = new AsyncLocalStorage<string>()
        const seen = await context.run('of the call', () =>
          here.getOrSet(keyOf('context'), async () => context.getStore() ?? 'none'),
        )
        assert.equal(seen, 'of the call')
        const itself = here.getOrSet(keyOf('cycle'), () =>
          here.getOrSet(keyOf('part'), () => here.getOrSet(keyOf('cycle'), loader(1))),
        )
        await assert.rejects(itself, { code: 'CACHE_CYCLE' })
      },
    ],
  ]
}

/** Loads the key until all of the caches keep it: a mode may change just after connecting. */
async function kept(
  caches: readonly Cache[],
  key: string,
  load: () => Promise<unknown>,
  tags: readonly string[] = [],
): Promise<void> {
  await waitUntil(
    async () => {
      for (const cache of caches) await cache.getOrSet(key, load, { tags })
      return caches.every((cache) => cache.peek(key) !== undefined)
    },
    { what: `local copies of ${key}` },
  )
}

function dropped(cache: Cache, key: string): Promise<void> {
  return waitUntil(() => cache.peek(key) === undefined, { what: `the local copy of ${key} to go` })
}
