import { expect, test } from 'vitest'
import { useRaceTrack } from '../support/race-track.ts'
import { trials } from '../support/trials.ts'

const track = useRaceTrack()
/** Two processes change the same key at the same time. */
const transactions = { commitMs: 8, count: 2 }
const optionsOf = (key: string) => ({ tags: [`tag-${key}`] })

for (const how of ['hold its key', 'hold its tag']) {
  test(`P49 changes that ${how} let nothing older be stored after a commit, in four processes`, async () => {
    const rounds = trials(100, 250, 4_000)
    const verdict = await track.run({ rounds, transactions, hows: [how], optionsOf })
    expect(verdict.wrong).toEqual([])
    expect(verdict.storedOld).toBe(0)
    expect(verdict.loads).toBeGreaterThan(rounds)
  }, 600_000)
}

test('changes that hold nothing leave nothing older behind, but old values are stored before they end', async () => {
  const rounds = trials(100, 150, 1_000)
  const verdict = await track.run({ rounds, transactions, hows: ['hold nothing'] })
  expect(verdict.wrong).toEqual([])
  expect(verdict.storedOld).toBeGreaterThan(rounds / 20)
}, 300_000)

test('changes that outlive their holds leave nothing older behind', async () => {
  const rounds = trials(60, 100, 1_000)
  const brief = { ...transactions, hold: '4ms' } as const
  const verdict = await track.run({
    ...{ rounds, optionsOf, transactions: brief },
    hows: ['hold its key', 'hold its tag'],
  })
  expect(verdict.wrong).toEqual([])
}, 300_000)
