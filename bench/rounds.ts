/** One way to do the work of a scenario. */
export interface Contender {
  readonly name: string
  /** One operation; `index` counts up, for choosing a key. */
  run(index: number): Promise<unknown>
}

/** How a scenario is run. */
export interface RoundOptions {
  /** Operations under way at a time. */
  readonly inFlight: number
  /** Operations of one turn of one contender. */
  readonly operations: number
  /** Interleaved rounds that count, after one that does not. */
  readonly rounds: number
}

/** What a contender did, relative to the first one. */
export interface Result {
  readonly name: string
  /** Median operations a second. */
  readonly perSecond: number
  /** Median, least and greatest of the ratios to the first contender, each taken within one round. */
  readonly ratio: number
  readonly lowest: number
  readonly highest: number
}

/**
 * Runs the contenders in turn, round after round, in alternating order, and compares within each round: on a
 * shared machine the speed of a moment means nothing, and the ratio of two neighbouring moments means much.
 */
export async function compare(
  contenders: readonly Contender[],
  options: RoundOptions,
): Promise<readonly Result[]> {
  const speeds = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round <= options.rounds; round++) {
    const order = round % 2 === 0 ? contenders : [...contenders].reverse()
    for (const contender of order) {
      const speed = await turn(contender, options)
      if (round > 0) speeds.get(contender.name)?.push(speed)
    }
  }
  const [baseline = []] = speeds.values()
  return Array.from(speeds, ([name, perRound]) => {
    const ratios = perRound.map((speed, round) => speed / (baseline[round] as number))
    return {
      name,
      perSecond: median(perRound),
      ratio: median(ratios),
      lowest: Math.min(...ratios),
      highest: Math.max(...ratios),
    }
  })
}

async function turn({ run }: Contender, { inFlight, operations }: RoundOptions): Promise<number> {
  let next = 0
  const worker = async () => {
    while (next < operations) await run(next++)
  }
  // Nobody pays for what the one before left behind (`npm run bench` exposes the collector).
  globalThis.gc?.()
  const startMs = performance.now()
  await Promise.all(Array.from({ length: inFlight }, worker))
  return operations / ((performance.now() - startMs) / 1_000)
}

/** The middle value; the mean of the two middle ones where their number is even. */
function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** The value below which this share of the values lies, interpolated. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)] ?? Number.NaN
  const above = sorted[Math.ceil(position)] ?? Number.NaN
  return below + (above - below) * (position % 1)
}
