import { expect, test } from 'vitest'
import { useRaceTrack } from '../support/race-track.ts'
import { trials } from '../support/trials.ts'

const track = useRaceTrack()

test('G6 an entry that inherits is never older than an invalidation of what it is made of', async () => {
  const rounds = trials(150, 1_000, 20_000)
  const verdict = await track.run({
    rounds,
    hows: ['invalidateTags of the part', 'clear of the parts'],
    hasPart: true,
    optionsOf: (key) => ({ tags: [`tag-${key}`, 'all'] }),
  })
  expect(verdict.wrong).toEqual([])
  expect(verdict.loads).toBeGreaterThan(rounds)
}, 1_800_000)
