import { type CreateCacheOptions, createCache, type LoadContext } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { onTestFinished } from 'vitest'

/** A cache in memory, whose time the test lets pass, and what it told. */
export function openTimed(options: CreateCacheOptions = {}) {
  const clock = new ManualClock()
  const cache = createCache({ clock, ttl: '1m', ...options })
  const told: string[] = []
  cache.on('stale', ({ reason }) => told.push(`stale: ${reason}`))
  cache.on('background-error', ({ error, key, task }) =>
    told.push(`${task} of ${key}: ${(error as Error).message}`),
  )
  onTestFinished(async () => {
    const closing = cache.shutdown()
    await clock.advance('1h')
    await closing
  })
  return { cache, clock, told }
}

/** A source whose loads take time, and bring one number after the other. */
export class TimedSource {
  loads = 0
  takesMs = 0
  error: Error | undefined
  readonly signals: AbortSignal[] = []
  readonly #clock: ManualClock

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  readonly load = async ({ signal }: LoadContext): Promise<number> => {
    const number = ++this.loads
    this.signals.push(signal)
    const { error, takesMs } = this
    if (takesMs > 0) await new Promise<void>((resolve) => void this.#clock.after(takesMs, resolve))
    if (error !== undefined) throw error
    return number
  }
}
