import type { Contender } from '../contenders/contender.ts'
import { cache, cacheUntracked } from '../contenders/ours.ts'
import { redisLoad } from '../measure/redis-load.ts'
import { interleave, type Turn } from '../measure/rounds.ts'
import type { Measured } from '../measure/section.ts'
import { type FieldOptions, fill, withField } from './field.ts'
import { keyOf, OBJECT_1K } from './payloads.ts'
import type { Run, Scenario } from './scenario.ts'

const TAGS = ['users', 'team:7', 'tenant:3', 'public', 'v2']
/** One after the other, so that what could share a command has nothing to share it with. */
const READS = 500

/** Reads of entries with five tags that the process does not hold yet. */
export const tagReads: Scenario = {
  name: 'tag-reads',
  about: 'reads of entries with five tags, and the commands they take',
  async measure(run) {
    run.progress('reads of entries with five tags')
    await run.redis.ask('FLUSHALL')
    const rows = await interleave(
      [
        ...turnsOf(run, [...run.contenders, cacheUntracked], 'local'),
        ...turnsOf(run, run.contenders, 'shared', ', nothing in the process'),
      ],
      run.rounds,
    )
    return [
      {
        id: 'tag-reads/5',
        title: 'reads of entries with five tags, one after the other',
        figure: 'commands',
        baseline: cache.name,
        rows,
      },
    ]
  },
}

function turnsOf(
  { redis }: Run,
  contenders: readonly Contender[],
  tier: FieldOptions['tier'],
  suffix = '',
): readonly Turn[] {
  const takers = contenders.filter(
    ({ hasTags, isTiered, openLocal, openShared }) =>
      hasTags && (tier === 'local' ? isTiered && openLocal : openShared),
  )
  const payload = { ...OBJECT_1K, keys: READS + 100 }
  const options: FieldOptions = { url: redis.url, payload, tier, tags: TAGS }
  return takers.map((contender) => ({
    contender: `${contender.name}${suffix}`,
    kind: contender.kind,
    // A process that has just been started: what another one stored is not in it.
    take: async () => {
      await withField([contender], options, async ([writer]) => {
        if (writer !== undefined) await fill(writer, payload)
      })
      return withField([contender], options, async ([reader]): Promise<Measured> => {
        if (reader === undefined) return {}
        for (let id = READS; id < payload.keys; id++) await reader.store.get(keyOf(id))
        const before = await redisLoad(redis)
        for (let id = 0; id < READS; id++) await reader.store.get(keyOf(id))
        const after = await redisLoad(redis)
        if (reader.loads() > 0) throw new Error(`${contender.name} has loaded what is in Redis`)
        return {
          commands: (after.commands - before.commands) / READS,
          bytesSent: (after.bytesReceived - before.bytesReceived) / READS,
          bytesReceived: (after.bytesSent - before.bytesSent) / READS,
        }
      })
    },
  }))
}
