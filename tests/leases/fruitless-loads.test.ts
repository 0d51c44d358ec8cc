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

/** Resolves when all caches but the one that loads have found the lease held. */
function othersWait(caches: readonly Cache[], key: string): Promise<void> {
  return waitUntil(
    async () => {
      const all = await Promise.all(caches.map((cache) => cache.explain(key)))
      return all.filter(({ load }) => load.state === 'waiting').length === CACHES - 1
    },
    { what: 'all others to wait' },
  )
}

/** Expects one load, which ends as `load` does, and then one in every cache at a time. Returns what the calls came to. */
async function loadSideBySide(
  caches: readonly Cache[],
  key: string,
  load: Loader<unknown>,
): Promise<readonly unknown[]> {
  const { began, outcomes, turns } = loadInAll(caches, key, load)
  await began(1)
  await othersWait(caches, key)
  expect(turns).toHaveLength(1)
  turns[0]?.resolve()
  await began(CACHES)
  for (const turn of turns) turn.resolve()
  return outcomes
}

async function openAll(options: CreateCacheOptions): Promise<Cache[]> {
  return Promise.all(Array.from({ length: CACHES }, () => scene.open({ ...options, maxValueBytes: 1_000 })))
}

describe('P48 processes that waited for a load without a result wait for no second one', () => {
  for (const mode of ['tracking', 'bus', 'ttl'] as const) {
    for (const [kind, load] of Object.entries(FRUITLESS)) {
      test(`${mode}: loads ${kind}`, async () => {
        const caches = await openAll({ coherence: { mode } })
        expect(new Set(await loadSideBySide(caches, 'key', load)).size).toBe(1)
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
    const nodes = scene.cluster.urls
    const caches = await openAll({ redis: { cluster: { nodes } }, staleIfError: '1h' })
    await (caches[0] as Cache).set('key', 'old', { ttl: '1ms' })
    // A process that has just connected does not know the server's clock yet, by which the entry is past its time.
    for (const cache of caches) {
      await waitUntil(async () => (await cache.get('key')) === undefined, { what: 'the entry to be stale' })
    }
    expect(new Set(await loadSideBySide(caches, 'key', fail))).toEqual(new Set(['old']))
  })
})

test('a deleted key is loaded once more, by one process for all that waited', async () => {
  const caches = await openAll({})
  const { began, outcomes, turns } = loadInAll(caches, 'key', () => 'loaded')
  await began(1)
  await othersWait(caches, 'key')
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
