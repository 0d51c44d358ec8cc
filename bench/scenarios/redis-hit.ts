import { tunedByHand } from '../contenders/by-hand.ts'
import type { Section } from '../measure/section.ts'
import { throughput } from '../measure/throughput.ts'
import { type FieldOptions, fill, readTask, withField } from './field.ts'
import { OBJECT_1K, OBJECTS, type Payload, TEXT_1K } from './payloads.ts'
import type { Run, Scenario } from './scenario.ts'

const IN_FLIGHT = [1, 16, 128, 1_000]
const QUICK_IN_FLIGHT = [1, 128, 1_000]

/** Reads of what lies in Redis alone, by size and by how many are under way. */
export const redisHit: Scenario = {
  name: 'redis-hit',
  about: 'reads of what lies in Redis alone: 1 to 1,000 in flight, 100 B to 100 KB',
  async measure(run) {
    const sections: Section[] = []
    for (const payload of run.isQuick ? [OBJECT_1K] : OBJECTS) {
      sections.push(...(await measureReads(run, payload, 'object')))
    }
    return [...sections, ...(await measureReads(run, TEXT_1K, 'text'))]
  },
}

async function measureReads(
  run: Run,
  payload: Payload,
  format: 'object' | 'text',
): Promise<readonly Section[]> {
  const { redis, rounds, turnMs } = run
  await redis.ask('FLUSHALL')
  const options: FieldOptions = { url: redis.url, payload, format, tier: 'shared' }
  return withField(run.contenders, options, async (players) => {
    for (const player of players) await fill(player, payload)
    const tasks = players.map((player) => readTask(player, payload))
    const sections: Section[] = []
    for (const inFlight of run.isQuick ? QUICK_IN_FLIGHT : IN_FLIGHT) {
      const title = `Redis hit, ${payload.name} ${format}, ${inFlight} in flight`
      run.progress(title)
      sections.push({
        id: `redis-hit/${format}/${payload.name}/${inFlight}`,
        title,
        figure: 'perSecond',
        baseline: tunedByHand.name,
        rows: await throughput(tasks, { redis, rounds, turnMs, inFlight }),
        ...(format === 'object' && {
          series: {
            name: `Redis hit, ${inFlight} in flight`,
            unit: 'bytes of a value',
            size: payload.bytes,
          },
        }),
      })
    }
    return sections
  })
}
