import { startStandalone } from '../testbed/redis-standalone.ts'
import { CONTENDERS } from './contenders/contenders.ts'
import { formatSection } from './report/markdown.ts'
import { redisHit } from './scenarios/redis-hit.ts'
import { localHit } from './scenarios/local-hit.ts'
import { policies } from './scenarios/policies.ts'
import { getMany, getOrSetMany } from './scenarios/batches.ts'
import { set, deletion } from './scenarios/writes.ts'
const redis = await startStandalone({ args: ['--slowlog-log-slower-than', '5000'] })
try {
  for (const one of [localHit, policies, getMany, getOrSetMany, set, deletion]) {
  const t = performance.now()
  const s = await one.measure({ redis, rounds: 2, turnMs: 50, isQuick: true, progress: console.log, contenders: CONTENDERS })
  for (const x of s) console.log(formatSection(x, []))
  console.log(performance.now() - t)
  }
} finally { await redis.stop() }
