/** The middle value; the mean of the two middle ones where their number is even. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** The value below which this share of the values lies, interpolated; `NaN` where there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)] ?? Number.NaN
  const above = sorted[Math.ceil(position)] ?? Number.NaN
  return below + (above - below) * (position % 1)
}

/** What lies in the middle of several values, and how far they lie apart. */
export interface Spread {
  readonly median: number
  readonly lowest: number
  readonly highest: number
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), lowest: Math.min(...values), highest: Math.max(...values) }
}

/**
 * The power of the size with which a cost grows: the slope of log cost over log size, by least squares. 0 = whatever
 * the size, 1 = in proportion.
 */
export function growthExponent(points: readonly { readonly size: number; readonly cost: number }[]): number {
  const logs = points.map(({ size, cost }) => ({ x: Math.log(size), y: Math.log(cost) }))
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const meanX = mean(logs.map(({ x }) => x))
  const meanY = mean(logs.map(({ y }) => y))
  const above = logs.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0)
  const below = logs.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0)
  return above / below
}
