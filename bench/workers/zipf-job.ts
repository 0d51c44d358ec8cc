import { settingOf } from '../scenarios/field.ts'
import { keyOf, OBJECT_1K } from '../scenarios/payloads.ts'
import type { Outcome, PreparedJob, ZipfJob } from './job.ts'
import { openStore } from './open-store.ts'
import { seededRandom, ZipfRanks } from './zipf-ranks.ts'

const READS = 0.9
/** Local hits never yield: so often everybody lets the event loop have a turn, as a server would. */
const YIELD_EVERY = 256

/** Nine reads to one write; half the writes set a value, half delete one. */
export async function prepareZipf(job: ZipfJob): Promise<PreparedJob> {
  const { contender, inFlight, keys, localEntries, seed, tier, url } = job
  const store = await openStore(
    contender,
    tier,
    settingOf(contender, { url, payload: OBJECT_1K, tier, localEntries }),
  )
  const ranks = new ZipfRanks(keys, seed)
  const random = seededRandom(seed + 1)
  const operate = (): Promise<unknown> | undefined => {
    const id = ranks.next()
    const choice = random()
    if (choice < READS) return store.get(keyOf(id))
    if (choice < (1 + READS) / 2 && store.set) return store.set(keyOf(id), OBJECT_1K.valueOf(id))
    return store.delete?.(keyOf(id))
  }
  return {
    async turn(ms): Promise<Outcome> {
      const startCpu = process.cpuUsage()
      const startMs = performance.now()
      let operations = 0
      const caller = async () => {
        while (performance.now() - startMs < ms) {
          await operate()
          if (++operations % YIELD_EVERY === 0) await new Promise((resolve) => setImmediate(resolve))
        }
      }
      await Promise.all(Array.from({ length: inFlight }, caller))
      const { system, user } = process.cpuUsage(startCpu)
      return { operations, tookMs: performance.now() - startMs, cpuMicros: system + user }
    },
  }
}
