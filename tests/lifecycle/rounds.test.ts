import { describe, test } from 'vitest'
import { useBuild } from '../support/build.ts'
import { useScene } from '../support/scene.ts'
import { trials } from '../support/trials.ts'
import { expectNothingLeft } from './rounds.ts'

const scene = useScene({ flush: true })
useBuild('package')
const moments = (process.env.MOMENTS ?? 'at rest').split(',')
test.each(['a single server', 'a client of @redis/client', 'a client of ioredis 5', 'a client of ioredis 6', 'the memory of the process', 'a backend in memory', 'a backend in Redis'])('P43 %s', async (kind) => {
  const startMs = performance.now()
  await expectNothingLeft({ kind, moments, rounds: Number(process.env.ROUNDS ?? 100), servers: { url: scene.redis.url, pids: [scene.redis.process.pid] }, asked: [scene.redis] }).finally(() =>
  console.log(kind, performance.now() - startMs))
})
