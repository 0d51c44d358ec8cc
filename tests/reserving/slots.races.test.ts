import { describe, expect, it } from 'vitest'
import { useRaceTrack } from '../support/race-track.ts'
import { trials } from '../support/trials.ts'

const OURS = ['delete', 'set', 'invalidateTags', 'invalidatePattern', 'clear', 'plain.set'] as const

/** Four processes reserve keys, fill their slots and load, while one of them changes the source. */
describe.each([
  ['one server in tracking mode', { hows: [...OURS, 'foreign DEL'] }],
  ['one server in bus mode', { cache: { coherence: { mode: 'bus' } }, hows: OURS }],
  ['a cluster in tracking mode', { cluster: true, hows: OURS }],
  ['a cluster in bus mode', { cluster: true, cache: { coherence: { mode: 'bus' } }, hows: OURS }],
] as const)(
  'P45 a fill is never stored after an invalidation, and says so, on %s',
  (_where, { hows, ...options }) => {
    const track = useRaceTrack(options)

    it.each(['any', 'waiting'] as const)(
      'slots: %s',
      async (slots) => {
        const verdict = await track.run({
          // A round of each kind in turn.
          rounds: hows.length * trials(3, 15, 4_000),
          hows,
          optionsOf: (key) => ({ tags: [`tag-${key}`, 'all'] }),
          isNamespaced: true,
          slots,
        })
        expect(verdict.wrong).toEqual([])
        expect(verdict.filled, 'slots that were filled').toBeGreaterThan(0)
      },
      1_800_000,
    )

    it('tags that only the fill names', async () => {
      const verdict = await track.run({
        rounds: trials(8, 40, 4_000),
        hows: ['invalidateTags'],
        lateTagsOf: (key) => [`late-${key}`, 'all'],
        slots: 'any',
      })
      expect(verdict.wrong).toEqual([])
    }, 1_800_000)
  },
)
