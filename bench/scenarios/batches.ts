import { tunedByHand } from '../contenders/by-hand.ts'
import type { Section } from '../measure/section.ts'
import { type Task, throughput } from '../measure/throughput.ts'
import { type FieldOptions, fill, type Player, withField } from './field.ts'
import { keyOf, OBJECT_1K } from './payloads.ts'
import type { Run, Scenario } from './scenario.ts'

const SIZES = [10, 100, 1_000]
const IN_FLIGHT = 4
/** One key in so many is missing where what is missing gets loaded. */
const MISSING = 10

/** Reads of many keys at once. */
export const getMany: Scenario = {
  name: 'getMany',
  about: 'reads of 10, 100 and 1,000 keys at once',
  measure: (run) =>
    measureBatches(run, 'getMany', ({ contender, store }, size) => {
      const { getMany } = store
      if (getMany === undefined) return undefined
      const batches = batchesOf(size)
      const run = (index: number) => getMany([...(batches[index % batches.length] as string[])])
      return { contender: contender.name, kind: contender.kind, run }
    }),
}

/** The same where one key in ten is missing, and loaded. */
export const getOrSetMany: Scenario = {
  name: 'getOrSetMany',
  about: 'the same, and one key in ten is missing and gets loaded',
  measure: (run) =>
    measureBatches(run, 'getOrSetMany', ({ contender, store }, size) => {
      const { getOrSetMany } = store
      if (getOrSetMany === undefined) return undefined
      const batches = batchesOf(size)
      const missing = size / MISSING
      let nextId = OBJECT_1K.keys
      const run = (index: number) => {
        const keys = [...(batches[index % batches.length] as string[])]
        for (let key = 0; key < missing; key++) keys[key] = keyOf(nextId++)
        return getOrSetMany(keys)
      }
      return { contender: contender.name, kind: contender.kind, run }
    }),
}

function batchesOf(size: number): readonly string[][] {
  return Array.from({ length: Math.floor(OBJECT_1K.keys / size) }, (_, batch) =>
    Array.from({ length: size }, (_, position) => keyOf(batch * size + position)),
  )
}

async function measureBatches(
  run: Run,
  name: string,
  taskOf: (player: Player, size: number) => Task | undefined,
): Promise<readonly Section[]> {
  const { contenders, isQuick, redis, rounds, turnMs } = run
  const options: FieldOptions = { url: redis.url, payload: OBJECT_1K, tier: 'shared' }
  const sections: Section[] = []
  for (const size of isQuick ? [100] : SIZES) {
    const title = `${name} of ${size} objects of 1 KB, ${IN_FLIGHT} in flight`
    run.progress(title)
    await redis.ask('FLUSHALL')
    const rows = await withField(contenders, options, async (players) => {
      const tasks: Task[] = []
      for (const player of players) {
        const task = taskOf(player, size)
        if (task === undefined) continue
        await fill(player, OBJECT_1K)
        tasks.push(task)
      }
      return throughput(tasks, { redis, rounds, turnMs, inFlight: IN_FLIGHT })
    })
    sections.push({
      id: `${name}/${size}`,
      title,
      figure: 'perSecond',
      baseline: tunedByHand.name,
      rows,
      series: { name, unit: 'keys', size },
    })
  }
  return sections
}
