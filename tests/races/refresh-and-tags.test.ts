import { afterAll, beforeAll, expect, test } from 'vitest'
import { trials } from '../trials.ts'
import { RaceTrack } from './interleavings.ts'

let track: RaceTrack

beforeAll(async () => {
  track = await RaceTrack.start()
})

afterAll(async () => {
  await track.stop()
})

test('P17 a refresh in the background never overwrites something newer', async () => {
  const rounds = trials(300, 4_000)
  const verdict = await track.run({
    rounds,
    hows: ['set for long', 'delete', 'set', 'invalidateTags', 'set for long'],
    // Stale as soon as it is stored, so that whoever reads it begins a refresh.
    optionsOf: (key) => ({ ttl: '1ms', staleWhileRevalidate: '10m', tags: [`tag-${key}`] }),
    isPrimed: true,
  })
  expect(verdict.wrong).toEqual([])
  expect(verdict.defeated).toBeGreaterThan(rounds / 10)
}, 120_000)

test('P18 tags bind before the loader runs: those of the options', async () => {
  const rounds = trials(150, 2_000)
  const verdict = await track.run({
    rounds,
    hows: ['invalidateTags'],
    optionsOf: (key) => ({ tags: [`tag-${key}`, 'all'] }),
  })
  expect(verdict.wrong).toEqual([])
  expect(verdict.loads).toBeGreaterThan(rounds)
}, 120_000)

test('P18 tags bind before the loader runs: those that the loader adds', async () => {
  const rounds = trials(150, 2_000)
  const verdict = await track.run({
    rounds,
    hows: ['invalidateTags'],
    lateTagsOf: (key) => [`late-${key}`, 'all'],
  })
  expect(verdict.wrong).toEqual([])
  expect(verdict.loads).toBeGreaterThan(rounds)
}, 120_000)

test('P18 tags bind before the loader runs: those of the options, of a namespace', async () => {
  const rounds = trials(40, 400)
  const verdict = await track.run({
    rounds,
    hows: ['invalidateTags', 'delete'],
    optionsOf: () => ({ tags: ['here'] }),
    isNamespaced: true,
  })
  expect(verdict.wrong).toEqual([])
}, 120_000)

test('P35 a removal by pattern covers loads that began before it', async () => {
  const rounds = trials(60, 600)
  const verdict = await track.run({ rounds, hows: ['invalidatePattern'] })
  expect(verdict.wrong).toEqual([])
  expect(verdict.defeated).toBeGreaterThan(rounds / 20)
}, 120_000)

test('P35 clear() covers loads that began before it: of the namespace, and of the whole cache', async () => {
  const rounds = trials(60, 600)
  const hows = ['clear', 'clear', 'clear of the whole cache']
  const verdict = await track.run({ rounds, hows, isNamespaced: true })
  expect(verdict.wrong).toEqual([])
  expect(verdict.loads).toBeGreaterThan(rounds)
}, 120_000)
