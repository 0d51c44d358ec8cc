import { tunedByHand } from '../contenders/by-hand.ts'
import { backendOnBus } from '../contenders/ours.ts'
import type { Section } from '../measure/section.ts'
import { type Task, throughput } from '../measure/throughput.ts'
import { type Player, withField } from './field.ts'
import { keyOf, OBJECT_100B } from './payloads.ts'
import type { Run, Scenario } from './scenario.ts'

const KEYS = 1_000
const MANY_IN_FLIGHT = 128

/** Counters. By hand that is a bare INCR; ours also give a new counter its time to live in the same step. */
export const counters: Scenario = {
  name: 'counters',
  about: 'INCR of 1,000 counters that are there, 1 and 128 in flight, without and with an invalidation bus',
  async measure(run) {
    const sections: Section[] = []
    for (const inFlight of run.isQuick ? [MANY_IN_FLIGHT] : [1, MANY_IN_FLIGHT]) {
      sections.push({
        id: `counters/${inFlight}`,
        title: `incr, ${inFlight} in flight`,
        figure: 'perSecond',
        baseline: tunedByHand.name,
        rows: await measureCounts(run, inFlight),
      })
    }
    return sections
  },
}

async function measureCounts(run: Run, inFlight: number): Promise<Section['rows']> {
  const { contenders, redis, rounds, turnMs } = run
  run.progress(`incr, ${inFlight} in flight`)
  await redis.ask('FLUSHALL')
  const field = [...contenders, backendOnBus]
  return withField(field, { url: redis.url, payload: OBJECT_100B, tier: 'shared' }, async (players) => {
    const tasks = players.map(countTask).filter((task) => task !== undefined)
    return throughput(tasks, { redis, rounds, turnMs, inFlight })
  })
}

function countTask({ contender, store }: Player): Task | undefined {
  const { incr } = store
  if (incr === undefined) return undefined
  const keys = Array.from({ length: KEYS }, (_, id) => keyOf(id))
  return {
    contender: contender.name,
    kind: contender.kind,
    run: (index) => incr(keys[index % KEYS] as string),
  }
}
