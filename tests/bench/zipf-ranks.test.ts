import { describe, expect, it } from 'vitest'
import { ZipfRanks } from '../../bench/workers/zipf-ranks.ts'

function draw(ranks: number, seed: number, count: number): readonly number[] {
  const zipf = new ZipfRanks(ranks, seed)
  return Array.from({ length: count }, () => zipf.next())
}

describe('ranks by Zipf’s law', () => {
  it('are equal for equal seeds and differ for different seeds', () => {
    expect(draw(1_000, 7, 50)).toEqual(draw(1_000, 7, 50))
    expect(draw(1_000, 7, 50)).not.toEqual(draw(1_000, 8, 50))
  })

  it('stay within their range', () => {
    for (const rank of draw(3, 1, 2_000)) expect([0, 1, 2]).toContain(rank)
  })

  it('occur about twice as often as ranks at twice the position', () => {
    const drawn = draw(100, 1, 100_000)
    const times = (rank: number) => drawn.filter((one) => one === rank).length
    expect(times(0) / times(1)).toBeGreaterThan(1.8)
    expect(times(0) / times(1)).toBeLessThan(2.2)
    expect(times(0) / times(9)).toBeGreaterThan(8)
  })
})
