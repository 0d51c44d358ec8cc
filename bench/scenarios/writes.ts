import { tunedByHand } from '../contenders/by-hand.ts'
import type { Section } from '../measure/section.ts'
import { type Task, throughput } from '../measure/throughput.ts'
import { type FieldOptions, fill, inParallel, type Player, withField } from './field.ts'
import { keyOf, OBJECT_1K, OBJECT_100B, OBJECTS, type Payload } from './payloads.ts'
import type { Run, Scenario } from './scenario.ts'

const IN_FLIGHT = 128

/** Writes of values, by their size. */
export const set: Scenario = {
  name: 'set',
  about: 'writes of 100 B to 100 KB, 128 in flight',
  async measure(run) {
    const sections: Section[] = []
    for (const payload of run.isQuick ? [OBJECT_1K] : OBJECTS) {
      const rows = await measureWrites(run, `set, ${payload.name} object`, payload, (player) =>
        setTask(player, payload),
      )
      sections.push({
        id: `set/${payload.name}`,
        title: `set, ${payload.name} object, ${IN_FLIGHT} in flight`,
        figure: 'perSecond',
        baseline: tunedByHand.name,
        rows,
        series: { name: 'set', unit: 'bytes of a value', size: payload.bytes },
      })
    }
    return sections
  },
}

/** Removal of single keys that are there. */
export const deletion: Scenario = {
  name: 'delete',
  about: 'removal of single keys, 128 in flight',
  measure: async (run) => [
    {
      id: 'delete/100 B',
      title: `delete, ${IN_FLIGHT} in flight`,
      figure: 'perSecond',
      baseline: tunedByHand.name,
      rows: await measureWrites(run, 'delete', OBJECT_100B, deleteTask),
    },
  ],
}

async function measureWrites(
  run: Run,
  title: string,
  payload: Payload,
  taskOf: (player: Player) => Task | undefined,
): Promise<Section['rows']> {
  const { contenders, redis, rounds, turnMs } = run
  run.progress(title)
  await redis.ask('FLUSHALL')
  const options: FieldOptions = { url: redis.url, payload, tier: 'shared' }
  return withField(contenders, options, async (players) => {
    const tasks: Task[] = []
    for (const player of players) {
      const task = taskOf(player)
      if (task === undefined) continue
      await fill(player, payload)
      tasks.push(task)
    }
    return throughput(tasks, { redis, rounds, turnMs, inFlight: IN_FLIGHT })
  })
}

function setTask({ contender, store }: Player, payload: Payload): Task | undefined {
  const { set } = store
  if (set === undefined) return undefined
  const entries = Array.from({ length: payload.keys }, (_, id) => [keyOf(id), payload.valueOf(id)] as const)
  return {
    contender: contender.name,
    kind: contender.kind,
    run: (index) => {
      const [key, value] = entries[index % entries.length] as readonly [string, unknown]
      return set(key, value)
    },
  }
}

function deleteTask({ contender, store }: Player): Task | undefined {
  const { delete: remove } = store
  if (remove === undefined) return undefined
  return {
    contender: contender.name,
    kind: contender.kind,
    prepare: (operations) =>
      inParallel(
        Array.from({ length: operations }, (_, id) => id),
        (id) =>
          store.set === undefined ? store.get(keyOf(id)) : store.set(keyOf(id), OBJECT_100B.valueOf(id)),
      ),
    run: (index) => remove(keyOf(index)),
  }
}
