import { type Cache, type CacheError, createCache, type StandardSchema } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { openTimed, TimedSource } from '../support/timed-source.ts'

const NOT_FOUND: Error = Object.assign(new Error('not found'), { status: 404 })
const UNAVAILABLE: Error = Object.assign(new Error('unavailable'), { status: 503 })

const anything: StandardSchema<unknown> = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
}

/** A cache with a stale value under `'key'`, and its source. */
async function withStaleValue(options: Parameters<typeof openTimed>[0] = {}) {
  const timed = openTimed({ ttl: '10s', staleIfError: '1h', ...options })
  const source = new TimedSource(timed.clock)
  await timed.cache.getOrSet('key', source.load)
  await timed.clock.advance('10s')
  return { ...timed, source }
}

describe('an error that is an answer of the source', () => {
  test('rejects the call, and drops the stale value', async () => {
    const { cache, source, told } = await withStaleValue()
    source.error = NOT_FOUND
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(NOT_FOUND)
    source.error = UNAVAILABLE
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(UNAVAILABLE)
    expect(told).toEqual([])
  })

  test('an outage is hidden by the stale value', async () => {
    const { cache, source, told } = await withStaleValue()
    source.error = UNAVAILABLE
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    expect(told).toEqual(['stale: error'])
  })

  test('in the background within staleWhileRevalidate: drops what is cached, and is told', async () => {
    const { cache, source, told } = await withStaleValue({ staleWhileRevalidate: '1h', staleIfError: false })
    source.error = NOT_FOUND
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    await cache.idle()
    expect(told).toEqual(['stale: revalidate', 'refresh of key: not found'])
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(NOT_FOUND)
  })

  test('after softTimeout: the caller was served, and the value is dropped behind it', async () => {
    const { cache, clock, source } = await withStaleValue({ softTimeout: '1s' })
    source.error = NOT_FOUND
    source.takesMs = 5_000
    const asked = cache.getOrSet('key', source.load)
    await clock.advance('1s')
    expect(await asked).toBe(1)
    await clock.advance('4s')
    source.takesMs = 0
    source.error = UNAVAILABLE
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(UNAVAILABLE)
  })

  test('of refresh(): drops a fresh value, which an outage leaves', async () => {
    const { cache } = openTimed()
    await cache.set('key', 'fresh')
    await expect(cache.refresh('key', () => Promise.reject(UNAVAILABLE))).rejects.toBe(UNAVAILABLE)
    expect(await cache.get('key')).toBe('fresh')
    await expect(cache.refresh('key', () => Promise.reject(NOT_FOUND))).rejects.toBe(NOT_FOUND)
    expect(await cache.get('key')).toBeUndefined()
  })

  test('does not drop a value that was stored during the load', async () => {
    const { cache, clock, source } = await withStaleValue()
    source.error = NOT_FOUND
    source.takesMs = 1_000
    const asked = cache.getOrSet('key', source.load)
    const rejected = expect(asked).rejects.toBe(NOT_FOUND)
    await clock.advance('500ms')
    await cache.set('key', 'newer')
    await clock.advance('500ms')
    await rejected
    expect(await cache.get('key')).toBe('newer')
  })

  test('of one key of a batch: drops the value of that key alone', async () => {
    const { cache, clock } = openTimed({ ttl: '10s', staleIfError: '1h' })
    await cache.getOrSetMany(['a', 'b'], (keys) => keys.map((key) => `old ${key}`))
    await clock.advance('10s')
    const failing = cache.getOrSetMany(['a', 'b'], (keys) =>
      keys.map((key) => (key === 'a' ? NOT_FOUND : UNAVAILABLE)),
    )
    const error = await failing.catch((caught) => caught)
    expect([...error.values]).toEqual([['b', 'old b']])
    expect([...error.errors]).toEqual([['a', NOT_FOUND]])
    await expect(cache.getOrSet('a', () => Promise.reject(UNAVAILABLE))).rejects.toBe(UNAVAILABLE)
  })

  test('of a loader whose callers have all left: the value stays', async () => {
    const judged: unknown[] = []
    const when = (error: unknown) => judged.push(error) === 0
    const { cache, source } = await withStaleValue({ staleIfError: { for: '1h', when } })
    const controller = new AbortController()
    let fail = (_error: Error) => {}
    const asked = cache.getOrSet('key', () => new Promise((_resolve, reject) => (fail = reject)), {
      signal: controller.signal,
    })
    const rejected = expect(asked).rejects.toThrow('left')
    await cache.idle()
    await new Promise(setImmediate)
    controller.abort(new Error('left'))
    await rejected
    fail(new Error('aborted'))
    await new Promise(setImmediate)
    expect(judged).toEqual([])
    source.error = UNAVAILABLE
    expect(await cache.getOrSet('key', source.load, { staleIfError: '1h' })).toBe(1)
  })
})

