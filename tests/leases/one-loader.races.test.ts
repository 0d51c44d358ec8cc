import { type Cache, createCache } from 'cachewright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useBuild } from '../support/build.ts'
import { deferred } from '../support/loaders.ts'
import { type ChildParticipant, startChildren } from '../support/participant.ts'
import { trials } from '../support/trials.ts'

const CALLERS = 1_000
const PROCESSES = 8
/** Well below the five seconds of a lease that is not released. */
const PROMPTLY_MS = 1_000

useBuild('package')

let redis: Standalone
let cluster: RedisCluster
let cache: Cache
let other: Cache

beforeAll(async () => {
  ;[redis, cluster] = await Promise.all([startStandalone(), startCluster({ replicasPerMaster: 0 })])
  cache = createCache({ redis: redis.url, prefix: 'one:' })
  other = createCache({ redis: redis.url, prefix: 'one:' })
  await Promise.all([cache.initialize(), other.initialize()])
})

afterAll(async () => {
  await Promise.all([cache.shutdown(), other.shutdown()])
  await Promise.all([redis.stop(), cluster.stop()])
})

const isGone = (key: string) =>
  waitUntil(async () => (await redis.ask('EXISTS', `one:${key}`)) === 0, { what: `${key} to be gone` })

test('P21 a thousand concurrent callers share one loader call and get the same value', async () => {
  let loads = 0
  const load = async () => {
    loads++
    await new Promise(setImmediate)
    return { loads }
  }
  const callers = Array.from({ length: CALLERS }, () => cache.getOrSet('many', load))
  expect(new Set(await Promise.all(callers))).toEqual(new Set([{ loads: 1 }]))
  expect(loads).toBe(1)
})

test('P24 a failed loader rejects all its callers with the same error and leaves nothing in Redis', async () => {
  const error = new Error('the source is away')
  let loads = 0
  const load = async () => {
    loads++
    await new Promise(setImmediate)
    throw error
  }
  const callers = Array.from({ length: CALLERS }, () => cache.getOrSet('failing', load, { tags: ['a'] }))
  const reasons = (await Promise.allSettled(callers)).map((call) => call.status === 'rejected' && call.reason)
  expect(reasons.every((reason) => reason === error)).toBe(true)
  expect(loads).toBe(1)
  await isGone('failing')
  expect(await cache.getOrSet('failing', () => 'well again')).toBe('well again')
})

test('P24 a failed loader releases the waiters in another process at once', async () => {
  const mayFail = deferred()
  const began = deferred()
  const failing = cache.getOrSet('released', async () => {
    began.resolve()
    await mayFail.promise
    throw new Error('the source is away')
  })
  await began.promise
  let loads = 0
  const waiting = other.getOrSet('released', () => ++loads)
  // By now the waiter knows that the key is being loaded, and waits.
  await other.get('released', { local: false })
  await other.get('released', { local: false })
  expect(loads).toBe(0)
  const releasedMs = performance.now()
  mayFail.resolve()
  await expect(failing).rejects.toThrow('the source is away')
  expect(await waiting).toBe(1)
  expect(performance.now() - releasedMs).toBeLessThan(PROMPTLY_MS)
})

describe('P22 eight processes with a thousand callers each make one loader call for a cold key', () => {
  async function stampede(children: readonly ChildParticipant[], key: string, loaderMs: number) {
    const outcomes = await Promise.all(
      children.map((one, value) =>
        one.stampede({ key, loaderMs, value, callers: CALLERS, atMs: Date.now() + 20 }),
      ),
    )
    expect(outcomes.reduce((sum, { loads }) => sum + loads, 0)).toBe(1)
    const values = outcomes.flatMap(({ values: each }) => each)
    expect(values).toHaveLength(PROCESSES)
    expect(new Set(values).size).toBe(1)
  }

  for (const kind of ['a single server', 'a cluster of three masters']) {
    test(kind, async () => {
      const nodes = cluster.urls
      const children = await startChildren(PROCESSES, {
        redis: kind === 'a single server' ? redis.url : { cluster: { nodes } },
        cache: { prefix: 'fleet:' },
      })
      try {
        for (let round = 0; round < trials(3, 12, 100); round++)
          await stampede(children, `cold-${round}`, [0, 5, 60][round % 3] as number)
        const outcomes = await Promise.all(
          children.map((one) =>
            one.stampede({ key: 'bad', loaderMs: 20, fails: 'no', callers: CALLERS, atMs: Date.now() + 20 }),
          ),
        )
        // Each process calls its own loader, since errors are not shared; none waits for a lease to expire.
        for (const { loads, tookMs, values } of outcomes) {
          expect(loads).toBe(1)
          expect(values).toEqual(['Error: no'])
          expect(tookMs).toBeLessThan(PROCESSES * PROMPTLY_MS)
        }
      } finally {
        await Promise.all(children.map((one) => one.end()))
      }
    }, 300_000)
  }
})
