import { type CreateCacheOptions, createCache, type LoadContext } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { describe, expect, onTestFinished, test } from 'vitest'

/** A cache in memory, whose time the test lets pass, and what it told. */
function open(options: CreateCacheOptions = {}) {
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
class Source {
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

describe('P25 stale is served only inside its window, on a manual clock', () => {
  const policies = { ttl: '60s', staleWhileRevalidate: '30s', staleIfError: '5m' } as const

  test('fresh, then stale with one load behind it, then loaded', async () => {
    const { cache, clock, told } = open(policies)
    const source = new Source(clock)
    const ask = () => cache.getOrSet('key', source.load)
    expect(await ask()).toBe(1)
    await clock.advance('59.999s')
    expect(await ask()).toBe(1)
    expect(told).toEqual([])
    await clock.advance('1ms')
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1])
    expect(told).toEqual(['stale: revalidate', 'stale: revalidate', 'stale: revalidate'])
    await cache.idle()
    expect(source.loads).toBe(2)
    expect(await ask()).toBe(2)
    await clock.advance('90s')
    expect(await ask()).toBe(3)
  })

  test('to the millisecond where the loader fails', async () => {
    const { cache, clock, told } = open({ ...policies, staleWhileRevalidate: 0 })
    const source = new Source(clock)
    const ask = () => cache.getOrSet('key', source.load)
    await ask()
    source.error = new Error('source away')
    await clock.advance('359.999s')
    expect(await ask()).toBe(1)
    expect(told).toEqual(['stale: error'])
    await clock.advance('1ms')
    await expect(ask()).rejects.toThrow('source away')
  })

  test('a refresh that fails is told, and the stale value is served until its window ends', async () => {
    const { cache, clock, told } = open(policies)
    const source = new Source(clock)
    const ask = () => cache.getOrSet('key', source.load)
    await ask()
    source.error = new Error('source away')
    await clock.advance('70s')
    expect(await ask()).toBe(1)
    await cache.idle()
    expect(told).toEqual(['stale: revalidate', 'refresh of key: source away'])
  })
})

describe('policies of a call, over those of its namespace, over those of the cache', () => {
  test('each level is heard', async () => {
    const { cache, clock } = open({ ttl: '10s' })
    const source = new Source(clock)
    const prices = cache.namespace('prices', { ttl: '20s' })
    const daily = prices.namespace('daily', { staleWhileRevalidate: '100s' })
    await cache.getOrSet('key', source.load)
    await prices.getOrSet('key', source.load)
    await daily.getOrSet('key', source.load)
    await daily.getOrSet('long', source.load, { ttl: '1h' })
    await prices.set('set', 5)
    expect(await cache.getTtl('key')).toBe(10)
    expect(await prices.getTtl('key')).toBe(20)
    expect(await daily.getTtl('key')).toBe(20)
    expect(await daily.getTtl('long')).toBe(3_600)
    expect(await prices.getTtl('set')).toBe(20)
    await clock.advance('60s')
    expect(await prices.getOrSet('key', source.load)).toBe(5)
    expect(await daily.getOrSet('key', source.load)).toBe(3)
    await cache.idle()
  })

  test('a loader may say otherwise', async () => {
    const { cache } = open()
    await cache.getOrSet('key', (context) => {
      context.setOptions({ ttl: '5s', staleIfError: '1h' })
      return 1
    })
    expect(await cache.getTtl('key')).toBe(5)
  })

  test('what is wrong is refused when the namespace is made', () => {
    const { cache } = open()
    expect(() => cache.namespace('a', { jitter: 2 })).toThrow(
      expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS' }),
    )
    expect(() => createCache({ earlyRefresh: { beta: -1 } })).toThrow(
      expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS' }),
    )
  })
})

