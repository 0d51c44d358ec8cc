import { setTimeout as pause } from 'node:timers/promises'
import { createCache } from 'cachewright'
import { expect, test } from 'vitest'
import { deferred } from '../support/loaders.ts'
import { useRaceTrack } from '../support/race-track.ts'
import { trials } from '../support/trials.ts'

const track = useRaceTrack()

test('P16 a delete or a write beats an earlier read in four processes; plain cache-aside keeps old values', async () => {
  const rounds = trials(300, 1_000, 4_000)
  const hows = ['delete', 'set', 'deleteMany', 'delete']
  const verdict = await track.run({ rounds, hows, withPlain: true })
  expect(verdict.wrong).toEqual([])
  // Else nothing was raced.
  expect(verdict.plainStale).toBeGreaterThan(rounds / 60)
  expect(verdict.defeated).toBeGreaterThan(rounds / 10)
}, 300_000)

test('P16 a delete or a write by another program beats an earlier read', async () => {
  const rounds = trials(60, 400, 800)
  const verdict = await track.run({ rounds, hows: ['foreign DEL', 'foreign SET', 'plain.set'] })
  expect(verdict.wrong).toEqual([])
  expect(verdict.defeated).toBeGreaterThan(rounds / 10)
}, 300_000)

test('P16 two concurrent callers after a delete elsewhere do not join the earlier load', async () => {
  const caches = [0, 1].map(() => createCache({ redis: track.redis.url, prefix: 'pair:', errors: 'throw' }))
  const [loading, deleting] = caches as [(typeof caches)[0], (typeof caches)[0]]
  // A connection that is made ends what began before it.
  await Promise.all(caches.map((cache) => cache.initialize()))
  const began = deferred()
  const mayEnd = deferred()
  const early = loading.getOrSet('key', async () => {
    began.resolve()
    await mayEnd.promise
    return 'old'
  })
  await began.promise
  await deleting.delete('key')
  // Brings whatever Redis has to tell this process.
  await loading.get('key', { local: false })
  const late = Promise.all([1, 2, 3].map(() => loading.getOrSet('key', () => 'new')))
  // They need not wait for the load from before; should they do so, that ends at last.
  await Promise.race([late, pause(1_000)])
  mayEnd.resolve()
  expect([await early, ...(await late)]).toEqual(['old', 'new', 'new', 'new'])
  await Promise.all(caches.map((cache) => cache.shutdown()))
})
