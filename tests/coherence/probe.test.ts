import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'vitest'
import { startStandalone } from '../../testbed/redis-standalone.ts'
import { Opened, warmed, dropped } from './caches.ts'
setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void
test('growth', async () => {
  const opened = new Opened()
  const redis = await startStandalone()
  const cache = opened.cache({ redis: redis.url })
  await warmed(cache, 'kept')
  await redis.kill()
  await dropped(cache, 'kept')
  for (let step = 0; step < 5; step++) {
    const t = performance.now()
    for (let b = 0; b < 30; b++) await Promise.all(Array.from({ length: 1000 }, (_, n) => cache.delete(`d:${step}:${b}:${n}`)))
    const ms = performance.now() - t
    gc(); gc()
    console.log(step, Math.round(process.memoryUsage().heapUsed / 1e3), 'kB', Math.round(ms), 'ms')
  }
  await opened.close()
  await redis.stop()
}, 120000)