test('P15 entries that were stored together expire spread over the jitter', async () => {
  const { cache, clock } = open({ ttl: '100s', jitter: 0.5 })
  const keys = Array.from({ length: 1_000 }, (_, index) => `key${index}`)
  await Promise.all(
    keys.map((key, index) => (index % 2 === 0 ? cache.set(key, 1) : cache.getOrSet(key, () => 1))),
  )
  const alive = async () => [...(await cache.getMany(keys)).values()].filter((value) => value === 1).length
  await clock.advance('50s')
  expect(await alive()).toBe(1_000)
  await clock.advance('25s')
  // Half of them, within six standard deviations.
  expect(Math.abs((await alive()) - 500)).toBeLessThan(95)
  await clock.advance('25s')
  expect(await alive()).toBe(0)
})

describe('soft timeout', () => {
  const policies = { staleIfError: '1h', softTimeout: '1s', hardTimeout: '5s' } as const

  test('a slow load: the stale value is served, and the load goes on', async () => {
    const { cache, clock, told } = open(policies)
    const source = new Source(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('2m')
    source.takesMs = 3_000
    const answer = cache.getOrSet('key', source.load)
    await clock.advance('999ms')
    expect(told).toEqual([])
    await clock.advance('1ms')
    expect(await answer).toBe(1)
    expect(told).toEqual(['stale: timeout'])
    await clock.advance('2s')
    await cache.idle()
    expect(source.loads).toBe(2)
    expect(await cache.get('key')).toBe(2)
  })

  test('without a stale value the caller waits', async () => {
    const { cache, clock } = open(policies)
    const source = new Source(clock)
    source.takesMs = 3_000
    const answer = cache.getOrSet('key', source.load)
    await clock.advance('3s')
    expect(await answer).toBe(1)
  })

  test('a load that fails in the background is told', async () => {
    const { cache, clock, told } = open(policies)
    const source = new Source(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('2m')
    source.takesMs = 3_000
    source.error = new Error('source away')
    const answer = cache.getOrSet('key', source.load)
    await clock.advance('3s')
    expect(await answer).toBe(1)
    await cache.idle()
    expect(told).toEqual(['stale: timeout', 'refresh of key: source away'])
  })

  test('a caller that was served and then aborts does not end the load', async () => {
    const { cache, clock } = open(policies)
    const source = new Source(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('2m')
    source.takesMs = 3_000
    const controller = new AbortController()
    const answer = cache.getOrSet('key', source.load, { signal: controller.signal })
    await clock.advance('1s')
    await answer
    controller.abort()
    await clock.advance('2s')
    expect(source.signals.at(-1)?.aborted).toBe(false)
    expect(await cache.get('key')).toBe(2)
  })

  test('what was invalidated does not stand in', async () => {
    const { cache, clock } = open(policies)
    const source = new Source(clock)
    await cache.getOrSet('key', source.load, { tags: ['t'] })
    await clock.advance('2m')
    await cache.invalidateTags(['t'])
    source.takesMs = 3_000
    const answer = cache.getOrSet('key', source.load, { tags: ['t'] })
    await clock.advance('3s')
    expect(await answer).toBe(2)
  })
})

describe('hard timeout', () => {
  test('the call rejects with a typed error that names the key, and the loader is told to stop', async () => {
    const { cache, clock } = open({ hardTimeout: '2s' })
    const source = new Source(clock)
    source.takesMs = 60_000
    const answer = cache.getOrSet('key', source.load).catch((error: unknown) => error)
    await clock.advance('1.999s')
    expect(source.signals[0]?.aborted).toBe(false)
    await clock.advance('1ms')
    expect(await answer).toMatchObject({ name: 'CacheError', code: 'CACHE_LOADER_TIMEOUT', key: 'key' })
    expect(source.signals[0]?.aborted).toBe(true)
  })

  test('the next caller begins anew, though the loader never came back', async () => {
    const { cache, clock } = open({ hardTimeout: '2s' })
    const hung = cache.getOrSet('key', () => new Promise<number>(() => {})).catch((error: unknown) => error)
    await clock.advance('2s')
    expect(await hung).toMatchObject({ code: 'CACHE_LOADER_TIMEOUT' })
    expect(await cache.getOrSet('key', () => 7)).toBe(7)
    expect(await cache.get('key')).toBe(7)
  })

  test('what came too late is not stored over what was loaded since', async () => {
    const { cache, clock } = open({ hardTimeout: '2s' })
    const source = new Source(clock)
    source.takesMs = 10_000
    const late = cache.getOrSet('key', source.load).catch((error: unknown) => error)
    await clock.advance('2s')
    await late
    source.takesMs = 0
    expect(await cache.getOrSet('key', source.load)).toBe(2)
    await clock.advance('20s')
    expect(await cache.get('key')).toBe(2)
  })

  test('one who waits longer keeps the load going for itself', async () => {
    const { cache, clock } = open()
    const source = new Source(clock)
    source.takesMs = 3_000
    const hasty = cache.getOrSet('key', source.load, { hardTimeout: '1s' }).catch((error: unknown) => error)
    const patient = cache.getOrSet('key', source.load)
    await clock.advance('3s')
    expect(await hasty).toMatchObject({ code: 'CACHE_LOADER_TIMEOUT' })
    expect(await patient).toBe(1)
    expect(source.loads).toBe(1)
  })

  test('a bound that no timer can hold is none', async () => {
    const { cache } = open({ hardTimeout: '365d', softTimeout: Number.POSITIVE_INFINITY })
    expect(await cache.getOrSet('key', () => 1)).toBe(1)
  })
})

describe('early refresh', () => {
  test('the nearer the expiry, the likelier: by its end nearly every entry has been loaded anew', async () => {
    const { cache, clock } = open({ ttl: '60s', earlyRefresh: { beta: 1 } })
    const source = new Source(clock)
    source.takesMs = 1_000
    const keys = Array.from({ length: 200 }, (_, index) => `key${index}`)
    const ask = () => Promise.all(keys.map((key) => cache.getOrSet(key, source.load)))
    const filled = ask()
    await clock.advance('1s')
    await filled
    expect(source.loads).toBe(200)
    // 59 of a minute are left, and a load takes 1 of them: exp(-50).
    for (let second = 0; second < 10; second++) {
      await ask()
      await clock.advance('1s')
    }
    expect(source.loads).toBe(200)
    await clock.advance('47.9s')
    const before = await ask()
    await clock.advance('1s')
    await cache.idle()
    const refreshed = source.loads - 200
    // 1.1 s are left: exp(-1.1) of 200 are 67, within six standard deviations.
    expect(Math.abs(refreshed - 200 * Math.exp(-1.1))).toBeLessThan(40)
    expect(before.every((value) => value <= 200)).toBe(true)
    expect(cache.stats().total.earlyRefreshes).toBe(refreshed)
    expect(cache.stats().total.staleServes).toBe(0)
  })

  test('without it nothing is loaded before its time', async () => {
    const { cache, clock } = open({ ttl: '60s', earlyRefresh: { beta: 100 } })
    const source = new Source(clock)
    source.takesMs = 1_000
    const first = cache.getOrSet('key', source.load)
    await clock.advance('1s')
    await first
    await clock.advance('58s')
    for (let call = 0; call < 50; call++) await cache.getOrSet('key', source.load, { earlyRefresh: false })
    await cache.idle()
    expect(source.loads).toBe(1)
    await cache.getOrSet('key', source.load)
    await clock.advance('1s')
    expect(source.loads).toBe(2)
  })
})

describe('a source that has nothing any more', () => {
  const gone = () => undefined as number | undefined

  test('a refresh that brings undefined ends the stale value', async () => {
    const { cache, clock } = open({ ttl: '1m', staleWhileRevalidate: '1d', staleIfError: '1d' })
    await cache.getOrSet<number | undefined>('key', () => 1)
    await clock.advance('2m')
    expect(await cache.getOrSet('key', gone)).toBe(1)
    await cache.idle()
    expect(await cache.getOrSet('key', gone)).toBeUndefined()
    await expect(cache.getOrSet('key', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
  })

  test('refresh() ends a fresh one', async () => {
    const { cache } = open()
    await cache.getOrSet<number | undefined>('key', () => 1)
    expect(await cache.refresh('key', gone)).toBeUndefined()
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.backend.get('key')).toBeUndefined()
    expect(await cache.getOrSet('key', () => 2)).toBe(2)
  })

  test('a loader that skips leaves what is there', async () => {
    const { cache } = open()
    await cache.getOrSet<number | undefined>('key', () => 1)
    await cache.refresh<number | undefined>('key', (context) => {
      context.skip()
      return undefined
    })
    expect(await cache.get('key')).toBe(1)
  })
})

describe('a conditional refresh', () => {
  const policies = { ttl: '1m', staleWhileRevalidate: '1h' } as const

  test('is told of the stale value, and may say that it is still right', async () => {
    const { cache, clock } = open(policies)
    await cache.getOrSet('key', () => ({ etag: 'a' }), { tags: ['t'] })
    await clock.advance('90s')
    const seen: unknown[] = []
    const ask = () =>
      cache.getOrSet<{ etag: string }>(
        'key',
        (context) => {
          seen.push(context.stale())
          return context.notModified()
        },
        { tags: ['t'] },
      )
    expect(await ask()).toEqual({ etag: 'a' })
    await cache.idle()
    expect(seen).toEqual([{ value: { etag: 'a' }, age: 90, loadCost: 0, tags: ['t'] }])
    expect(await cache.get('key')).toEqual({ etag: 'a' })
    expect(await cache.getTtl('key')).toBe(60)
    expect(cache.stats().total).toMatchObject({ loads: 2, loadErrors: 0 })
  })

  test('knows the age of what never expires', async () => {
    const { cache, clock } = open({ ttl: Number.POSITIVE_INFINITY })
    await cache.getOrSet('key', () => 1)
    await clock.advance('90s')
    expect(await cache.refresh('key', (context) => context.stale()?.age)).toBe(90)
  })

  test('keeps the tags that only the first load told', async () => {
    const { cache, clock } = open(policies)
    const load = (context: LoadContext) => {
      if (context.stale() !== undefined) context.notModified()
      context.addTags(['told'])
      return 1
    }
    await cache.getOrSet('warm', () => 0, { tags: ['told'] })
    await cache.getOrSet('key', load)
    expect(await cache.get('key')).toBe(1)
    await clock.advance('90s')
    await cache.getOrSet('key', load)
    await cache.idle()
    expect(await cache.getTtl('key')).toBe(60)
    await cache.invalidateTags(['told'])
    expect(await cache.get('key')).toBeUndefined()
  })

  test('a loader that catches what notModified throws need not hand it on', async () => {
    const { cache, clock } = open(policies)
    await cache.set('key', 1)
    await clock.advance('90s')
    await cache.getOrSet('key', (context) => {
      try {
        return context.notModified()
      } catch {
        return 2
      }
    })
    await cache.idle()
    expect(await cache.get('key')).toBe(1)
  })

  test('where there is nothing stale, nothing can be kept', async () => {
    const { cache } = open()
    const asked = cache.getOrSet('key', (context) => {
      expect(context.stale()).toBeUndefined()
      return context.notModified()
    })
    await expect(asked).rejects.toMatchObject({ code: 'CACHE_INVALID_ARGUMENT' })
  })

  test('what was invalidated is not offered', async () => {
    const { cache, clock } = open(policies)
    await cache.getOrSet('key', () => 1, { tags: ['t'] })
    await clock.advance('90s')
    await cache.invalidateTags(['t'])
    const stale = await cache.getOrSet('key', (context) => ({ was: context.stale()?.value ?? 'nothing' }), {
      tags: ['t'],
    })
    expect(stale).toEqual({ was: 'nothing' })
  })
})

describe('refresh()', () => {
  test('loads, however fresh what is cached, and stores it', async () => {
    const { cache, clock } = open()
    const source = new Source(clock)
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    expect(await cache.refresh('key', source.load)).toBe(2)
    expect(await cache.get('key')).toBe(2)
  })

  test('others are served meanwhile', async () => {
    const { cache, clock } = open()
    const source = new Source(clock)
    await cache.getOrSet('key', source.load)
    source.takesMs = 1_000
    const refreshed = cache.refresh('key', source.load)
    await clock.advance('500ms')
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    await clock.advance('500ms')
    expect(await refreshed).toBe(2)
  })

  test('those who ask at once share a load, those who come while it runs do not', async () => {
    const { cache, clock } = open()
    const source = new Source(clock)
    await cache.getOrSet('key', source.load)
    source.takesMs = 1_000
    const many = Promise.all(Array.from({ length: 10 }, () => cache.refresh('key', source.load)))
    await clock.advance('500ms')
    const late = cache.refresh('key', source.load)
    await clock.advance('5s')
    expect(await many).toEqual(new Array(10).fill(2))
    expect(await late).toBe(3)
    expect(source.loads).toBe(3)
    expect(await cache.get('key')).toBe(3)
  })

  test('a load that had begun before is replaced', async () => {
    const { cache, clock } = open()
    const source = new Source(clock)
    source.takesMs = 1_000
    const first = cache.getOrSet('key', source.load)
    await clock.advance('500ms')
    const refreshed = cache.refresh('key', source.load)
    await clock.advance('5s')
    expect(await first).toBe(1)
    expect(await refreshed).toBe(2)
    expect(await cache.get('key')).toBe(2)
  })

  test('its failure leaves what is cached', async () => {
    const { cache, clock } = open()
    const source = new Source(clock)
    await cache.getOrSet('key', source.load)
    source.error = new Error('source away')
    await expect(cache.refresh('key', source.load)).rejects.toThrow('source away')
    expect(await cache.get('key')).toBe(1)
  })
})

describe('work in the background', () => {
  const policies = { ttl: '1m', staleWhileRevalidate: '1h' } as const

  test('idle() waits for it', async () => {
    const { cache, clock } = open(policies)
    const source = new Source(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('2m')
    source.takesMs = 3_000
    await cache.getOrSet('key', source.load)
    expect(cache.stats().underWay.background).toBe(1)
    let isIdle = false
    const idle = cache.idle().then(() => {
      isIdle = true
    })
    await clock.advance('2.9s')
    expect(isIdle).toBe(false)
    await clock.advance('100ms')
    await idle
    expect(cache.stats().underWay).toEqual({ loads: 0, background: 0 })
  })

  test('shutdown() waits for it, so that what it loaded is stored', async () => {
    const { cache, clock, told } = open(policies)
    const source = new Source(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('2m')
    source.takesMs = 3_000
    await cache.getOrSet('key', source.load)
    let isClosed = false
    const closing = cache.shutdown().then(() => {
      isClosed = true
    })
    await clock.advance('2.9s')
    expect(isClosed).toBe(false)
    await clock.advance('100ms')
    await closing
    expect(told).toEqual(['stale: revalidate'])
  })

  test('but no longer than its bound, and then aborts it', async () => {
    const { cache, clock, told } = open({ ...policies, drain: '2s' })
    const source = new Source(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('2m')
    source.takesMs = 600_000
    await cache.getOrSet('key', source.load)
    const closing = cache.shutdown()
    await clock.advance('1.9s')
    expect(source.signals.at(-1)?.aborted).toBe(false)
    await clock.advance('100ms')
    await closing
    expect(source.signals.at(-1)?.aborted).toBe(true)
    expect(told).toEqual(['stale: revalidate', 'refresh of key: The cache has been shut down'])
  })

  test('a refresh that hangs is given up, and the next one begins', async () => {
    const { cache, clock, told } = open({ ...policies, longestLoad: '10s' })
    await cache.getOrSet('key', () => 1)
    await clock.advance('2m')
    expect(await cache.getOrSet('key', () => new Promise<number>(() => {}))).toBe(1)
    await clock.advance('10s')
    expect(told.at(-1)).toMatch(/^refresh of key: The value was not loaded within/)
    expect(await cache.getOrSet('key', () => 2)).toBe(1)
    await cache.idle()
    expect(await cache.get('key')).toBe(2)
  })

  test('a process without listeners is not disturbed by what fails in the background', async () => {
    const clock = new ManualClock()
    const cache = createCache({ clock, ...policies })
    await cache.getOrSet('key', () => 1)
    await clock.advance('2m')
    await cache.getOrSet('key', () => Promise.reject(new Error('source away')))
    await cache.idle()
    const closing = cache.shutdown()
    await clock.advance('10s')
    await closing
  })
})