/** Calls that are made with a rule, by the level that sets it. Each rejects or answers the stale value. */
const levels: readonly (readonly [
  string,
  (
    cache: Cache,
    load: () => Promise<number>,
    staleIfError: { for: '1h'; when(error: unknown): boolean },
  ) => () => Promise<unknown>,
])[] = [
  ['a call', (cache, load, staleIfError) => () => cache.getOrSet('key', load, { staleIfError })],
  [
    'a namespace',
    (cache, load, staleIfError) => () => cache.namespace('ns', { staleIfError }).getOrSet('key', load),
  ],
  [
    'a collection',
    (cache, load, staleIfError) => {
      const items = cache.collection({ name: 'items', schema: anything, load, staleIfError })
      return () => items.get('key')
    },
  ],
  [
    'a collection that loads many',
    (cache, load, staleIfError) => {
      const loadMany = async () => [await load()]
      const items = cache.collection({ name: 'many', schema: anything, loadMany, staleIfError })
      return () => items.get('key')
    },
  ],
  ['a wrapped function', (cache, load, staleIfError) => cache.wrap(load, { name: 'load', staleIfError })],
  [
    'a loader',
    (cache, load, staleIfError) => () =>
      cache.getOrSet('key', (context) => {
        context.setOptions({ staleIfError })
        return load()
      }),
  ],
  [
    'a batch loader',
    (cache, load, staleIfError) => async () => {
      const values = await cache.getOrSetMany(['key'], async (keys, context) => {
        for (const key of keys) context.of(key).setOptions({ staleIfError })
        return [await load()]
      })
      return values.get('key')
    },
  ],
]

describe.each(levels)('`when` of %s', (_name, callsOf) => {
  test('tells an answer from an outage', async () => {
    const { cache, clock } = openTimed({ ttl: '10s' })
    const verdicts: boolean[] = []
    let error: Error | undefined
    let loads = 0
    const load = async () => {
      loads++
      if (error !== undefined) throw error
      return loads
    }
    const when = (given: unknown) => {
      expect(given).toBe(error)
      const isOutage = (given as Error).message === 'down'
      verdicts.push(isOutage)
      return isOutage
    }
    const ask = callsOf(cache, load, { for: '1h', when })
    expect(await ask()).toBe(1)
    await clock.advance('10s')
    error = new Error('down')
    expect(await ask()).toBe(1)
    error = new Error('no such row')
    await expect(ask()).rejects.toThrow()
    error = new Error('down')
    await expect(ask()).rejects.toThrow()
    expect(verdicts).toEqual([true, false, true])
  })
})

describe('a rule that fails', () => {
  const broken: readonly (readonly [string, (error: unknown) => unknown])[] = [
    ['throws', () => JSON.parse('{')],
    ['returns nothing', () => undefined],
    ['returns a promise', async () => true],
    ['returns a promise that rejects', async () => JSON.parse('{')],
  ]

  test.each(broken)('%s: an error event tells, and the status decides', async (_name, rule) => {
    const when = rule as (error: unknown) => boolean
    const { cache, source } = await withStaleValue({ staleIfError: { for: '1h', when } })
    const errors: CacheError[] = []
    cache.on('error', ({ error, key }) => {
      expect(key).toBe('key')
      errors.push(error)
    })
    source.error = UNAVAILABLE
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    source.error = NOT_FOUND
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(NOT_FOUND)
    expect(errors.map(({ code }) => code)).toEqual(['CACHE_INVALID_OPTIONS', 'CACHE_INVALID_OPTIONS'])
    expect(errors[0]?.message).toMatch(/^staleIfError\.when has failed/)
    expect(errors[0]?.cause).toBeInstanceOf(Error)
  })
})

