import { setTimeout as pause } from 'node:timers/promises'
import { settingOf } from '../scenarios/field.ts'
import { keyOf, OBJECT_1K } from '../scenarios/payloads.ts'
import type { Outcome, PreparedJob, StampedeJob } from './job.ts'
import { openStore } from './open-store.ts'

/** Everybody asks at once for what nobody has. */
export async function prepareStampede(job: StampedeJob): Promise<PreparedJob> {
  const { callers, contender, firstId, loadMs, tier, url } = job
  let loads = 0
  let id = firstId
  const setting = settingOf(contender, { url, payload: OBJECT_1K, tier })
  const store = await openStore(contender, tier, {
    ...setting,
    load: async (key) => {
      loads++
      await pause(loadMs)
      return setting.load(key)
    },
  })
  // Connections that are made with the first operation are made by now.
  await store.get(keyOf(1_000_000 + process.pid))
  return {
    async turn(): Promise<Outcome> {
      loads = 0
      const key = keyOf(id++)
      const startCpu = process.cpuUsage()
      const startMs = performance.now()
      await Promise.all(Array.from({ length: callers }, () => store.get(key)))
      const { system, user } = process.cpuUsage(startCpu)
      return { loads, tookMs: performance.now() - startMs, cpuMicros: system + user }
    },
  }
}
