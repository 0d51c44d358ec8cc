import { describe, expect, it } from 'vitest'
import { growthExponent, median, percentile, spreadOf } from '../../bench/measure/statistics.ts'

describe('the median', () => {
  it('is the middle value in any order', () => {
    expect(median([3, 1, 2])).toBe(2)
  })

  it('is the mean of the two middle values of an even number', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5)
  })

  it('is NaN without values', () => {
    expect(median([])).toBeNaN()
  })

  it('is reported with the lowest and the highest value', () => {
    expect(spreadOf([2, 9, 4])).toEqual({ median: 4, lowest: 2, highest: 9 })
  })

  it('does not reorder its input', () => {
    const values = [3, 1, 2]
    median(values)
    expect(values).toEqual([3, 1, 2])
  })
})

describe('a percentile', () => {
  it('is interpolated between its two neighbours', () => {
    expect(percentile([0, 10], 0.25)).toBe(2.5)
  })

  it('of 1 is the greatest value', () => {
    expect(percentile([1, 5, 3], 1)).toBe(5)
  })
})

describe('the exponent of growth', () => {
  const over = (cost: (size: number) => number) =>
    growthExponent([10, 100, 1_000, 10_000].map((size) => ({ size, cost: cost(size) })))

  it('is 0 if the cost does not depend on the size', () => {
    expect(over(() => 7)).toBeCloseTo(0)
  })

  it('is 1 for a linear cost and 2 for a quadratic cost', () => {
    expect(over((size) => 3 * size)).toBeCloseTo(1)
    expect(over((size) => size ** 2)).toBeCloseTo(2)
  })

  it('is fitted through scattered points', () => {
    const points = [
      { size: 1, cost: 1 },
      { size: 10, cost: 20 },
      { size: 100, cost: 100 },
    ]
    expect(growthExponent(points)).toBeCloseTo(1)
  })
})
