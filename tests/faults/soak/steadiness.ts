import type { Census } from '../traffic/worker.ts'

/** What is held at one moment while no fault lasts. */
export interface Sample {
  readonly censuses: readonly Census[]
  /** How many keys Redis holds. */
  readonly redisKeys: number
}

/** How far the later median may be above the earlier one. */
const GROWTHS = [
  { what: 'the heap', of: heapMiB, share: 0.15, more: 3, unit: ' MiB' },
  { what: 'sockets', of: (sample: Sample) => handlesOf(sample, isSocket), share: 0, more: 2, unit: '' },
  {
    what: 'timers and other handles',
    of: (sample: Sample) => handlesOf(sample, isOther),
    share: 0.1,
    more: 20,
    unit: '',
  },
  { what: 'keys in Redis', of: ({ redisKeys }: Sample) => redisKeys, share: 0.1, more: 40, unit: '' },
] as const

/** Fewer samples tell nothing. */
const FEWEST_SAMPLES = 6

/** How each of these went, from the first to the last third of the samples, and whether it has grown. Nothing of too few. */
export function steadinessOf(
  samples: readonly Sample[],
): { readonly line: string; readonly hasGrown: boolean }[] {
  if (samples.length < FEWEST_SAMPLES) return []
  const third = Math.ceil(samples.length / 3)
  return GROWTHS.map(({ more, of, share, unit, what }) => {
    const before = median(samples.slice(0, third).map(of))
    const after = median(samples.slice(-third).map(of))
    const hasGrown = after > before * (1 + share) + more
    return { hasGrown, line: `${what}: ${before.toFixed(1)}${unit}, later ${after.toFixed(1)}${unit}` }
  })
}

/** Of the process whose heap is the largest. */
function heapMiB({ censuses }: Sample): number {
  return Math.max(...censuses.map(({ heapBytes }) => heapBytes)) / 2 ** 20
}

function handlesOf({ censuses }: Sample, isCounted: (kind: string) => boolean): number {
  const counts = censuses.map(({ handles }) =>
    Object.entries(handles).reduce((sum, [kind, count]) => (isCounted(kind) ? sum + count : sum), 0),
  )
  return Math.max(...counts)
}

function isSocket(kind: string): boolean {
  return /^(TCP|Pipe|TLS)/.test(kind)
}

function isOther(kind: string): boolean {
  return !isSocket(kind)
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] as number
}
