import { describe, expect, it } from 'vitest'
import { growthExponent, median, percentile, spreadOf } from '../../bench/measure/statistics.ts'

describe('the middle of several values', () => {
  it('is the middle one, whatever their order', () => {
    expect(median([3, 1, 2])).toBe(2)
  })

  it('is the mean of the two middle ones where their number is even', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5)
  })

  it('is no number where there are none', () => {
    expect(median([])).toBeNaN()
  })

  it('comes with the lowest and the highest', () => {
    expect(spreadOf([2, 9, 4])).toEqual({ median: 4, lowest: 2, highest: 9 })
  })

  it('leaves the values in their order', () => {
    const values = [3, 1, 2]
    median(values)
    expect(values).toEqual([3, 1, 2])
  })
})

describe('a percentile', () => {
  it('lies between its two neighbours', () => {
    expect(percentile([0, 10], 0.25)).toBe(2.5)
  })

  it('is the greatest value at the end', () => {
    expect(percentile([1, 5, 3], 1)).toBe(5)
  })
})

describe('the exponent of growth', () => {
  const over = (cost: (size: number) => number) =>
    growthExponent([10, 100, 1_000, 10_000].map((size) => ({ size, cost: cost(size) })))

  it('is 0 where the size does not matter', () => {
    expect(over(() => 7)).toBeCloseTo(0)
  })

  it('is 1 where the cost is in proportion, and 2 where it is to the square', () => {
    expect(over((size) => 3 * size)).toBeCloseTo(1)
    expect(over((size) => size ** 2)).toBeCloseTo(2)
  })

  it('goes through the middle of what scatters', () => {
    const points = [
      { size: 1, cost: 1 },
      { size: 10, cost: 20 },
      { size: 100, cost: 100 },
    ]
    expect(growthExponent(points)).toBeCloseTo(1)
  })
})
