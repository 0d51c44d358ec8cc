import { createClient } from '@redis/client'
import { RedisCacheBackend } from 'cachewright/redis'
import { formatCount, formatTable } from '../table.ts'

const KEYS = 1_000_000
const FILLED_AT_ONCE = 10_000
const FILL =
  "for index = ARGV[1], ARGV[2] do redis.call('SET', 'memory:key:' .. index, index, 'PX', 3600000) end"
const SAMPLE_EVERY_MS = 20
const MIB = 1024 * 1024
/** What may be in memory beside the caller's own result: batches on their way, and what awaits collection. */
const ALLOWED_MIB = 160

/**
 * Resident memory of this process while operations over a million keys run.
 * @returns whether each stayed within a bound that does not depend on the number of keys
 */
export async function benchMemory(url: string): Promise<boolean> {
  await using backend = new RedisCacheBackend({ url, prefix: 'memory:' })
  await backend.initialize()
  const filler = await createClient({ url, commandOptions: { timeout: 0 } }).connect()
  // On the server's side, so that this process begins with little in memory.
  const fill = async () => {
    for (let start = 0; start < KEYS; start += FILLED_AT_ONCE) {
      await filler.sendCommand(['EVAL', FILL, '0', String(start), String(start + FILLED_AT_ONCE - 1)])
    }
  }

  let withinBounds = true
  const rows: string[][] = []
  const measure = async (title: string, resultMib: number, work: () => Promise<unknown>) => {
    globalThis.gc?.()
    const curve: number[] = []
    const sampler = setInterval(() => curve.push(process.memoryUsage().rss / MIB), SAMPLE_EVERY_MS)
    const startMib = process.memoryUsage().rss / MIB
    const startMs = performance.now()
    await work()
    clearInterval(sampler)
    const peakMib = Math.max(startMib, ...curve)
    const met = peakMib - startMib <= ALLOWED_MIB + resultMib
    withinBounds &&= met
    rows.push([
      title,
      `${Math.round((performance.now() - startMs) / 100) / 10} s`,
      `${Math.round(startMib)} MiB`,
      `+${Math.round(peakMib - startMib)} MiB`,
      `${met ? 'within' : 'OVER'} ${ALLOWED_MIB + resultMib} MiB`,
      spark(curve),
    ])
  }

  await fill()
  await measure('clear()', 0, () => backend.clear())
  await fill()
  await measure("invalidatePattern('key:*')", 0, () => backend.invalidatePattern('key:*'))
  await fill()
  const keys = Array.from({ length: KEYS }, (_, index) => `key:${index}`)
  await measure('getMany of 1,000,000', 100, () => backend.getMany(keys))
  await measure('deleteMany of 1,000,000', 0, () => backend.deleteMany(keys))
  await filler.close()
  console.log(`\nresident memory over ${formatCount(KEYS)} keys`)
  console.log(formatTable(['operation', 'took', 'before', 'peak', 'bound', 'curve'], rows))
  return withinBounds
}

/** Forty steps of a curve as block characters, from its least to its greatest value. */
function spark(curve: readonly number[]): string {
  const blocks = '▁▂▃▄▅▆▇█'
  const least = Math.min(...curve)
  const span = Math.max(...curve) - least || 1
  return Array.from({ length: Math.min(40, curve.length) }, (_, step) => {
    const value = curve[Math.floor((step * curve.length) / Math.min(40, curve.length))] as number
    return blocks[Math.round(((value - least) / span) * (blocks.length - 1))]
  }).join('')
}
