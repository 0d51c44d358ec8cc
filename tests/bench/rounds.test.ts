import { expect, it } from 'vitest'
import { interleave } from '../../bench/measure/rounds.ts'

it('each contender takes one turn per round, in alternating order', async () => {
  const taken: string[] = []
  const turn = (contender: string) => ({
    contender,
    kind: 'peer' as const,
    take: async () => ({ perSecond: taken.push(contender) }),
  })
  const rows = await interleave(['a', 'b', 'c'].map(turn), 3)
  expect(taken.join('')).toBe('abccbaabc')
  expect(rows.map(({ contender, samples }) => [contender, samples.perSecond])).toEqual([
    ['a', [1, 6, 7]],
    ['b', [2, 5, 8]],
    ['c', [3, 4, 9]],
  ])
})