describe('levels', () => {
  test('a namespace is the same object for the same rule, and another one for another rule', () => {
    const { cache } = openTimed()
    const staleIfError = { for: '1h', when: () => true } as const
    const users = cache.namespace('users', { staleIfError })
    expect(cache.namespace('users', { staleIfError })).toBe(users)
    expect(cache.namespace('users', { staleIfError: { ...staleIfError } })).toBe(users)
    expect(cache.namespace('users', { staleIfError: { for: '1h', when: () => true } })).not.toBe(users)
    expect(cache.namespace('users', { staleIfError: '1h' })).not.toBe(users)
  })

  test('an option replaces the rule around it as a whole', async () => {
    const when = () => false
    const { cache, source } = await withStaleValue({ staleIfError: { for: '1h', when } })
    source.error = new Error('down')
    expect(await cache.getOrSet('key', source.load, { staleIfError: '1h' })).toBe(1)
    await expect(cache.getOrSet('key', source.load)).rejects.toThrow('down')
  })

  test('an object without a rule is its window alone', async () => {
    const { cache, clock, source } = await withStaleValue({ staleIfError: { for: '1m' } })
    source.error = UNAVAILABLE
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    await clock.advance('1m')
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(UNAVAILABLE)
  })
})

describe('refused', () => {
  const refused: readonly (readonly [unknown, string, RegExp])[] = [
    [{}, 'CACHE_INVALID_DURATION', /^Invalid duration staleIfError\.for: undefined\./],
    [{ for: 0 }, 'CACHE_INVALID_DURATION', /^Invalid duration staleIfError\.for: 0\./],
    [{ for: false }, 'CACHE_INVALID_DURATION', /staleIfError: false turns it off$/],
    [{ for: '1h', when: true }, 'CACHE_INVALID_OPTIONS', /^staleIfError\.when must be a function, not true$/],
    [{ for: '1h', when: null }, 'CACHE_INVALID_OPTIONS', /^when of staleIfError is null/],
    [
      { for: '1h', wehn: () => true },
      'CACHE_INVALID_OPTIONS',
      /'wehn' of staleIfError; did you mean 'when'\?$/,
    ],
    [['1h'], 'CACHE_INVALID_OPTIONS', /^The options of staleIfError must be an object/],
    [() => true, 'CACHE_INVALID_DURATION', /^Invalid duration staleIfError: /],
  ]

  test.each(refused)('%o', async (staleIfError, code, message) => {
    const options = { staleIfError } as never
    const refusal = expect.objectContaining({ code, message: expect.stringMatching(message) })
    const { cache } = openTimed()
    expect(() => createCache(options)).toThrow(refusal)
    expect(() => cache.namespace('n', options)).toThrow(refusal)
    await expect(cache.getOrSet('key', () => 1, options)).rejects.toThrow(refusal)
    await expect(cache.getOrSet('key', (context) => context.setOptions(options))).rejects.toThrow(refusal)
  })

  test('a window in milliseconds is advised against, in either form', () => {
    const advice: string[] = []
    const logger = { debug() {}, error() {}, warn: (_context: object, text: string) => advice.push(text) }
    createCache({ redis: false, logger, staleIfError: 31_000 })
    createCache({ redis: false, logger, staleIfError: { for: 41_000 } })
    expect(advice).toEqual([
      expect.stringMatching(/^staleIfError: 31000 is/),
      expect.stringMatching(/^staleIfError\.for: 41000 is/),
    ])
  })
})
