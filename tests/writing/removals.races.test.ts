import { expect, test } from 'vitest'
import { useRaceTrack } from '../support/race-track.ts'
import { trials } from '../support/trials.ts'

const track = useRaceTrack()

test('P35 a removal by pattern covers loads that began before it', async () => {
  const rounds = trials(60, 300, 600)
  const verdict = await track.run({ rounds, hows: ['invalidatePattern'] })
  expect(verdict.wrong).toEqual([])
  expect(verdict.defeated).toBeGreaterThan(rounds / 20)
}, 300_000)

test('P35 clear() covers loads that began before it: of the namespace, and of the whole cache', async () => {
  const rounds = trials(60, 300, 600)
  const hows = ['clear', 'clear', 'clear of the whole cache']
  const verdict = await track.run({ rounds, hows, isNamespaced: true })
  expect(verdict.wrong).toEqual([])
  expect(verdict.loads).toBeGreaterThan(rounds)
}, 300_000)
