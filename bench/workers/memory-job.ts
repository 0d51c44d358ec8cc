import { inParallel, settingOf } from '../scenarios/field.ts'
import { keyOf, OBJECTS } from '../scenarios/payloads.ts'
import type { MemoryJob, Outcome, PreparedJob } from './job.ts'
import { openStore } from './open-store.ts'

/** Fills a local tier, and weighs the heap before and after. */
export async function prepareMemory(job: MemoryJob): Promise<PreparedJob> {
  const { contender, entries, url } = job
  const payload = OBJECTS.find(({ name }) => name === job.payload)
  if (payload === undefined) throw new Error(`No payload is named ${job.payload}`)
  const setting = settingOf(contender, { url, payload, tier: 'local', localEntries: entries * 2 })
  const store = await openStore(contender, 'local', {
    ...setting,
    // Every string a string of its own, as when it comes from a source.
    load: async (key) => JSON.parse(JSON.stringify(await setting.load(key))),
  })
  // What a first operation sets up is no entry's.
  for (let id = 0; id < 1_000; id++) await store.get(keyOf(entries + id))
  return {
    async turn(): Promise<Outcome> {
      const keys = Array.from({ length: entries }, (_, id) => keyOf(id))
      const before = weigh()
      for (let times = 0; times < 2; times++) {
        await inParallel(keys, (key) => store.get(key))
      }
      await store.idle?.()
      return { bytes: weigh() - before }
    },
  }
}

function weigh(): number {
  for (let times = 0; times < 3; times++) globalThis.gc?.()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
