import { setTimeout as pause } from 'node:timers/promises'
import { createCache } from 'cachewright'
import { expect, test } from 'vitest'
import { deferred } from '../support/loaders.ts'
import { useRaceTrack } from '../support/race-track.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { trials } from '../support/trials.ts'

const track = useRaceTrack()

test('P18 tags bind before the loader runs: tags of the options', async () => {
  const rounds = trials(75, 500, 2_000)
  const verdict = await track.run({
    rounds,
    hows: ['invalidateTags'],
    optionsOf: (key) => ({ tags: [`tag-${key}`, 'all'] }),
  })
  expect(verdict.wrong).toEqual([])
  expect(verdict.loads).toBeGreaterThan(rounds)
}, 300_000)

test('P18 tags bind before the loader runs: tags that the loader adds', async () => {
  const rounds = trials(75, 500, 2_000)
  const verdict = await track.run({
    rounds,
    hows: ['invalidateTags'],
    lateTagsOf: (key) => [`late-${key}`, 'all'],
  })
  expect(verdict.wrong).toEqual([])
  expect(verdict.loads).toBeGreaterThan(rounds)
}, 300_000)

test('P18 a caller does not join a load whose tag was invalidated during its capture, and again later', async () => {
  const line = await startTcpProxy(track.redis.port, { latencyMs: 20 })
  const options = { prefix: 'late:', errors: 'throw', coherence: { trust: '1h' } } as const
  const slow = createCache({ redis: line.url, ...options })
  const quick = createCache({ redis: track.redis.url, ...options })
  await Promise.all([slow.initialize(), quick.initialize()])
  await slow.getOrSet('first', () => 1)
  const began = deferred()
  const mayEnd = deferred()
  const load = async () => {
    began.resolve()
    await mayEnd.promise
    return 'old'
  }
  const early = slow.getOrSet('key', load, { tags: ['tag'] })
  // Redis has answered that there is no such tag, and that answer is on its way.
  await pause(10)
  await quick.invalidateTags(['tag'])
  await began.promise
  await quick.invalidateTags(['tag'])
  await slow.get('key', { local: false })
  const late = slow.getOrSet('key', () => 'new', { tags: ['tag'] })
  // It need not wait for the load from before; should it do so, that ends at last.
  await Promise.race([late, pause(1_000)])
  mayEnd.resolve()
  expect(await Promise.all([early, late])).toEqual(['old', 'new'])
  await Promise.all([slow.shutdown(), quick.shutdown()])
  await line.stop()
})

test('P18 tags bind before the loader runs: tags of the options, in a namespace', async () => {
  const rounds = trials(20, 200, 400)
  const verdict = await track.run({
    rounds,
    hows: ['invalidateTags', 'delete'],
    optionsOf: () => ({ tags: ['here'] }),
    isNamespaced: true,
  })
  expect(verdict.wrong).toEqual([])
}, 300_000)
