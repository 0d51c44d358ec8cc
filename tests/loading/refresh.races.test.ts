import { expect, test } from 'vitest'
import { useRaceTrack } from '../support/race-track.ts'
import { trials } from '../support/trials.ts'

const track = useRaceTrack()

test('P17 a background refresh never overwrites a newer value', async () => {
  const rounds = trials(150, 1_000, 4_000)
  const verdict = await track.run({
    rounds,
    hows: ['set for long', 'delete', 'set', 'invalidateTags', 'set for long'],
    // Stale as soon as it is stored, so that every read begins a refresh.
    optionsOf: (key) => ({ ttl: '1ms', staleWhileRevalidate: '10m', tags: [`tag-${key}`] }),
    isPrimed: true,
  })
  expect(verdict.wrong).toEqual([])
  expect(verdict.defeated).toBeGreaterThan(rounds / 10)
}, 300_000)
