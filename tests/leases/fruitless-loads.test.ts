import { type Cache, type CreateCacheOptions, createCache, type Loader } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { deferred, heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const CACHES = 8

const scene = useScene({ cluster: { replicasPerMaster: 0 } })

const fail: Loader<unknown> = () => {
  throw new Error('the source is away')
}

/** Loads that bring no value to store. */
const FRUITLESS: Record<string, Loader<unknown>> = {
  'that fail': fail,
  'that find nothing': () => undefined,
  'that skip the cache': (context) => {
    context.skip()
    return 'skipped'
  },
  'whose value names an unknown tag': (context) => {
    context.addTags(['of its own'])
    return 'tagged'
  },
  'whose value is too large': () => 'x'.repeat(2_000),
}

/** Calls `getOrSet` in every cache. Each loader reports its call, and ends when its turn has come. */
function loadInAll(caches: readonly Cache[], key: string, load: Loader<unknown>) {
  const turns: ReturnType<typeof deferred<void>>[] = []
  const outcomes = caches.map((cache) =>
    cache
      .getOrSet(key, async (context) => {
        const turn = deferred()
        turns.push(turn)
        await turn.promise
        return load(context)
      })
      .catch((error: Error) => error.message),
  )
  return {
    turns,
    outcomes: Promise.all(outcomes),
    began: (count: number) =>
      waitUntil(() => turns.length >= count, { what: `${count} loaders to run at once` }),
  }
}

async function openAll(options: CreateCacheOptions): Promise<Cache[]> {
  return Promise.all(Array.from({ length: CACHES }, () => scene.open({ ...options, maxValueBytes: 1_000 })))
}

describe('P48 processes that waited for a load without a result wait for no second one', () => {
  for (const coherence of ['tracking', 'bus', 'ttl'] as const) {
    for (const [kind, load] of Object.entries(FRUITLESS)) {
      test(`${coherence}: loads ${kind}`, async () => {
        const caches = await openAll({ coherence })
        const { began, outcomes, turns } = loadInAll(caches, 'key', load)
        await began(1)
        // All others have found the lease held, and wait.
        for (const cache of caches) await cache.get('key', { local: false })
        expect(turns).toHaveLength(1)
        turns[0]?.resolve()
        await began(CACHES)
        for (const turn of turns) turn.resolve()
        expect(new Set(await outcomes).size).toBe(1)
        // Once all is over, one process loads for all again.
        const next = loadInAll(caches, 'key', () => 'well again')
        await next.began(1)
        next.turns[0]?.resolve()
        expect(new Set(await next.outcomes)).toEqual(new Set(['well again']))
        expect(next.turns).toHaveLength(1)
      })
    }
  }

  test('on a cluster, and where an entry past its time is being replaced', async () => {
    const nodes = scene.cluster.nodes.map(({ port }) => `redis://127.0.0.1:${port}`)
    const caches = await openAll({ redis: { cluster: { nodes } }, staleIfError: '1h' })
    await (caches[0] as Cache).set('key', 'old', { ttl: '1ms' })
    const { began, outcomes, turns } = loadInAll(caches, 'key', fail)
    await began(1)
    for (const cache of caches) await cache.get('key', { local: false })
    expect(turns).toHaveLength(1)
    turns[0]?.resolve()
    await began(CACHES)
    for (const turn of turns) turn.resolve()
    expect(new Set(await outcomes)).toEqual(new Set(['old']))
  })
})

test('a deleted key is loaded once more, by one process for all that waited', async () => {
  const caches = await openAll({})
  const { began, outcomes, turns } = loadInAll(caches, 'key', () => 'loaded')
  await began(1)
  for (const cache of caches) await cache.get('key', { local: false })
  await (caches.at(-1) as Cache).delete('key')
  await began(2)
  for (const turn of turns) turn.resolve()
  await outcomes
  expect(turns).toHaveLength(2)
})

test('a fill that Redis refuses gives the lease back, and another process loads at once', async () => {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const open = () => createCache({ backend: redis.backend(), clock })
  const [one, two] = [open(), open()]
  const held = heldLoader('refused')
  const loading = one.getOrSet('key', held.load)
  await held.begun
  redis.faults.fail({ commands: 'writes', times: 1 })
  held.release()
  expect(await loading).toBe('refused')
  // The clock stands still: no lease expires.
  expect(await two.getOrSet('key', () => 'stored')).toBe('stored')
  expect(await two.get('key', { local: false })).toBe('stored')
})
