import { type Cache, createCache } from 'cachewright'
import { compare } from '../rounds.ts'
import { formatCount, formatRatio, formatTable } from '../table.ts'

const SIZES = [100, 10_000, 1_000_000]
const OPERATIONS = 2_000
/** Ratios of a run beside another one of the same thing come to this on a busy machine. */
const NOISE = 0.6

/**
 * `invalidateTags` and `clear()` where 100, and where 1,000,000 entries bear the tag.
 * @returns whether the cost is the same
 */
export async function benchTags(url: string, rounds: number): Promise<boolean> {
  const caches = SIZES.map((size) =>
    createCache({ redis: url, prefix: `tags:${size}:`, local: false, ttl: '1h' }),
  )
  try {
    for (const [index, cache] of caches.entries()) await fill(cache, SIZES[index] as number)
    const contenders = SIZES.map((size, index) => ({
      name: `invalidateTags, ${formatCount(size)} entries`,
      run: () => (caches[index] as Cache).invalidateTags(['all']),
    }))
    const results = await compare(contenders, { inFlight: 1, operations: OPERATIONS, rounds })
    const rows = results.map(({ highest, lowest, name, perSecond, ratio }) => [
      name,
      `${Math.round(1e6 / perSecond)} µs`,
      formatRatio(ratio),
      `${lowest.toFixed(2)} – ${highest.toFixed(2)}`,
    ])
    console.log('\nInvalidation by tag, one awaited after the other')
    console.log(formatTable(['', 'each', 'speed', 'spread'], rows))
    const [first, last] = [results[0]?.perSecond ?? 0, results.at(-1)?.perSecond ?? 0]
    const exponent = Math.log(first / last) / Math.log((SIZES.at(-1) as number) / (SIZES[0] as number))
    console.log(`cost grows with the number of entries to the power of ${exponent.toFixed(3)}`)
    return (results.at(-1)?.ratio ?? 0) >= NOISE
  } finally {
    for (const cache of caches) await cache.shutdown()
  }
}

async function fill(cache: Cache, size: number): Promise<void> {
  const batch = 2_000
  for (let start = 0; start < size; start += batch) {
    const count = Math.min(batch, size - start)
    const entries = Array.from({ length: count }, (_, index) => [`key:${start + index}`, index] as const)
    if (!(await cache.setMany(entries, { tags: ['all'] }))) throw new Error('An entry was not stored')
  }
}
