import type { LoadContext } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { Source } from '../support/loaders.ts'
import { useTwoCaches } from './two-processes.ts'

const { one, two, clock, told } = useTwoCaches()

const INHERIT = { inherit: true } as const

/** An entry made of another one, by way of `one`. */
function compose(options: object, inner: object): () => Promise<unknown> {
  const ask = () => one().getOrSet('inner', () => 'inner', inner)
  return () => one().getOrSet('outer', ask, { ...INHERIT, ...options })
}

async function timesOf(key: string, cache = two()) {
  const { shared } = await cache.explain(key)
  const { age, freshFor, staleIfErrorFor, staleWhileRevalidateFor } = shared.times ?? {}
  return { age, freshFor, staleWhileRevalidateFor, staleIfErrorFor, expiresIn: shared.expiresIn }
}

describe('an entry that inherits', () => {
  test('is fresh as long as what its loader has read, at most, and as old', async () => {
    const load = compose({ ttl: '10m' }, { ttl: '60s' })
    await one().getOrSet('inner', () => 'inner', { ttl: '60s' })
    await clock().advance('20s')
    await load()
    expect(await timesOf('outer')).toMatchObject({ age: 20, freshFor: 40, expiresIn: 40 })
    expect(await two().getEntry('outer')).toMatchObject({ age: 20, ttl: 40 })
    await clock().advance('39.999s')
    expect([one().peek('outer'), two().peek('outer')]).toEqual(['inner', 'inner'])
    await clock().advance('1ms')
    expect([one().peek('outer'), two().peek('outer')]).toEqual([undefined, undefined])
    expect(await two().get('outer')).toBeUndefined()
  })

  test('keeps its own times where they end earlier, and its own age where it is older', async () => {
    const slow = async () => {
      await new Promise<void>((resolve) => void clock().after(5_000, resolve))
      return one().getOrSet('inner', () => 1, { ttl: '10m' })
    }
    const loading = one().getOrSet('outer', slow, { ...INHERIT, ttl: '30s' })
    await clock().advance('5s')
    await loading
    expect(await timesOf('outer')).toMatchObject({ age: 5, freshFor: 25 })
  })

  test('lasts until the first of several ends', async () => {
    const inner = (key: string, ttl: string) => one().getOrSet(key, () => key, { ttl } as object)
    await one().getOrSet(
      'outer',
      () => Promise.all([inner('a', '3m'), inner('b', '1m'), inner('c', '2m')]),
      INHERIT,
    )
    expect(await timesOf('outer')).toMatchObject({ freshFor: 60 })
  })

  test('is too old for a caller as soon as what it is made of is', async () => {
    const load = compose({}, {})
    await one().getOrSet('inner', () => 'inner')
    await clock().advance('20s')
    await load()
    expect(await two().get('outer', { maxAge: '21s' })).toBe('inner')
    expect(await two().get('outer', { maxAge: '19s' })).toBeUndefined()
  })

  test('has no end if nothing that it is made of has one', async () => {
    await compose({ ttl: Infinity, staleIfError: '1m' }, { ttl: Infinity })()
    expect(await timesOf('outer')).toMatchObject({ freshFor: null, expiresIn: null })
    await one().delete('outer')
    await one().delete('inner')
    await compose({ ttl: Infinity }, { ttl: '1m' })()
    expect(await timesOf('outer')).toMatchObject({ freshFor: 60 })
    await one().delete('outer')
    await one().delete('inner')
    await compose({ ttl: '1m' }, { ttl: Infinity })()
    expect(await timesOf('outer')).toMatchObject({ freshFor: 60 })
  })

  test('is served stale as long as what it is made of would be, at most', async () => {
    const windows = { staleWhileRevalidate: '5m', staleIfError: '10m' } as const
    await compose({ ...windows, ttl: '2m' }, { ttl: '1m', staleWhileRevalidate: '2m', staleIfError: '3m' })()
    const times = { freshFor: 60, staleWhileRevalidateFor: 180, staleIfErrorFor: 240, expiresIn: 240 }
    expect(await timesOf('outer')).toMatchObject(times)
  })

  test('is never served stale if what it is made of is not', async () => {
    const windows = { staleWhileRevalidate: '5m', staleIfError: '10m' } as const
    await compose({ ...windows, ttl: '2m' }, { ttl: '1m' })()
    expect(await timesOf('outer')).toMatchObject({
      freshFor: 60,
      staleWhileRevalidateFor: 60,
      staleIfErrorFor: 60,
      expiresIn: 60,
    })
  })

  test('is served no longer than what it is made of when a tag of that is expired', async () => {
    const windows = { staleWhileRevalidate: '5m', staleIfError: '10m' } as const
    const compositions = [
      { inner: { ttl: '1h' }, seconds: 0 },
      { inner: { ttl: Infinity }, seconds: 0 },
      { inner: { ttl: '1h', staleWhileRevalidate: '20s', staleIfError: '20s' }, seconds: 20 },
    ] as const
    for (const { inner, seconds } of compositions) {
      for (const ttl of ['1m', Infinity] as const) {
        await compose({ ...windows, ttl }, { ...inner, tags: ['inner'] })()
        await clock().advance('10s')
        await one().expireTags(['inner'])
        const stale = async (key: string) => (await two().getEntry(key, { stale: true }))?.status
        const whileStale = seconds === 0 ? undefined : 'stale'
        expect([await stale('inner'), await stale('outer')]).toEqual([whileStale, whileStale])
        await clock().advance((seconds + 1) * 1_000)
        expect([await stale('inner'), await stale('outer')]).toEqual([undefined, undefined])
        await one().clear()
      }
    }
  })

  test('made of a stale value is stale from the beginning: served while a new one is loaded', async () => {
    const windows = { ttl: '60s', staleWhileRevalidate: '60s' } as const
    const source = new Source('old')
    const inner = () => one().getOrSet('inner', source.load, windows)
    const outer = () => one().getOrSet('outer', inner, { ...windows, ...INHERIT })
    await inner()
    await clock().advance('70s')
    source.value = 'new'
    // The inner value is served stale, and refreshed in the background.
    expect(await outer()).toBe('old')
    expect(await timesOf('outer')).toMatchObject({ freshFor: -10, staleWhileRevalidateFor: 50 })
    expect(await outer()).toBe('old')
    await one().idle()
    await clock().settle()
    expect(await outer()).toBe('new')
    expect(told()).toEqual([])
  })

  test('made of what is served only because its loader failed is not stored', async () => {
    const options = { ttl: '60s', staleIfError: '5m' } as const
    const source = new Source('old')
    const inner = () => one().getOrSet('inner', source.load, options)
    const outer = () => one().getOrSet('outer', inner, { ...options, ...INHERIT })
    await inner()
    await clock().advance('70s')
    source.error = new Error('source away')
    expect(await outer()).toBe('old')
    expect(told()).toEqual(['outer: expired'])
    expect(await two().get('outer')).toBeUndefined()
    expect((await two().explain('outer')).shared.state).not.toBe('entry')
  })

  test('that its loader confirms keeps what it has inherited', async () => {
    const options = { ...INHERIT, ttl: '60s', staleWhileRevalidate: '60s' } as const
    const inner = () =>
      one().getOrSet('inner', () => 1, { ttl: '1h', staleWhileRevalidate: '1h', tags: ['inner'] })
    await one().getOrSet('outer', inner, options)
    await clock().advance('70s')
    await one().getOrSet('outer', (context) => context.notModified(), options)
    await one().idle()
    expect(await two().getEntry('outer')).toMatchObject({ status: 'hit', tags: ['inner'] })
    await one().invalidateTags(['inner'])
    expect(await two().get('outer')).toBeUndefined()
  })

  test('that its loader confirms is fresh again after an expiry, once what it is made of is', async () => {
    const windows = { ttl: '10m', staleWhileRevalidate: '1h' } as const
    const inner = new Source(1)
    const load = async (context: LoadContext) => {
      const read = await one().getOrSet('inner', inner.load, { ...windows, tags: ['inner'] })
      return context.stale() === undefined ? read : context.notModified()
    }
    const outer = async () => {
      const value = await one().getOrSet('outer', load, { ...INHERIT, ...windows })
      await one().idle()
      await clock().settle()
      return value
    }
    await outer()
    for (let expiries = 0; expiries < 3; expiries++) {
      await clock().advance('10s')
      await two().expireTags(['inner'])
      await outer()
      await outer()
      expect(await two().getEntry('outer')).toMatchObject({ status: 'hit', tags: ['inner'] })
    }
    await two().invalidateTags(['inner'])
    expect(await two().getEntry('outer', { stale: true })).toBeUndefined()
  })

  test('that its loader confirms is as stale as a part from before an expiry', async () => {
    const windows = { ttl: '60s', staleWhileRevalidate: '1h' } as const
    const inner = () => one().getOrSet('inner', () => 1, { ...windows, ttl: '1h', tags: ['inner'] })
    await one().getOrSet('outer', inner, { ...INHERIT, ...windows })
    await two().expireTags(['inner'])
    const confirm = async (context: LoadContext) => {
      await one().getEntry('inner', { stale: true })
      return context.notModified()
    }
    const before = await two().getEntry('outer', { stale: true })
    await one().refresh('outer', confirm, { ...INHERIT, ...windows })
    const after = await two().getEntry('outer', { stale: true })
    expect(after).toMatchObject({ status: 'stale', tags: ['inner'] })
    expect(after?.stamp).not.toBe(before?.stamp)
    expect(told()).toEqual([])
  })

  test('that its loader confirms is as stale as a part that that was expired while it ran', async () => {
    const windows = { ttl: '60s', staleWhileRevalidate: '1h' } as const
    const inner = () => one().getOrSet('inner', () => 1, { ...windows, ttl: '1h', tags: ['inner'] })
    await one().getOrSet('outer', inner, { ...INHERIT, ...windows })
    await clock().advance('70s')
    const confirm = async (context: LoadContext) => {
      await two().expireTags(['inner'])
      return context.notModified()
    }
    await one().refresh('outer', confirm, { ...INHERIT, ...windows })
    expect(await two().getEntry('outer')).toBeUndefined()
    expect((await two().getEntry('outer', { stale: true }))?.status).toBe('stale')
  })

  test('is refreshed early, and in the background, by the same rule', async () => {
    const inner = () => one().getOrSet('inner', () => 1, { ttl: '1m', tags: ['inner'] })
    const options = { ...INHERIT, ttl: '40s', earlyRefresh: { beta: 1e12 } } as const
    const slow = async () => {
      await new Promise<void>((resolve) => void clock().after(2_000, resolve))
      return inner()
    }
    const loading = one().getOrSet('outer', slow, options)
    await clock().advance('2s')
    await loading
    const before = (await two().getEntry('outer'))?.stamp
    await clock().advance('36s')
    await one().getOrSet('outer', inner, options)
    await one().idle()
    const entry = await two().getEntry('outer')
    expect(entry?.stamp).not.toBe(before)
    expect(entry).toMatchObject({ ttl: 24, tags: ['inner'] })
  })
})
