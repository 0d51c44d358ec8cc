import { bareLru } from '../contenders/bare-lru.ts'
import { tunedByHand } from '../contenders/by-hand.ts'
import { parseInfo } from '../measure/redis-load.ts'
import { interleave } from '../measure/rounds.ts'
import type { Section } from '../measure/section.ts'
import { Fleet } from '../workers/fleet.ts'
import { inParallel, withField } from './field.ts'
import { keyOf, OBJECT_1K, OBJECTS, type Payload } from './payloads.ts'
import type { Run, Scenario } from './scenario.ts'

const BUDGET_BYTES = 20_000_000
const MOST_ENTRIES = 20_000
/** Bytes do not depend on the moment: one round tells as much as many. */
const ROUNDS = 1

/** What an entry takes, in the process and in Redis. */
export const memory: Scenario = {
  name: 'memory',
  about: 'memory of a cached entry, in the process and in Redis',
  async measure(run) {
    const sections: Section[] = []
    for (const payload of run.isQuick ? [OBJECT_1K] : OBJECTS.slice(0, 3)) {
      sections.push(await inProcess(run, payload), await inRedis(run, payload))
    }
    return sections
  },
}

async function inProcess(run: Run, payload: Payload): Promise<Section> {
  const title = `memory of an entry in the process, ${payload.name} object`
  run.progress(title)
  const entries = Math.min(MOST_ENTRIES, Math.round(BUDGET_BYTES / payload.bytes))
  const turns = run.contenders
    .filter(({ openLocal }) => openLocal !== undefined)
    .map(({ kind, name }) => ({
      contender: name,
      kind,
      take: async () => {
        await run.redis.ask('FLUSHALL')
        const { url } = run.redis
        const fleet = await Fleet.start([
          { kind: 'memory', url, contender: name, payload: payload.name, entries },
        ])
        try {
          const [outcome] = await fleet.turn(0)
          return { bytesPerEntry: (outcome?.bytes ?? Number.NaN) / entries }
        } finally {
          await fleet.end()
        }
      },
    }))
  return {
    id: `memory/process/${payload.name}`,
    title,
    figure: 'bytesPerEntry',
    baseline: bareLru.name,
    rows: await interleave(turns, Math.min(ROUNDS, run.rounds)),
    series: { name: 'memory in the process', unit: 'bytes of a value', size: payload.bytes },
  }
}

async function inRedis(run: Run, payload: Payload): Promise<Section> {
  const { contenders, redis } = run
  const title = `memory of an entry in Redis, ${payload.name} object`
  run.progress(title)
  const entries = Math.min(MOST_ENTRIES, Math.round(BUDGET_BYTES / payload.bytes))
  const ids = Array.from({ length: entries }, (_, id) => id)
  const rows = await withField(contenders, { url: redis.url, payload, tier: 'shared' }, (players) =>
    interleave(
      players.map(({ contender, store }) => ({
        contender: contender.name,
        kind: contender.kind,
        take: async () => {
          await redis.ask('FLUSHALL')
          const write = (id: number) =>
            store.set === undefined ? store.get(keyOf(id)) : store.set(keyOf(id), payload.valueOf(id))
          await write(entries)
          const before = await usedMemory(run)
          await inParallel(ids, write)
          return { redisBytesPerEntry: ((await usedMemory(run)) - before) / entries }
        },
      })),
      Math.min(ROUNDS, run.rounds),
    ),
  )
  return {
    id: `memory/redis/${payload.name}`,
    title,
    figure: 'redisBytesPerEntry',
    baseline: tunedByHand.name,
    rows,
    series: { name: 'memory in Redis', unit: 'bytes of a value', size: payload.bytes },
  }
}

async function usedMemory({ redis }: Run): Promise<number> {
  return Number(parseInfo(String(await redis.ask('INFO', 'memory'))).get('used_memory'))
}
