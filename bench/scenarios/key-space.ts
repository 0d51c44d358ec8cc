import { RedisCacheBackend } from 'cachewright/redis'
import { interleave } from '../measure/rounds.ts'
import type { Scenario } from './scenario.ts'

const KEYS = 1_000_000
const FILLED_AT_ONCE = 10_000
const FILL =
  "for index = ARGV[1], ARGV[2] do redis.call('SET', 'memory:key:' .. index, index, 'PX', 3600000) end"
const SAMPLE_EVERY_MS = 20
const MIB = 1024 * 1024
/** Its figures hardly depend on the moment, and it takes a while. */
const ROUNDS = 1

/** Resident memory of this process while operations over a million keys run. */
export const keySpace: Scenario = {
  name: 'key-space',
  about: 'resident memory of this process while operations over a million keys run',
  async measure({ progress, redis }) {
    progress('operations over a million keys')
    await redis.ask('FLUSHALL')
    await using backend = new RedisCacheBackend({ url: redis.url, prefix: 'memory:', commandTimeout: '60s' })
    await backend.initialize()
    // On the server's side, so that this process begins with little in memory.
    const fill = async () => {
      for (let start = 0; start < KEYS; start += FILLED_AT_ONCE) {
        await redis.ask('EVAL', FILL, 0, start, start + FILLED_AT_ONCE - 1)
      }
    }
    const keys = () => Array.from({ length: KEYS }, (_, index) => `key:${index}`)
    const works: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['clear()', () => backend.clear()],
      ["invalidatePattern('key:*')", () => backend.invalidatePattern('key:*')],
      ['getMany of 1,000,000', () => backend.getMany(keys())],
      ['deleteMany of 1,000,000', () => backend.deleteMany(keys())],
    ]
    const turns = works.map(([contender, work]) => ({
      contender,
      kind: 'ours' as const,
      take: async () => {
        await fill()
        return watch(work)
      },
    }))
    return [
      {
        id: 'key-space/1000000',
        title: 'resident memory over a million keys',
        figure: 'peakMib',
        baseline: 'clear()',
        rows: await interleave(turns, ROUNDS),
      },
    ]
  },
}

async function watch(work: () => Promise<unknown>): Promise<{ peakMib: number; ms: number }> {
  globalThis.gc?.()
  const startBytes = process.memoryUsage.rss()
  let peakBytes = startBytes
  const sampler = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
  }, SAMPLE_EVERY_MS)
  const startMs = performance.now()
  await work()
  const ms = performance.now() - startMs
  clearInterval(sampler)
  return { peakMib: (peakBytes - startBytes) / MIB, ms }
}
