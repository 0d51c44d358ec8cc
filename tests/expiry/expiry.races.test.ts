import { describe, expect, test } from 'vitest'
import { useRaceTrack } from '../support/race-track.ts'
import { trials } from '../support/trials.ts'

/** No entry has a stale window here, so none of those that were made stale may be served, or stored as fresh. */
describe.each([
  ['one server in tracking mode', {}],
  ['one server in bus mode', { cache: { coherence: { mode: 'bus' } } }],
  ['a cluster in tracking mode', { cluster: true }],
] as const)('P52 a load does not make fresh what was expired meanwhile, on %s', (_name, options) => {
  const track = useRaceTrack(options)

  test('whether by its key or by a tag', async () => {
    const rounds = trials(50, 120, 4_000)
    const verdict = await track.run({
      rounds,
      hows: ['expire', 'expireTags'],
      optionsOf: (key) => ({ tags: [`tag-${key}`, 'all'] }),
    })
    expect(verdict.wrong).toEqual([])
    expect(verdict.loads).toBeGreaterThan(rounds)
  }, 300_000)

  test('also where a value is there already', async () => {
    const verdict = await track.run({
      rounds: trials(50, 80, 2_000),
      hows: ['expire', 'expireTags', 'set for long'],
      optionsOf: (key) => ({ tags: [`tag-${key}`] }),
      isPrimed: true,
    })
    expect(verdict.wrong).toEqual([])
  }, 300_000)
})
