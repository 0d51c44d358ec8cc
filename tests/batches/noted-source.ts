import { createCache } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { onTestFinished } from 'vitest'

/** A cache in memory, and a source that notes which keys it was asked for. */
export function open() {
  const clock = new ManualClock()
  const cache = createCache({ clock, ttl: '1m' })
  onTestFinished(async () => {
    const closing = cache.shutdown()
    await clock.advance('1m')
    await closing
  })
  const asked: (readonly string[])[] = []
  const load = async (keys: readonly string[]) => {
    asked.push(keys)
    return new Map(keys.map((key) => [key, `value of ${key}`]))
  }
  return { asked, cache, clock, load }
}
