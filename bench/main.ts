import { startStandalone } from '../testbed/redis-standalone.ts'
import { median } from './measure/statistics.ts'
import { redisHit } from './scenarios/redis-hit.ts'

const redis = await startStandalone({ args: ['--slowlog-log-slower-than', '5000'] })
try {
  const s = await redisHit.measure({ redis, rounds: 3, turnMs: 60, isQuick: true, progress: console.log })
  for (const x of s) {
    console.log(x.title)
    for (const r of x.rows)
      console.log(
        r.contender,
        Object.entries(r.samples)
          .map(([k, v]) => `${k}=${median(v).toFixed(2)}`)
          .join(' '),
      )
  }
} finally {
  await redis.stop()
}
