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

test('P16 a delete or a write beats an earlier read, in four processes; plain cache-aside is left with old values', async () => {
  const rounds = trials(300, 4_000)
  const hows = ['delete', 'set', 'deleteMany', 'backend.delete', 'delete']
  const verdict = await track.run({ rounds, hows, withPlain: true })
  console.log(verdict)
  expect(verdict.wrong).toEqual([])
  // Else nothing was raced.
  expect(verdict.plainStale).toBeGreaterThan(rounds / 10)
  expect(verdict.defeated).toBeGreaterThan(rounds / 10)
}, 120_000)
