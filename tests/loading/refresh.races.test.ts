import { expect, test } from 'vitest'
import { useRaceTrack } from '../support/race-track.ts'
import { trials } from '../support/trials.ts'

const track = useRaceTrack()

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
}, 300_000)
