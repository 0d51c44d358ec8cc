import { startStandalone } from '../testbed/redis-standalone.ts'
import { CONTENDERS } from './contenders/contenders.ts'
import { formatSection } from './report/markdown.ts'
import { clear, tagInvalidation } from './scenarios/removals.ts'
import { tagReads } from './scenarios/tag-reads.ts'
import { memory } from './scenarios/memory.ts'
import { coldStart } from './scenarios/cold-start.ts'
import { zipf } from './scenarios/zipf.ts'
import { stampede } from './scenarios/stampede.ts'
import { keySpace } from './scenarios/key-space.ts'
const redis = await startStandalone({ args: ['--slowlog-log-slower-than', '5000'] })
try {
  for (const one of [tagReads, clear, tagInvalidation, stampede, coldStart, memory,  zipf, keySpace]) {
  const t = performance.now()
  try {
  const s = await one.measure({ redis, rounds: 1, turnMs: 50, isQuick: true, progress: console.log, contenders: CONTENDERS })
  for (const x of s) console.log(formatSection(x, []))
  } catch (e) { console.log('FAILED', one.name, e) }
  console.log(performance.now() - t)
  }
} finally { await redis.stop() }
