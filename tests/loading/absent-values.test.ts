import { type Cache, createCache, type StandardSchema } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { describe, expect, test } from 'vitest'
import { openTimed } from '../support/timed-source.ts'

/** Accepts text alone. */
const text: StandardSchema<string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value: unknown) =>
      typeof value === 'string' ? { value } : { issues: [{ message: 'no text' }] },
  },
}

/** A source that has nothing until it is given a value. */
function emptySource() {
  const source = {
    value: undefined as string | undefined,
    loads: 0,
    load: () => {
      source.loads++
      return source.value
    },
  }
  return source
}

describe.each([{}, false] as const)('absentTtl, with local: %o', (local) => {
  const POLICIES = { ttl: '1m', absentTtl: '10s', local } as const

  test('undefined is remembered for that long, and no longer', async () => {
    const { cache, clock } = openTimed({ ...POLICIES, staleWhileRevalidate: '1h', staleIfError: '1h' })
    const source = emptySource()
    for (let call = 0; call < 3; call++) expect(await cache.getOrSet('key', source.load)).toBeUndefined()
    expect(source.loads).toBe(1)
    await clock.advance('9999ms')
    expect(await cache.getOrSet('key', source.load)).toBeUndefined()
    expect(source.loads).toBe(1)
    await clock.advance('1ms')
    source.value = 'there'
    expect(await cache.getOrSet('key', source.load)).toBe('there')
    expect(await cache.getTtl('key')).toBe(60)
  })

  test('every read answers as for a miss', async () => {
    const { cache } = openTimed(POLICIES)
    await cache.getOrSet('key', () => undefined)
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.get('key', { local: false })).toBeUndefined()
    expect(cache.peek('key')).toBeUndefined()
    expect(await cache.has('key')).toBe(false)
    expect(await cache.getTtl('key')).toBeUndefined()
    expect(await cache.getMany(['key'])).toEqual(new Map([['key', undefined]]))
    const misses: string[] = []
    cache.on('miss', ({ key }) => misses.push(key))
    expect(await cache.plain.get('key')).toBeUndefined()
    expect(await cache.plain.getMany(['key'])).toEqual(new Map([['key', undefined]]))
    expect(await cache.plain.getAndDelete('key')).toBeUndefined()
    expect(misses).toEqual(['key', 'key', 'key'])
  })

  test.each<readonly [string, (cache: Cache) => Promise<unknown>]>([
    ['delete', (cache) => cache.delete('key')],
    ['invalidateTags', (cache) => cache.invalidateTags(['t'])],
    ['clear', (cache) => cache.clear()],
    ['invalidatePattern', (cache) => cache.invalidatePattern('k*')],
  ])('%s ends it', async (_name, invalidate) => {
    const { cache } = openTimed(POLICIES)
    const source = emptySource()
    const ask = () => cache.getOrSet('key', source.load, { tags: ['t'] })
    await ask()
    source.value = 'there'
    await invalidate(cache)
    expect(await ask()).toBe('there')
  })

  test('set and refresh replace it', async () => {
    const { cache } = openTimed(POLICIES)
    await cache.getOrSet('key', () => undefined)
    await cache.set('key', 'set')
    expect(await cache.getOrSet('key', () => 'loaded')).toBe('set')
    await cache.refresh('key', () => undefined)
    expect(await cache.getOrSet('key', () => 'loaded')).toBeUndefined()
    expect(await cache.refresh('key', () => 'refreshed')).toBe('refreshed')
    expect(await cache.get('key')).toBe('refreshed')
  })

  test('a batch, a collection and a wrapped function remember it as well', async () => {
    const { cache } = openTimed(POLICIES)
    const asked: string[] = []
    const loadMany = async (keys: readonly string[]) => {
      asked.push(...keys)
      return keys.map((key) => (key === 'a' ? undefined : key))
    }
    for (let call = 0; call < 2; call++) {
      expect([...(await cache.getOrSetMany(['a', 'b'], loadMany))]).toEqual([
        ['a', undefined],
        ['b', 'b'],
      ])
    }
    expect(asked).toEqual(['a', 'b'])
    const source = emptySource()
    const users = cache.collection({ name: 'users', schema: text, load: source.load })
    for (let call = 0; call < 3; call++) expect(await users.get('ann')).toBeUndefined()
    expect(source.loads).toBe(1)
    expect(users.peek('ann')).toBeUndefined()
    expect(await users.has('ann')).toBe(false)
    expect(await users.getTtl('ann')).toBeUndefined()
    expect((await users.explain('ann')).next.step).toMatch(/^serve-/)
    const find = cache.wrap(source.load, { name: 'find' })
    for (let call = 0; call < 2; call++) expect(await find()).toBeUndefined()
    expect(source.loads).toBe(2)
  })

  test('a loader may set it, `false` and skip() turn it off, and null is a value', async () => {
    const { cache } = openTimed(POLICIES)
    const source = emptySource()
    for (let call = 0; call < 2; call++) await cache.getOrSet('off', source.load, { absentTtl: false })
    expect(source.loads).toBe(2)
    for (let call = 0; call < 2; call++) {
      await cache.getOrSet('skipped', (context) => {
        context.skip()
        return source.load()
      })
    }
    expect(source.loads).toBe(4)
    for (let call = 0; call < 2; call++) {
      await cache.getOrSet(
        'own',
        (context) => {
          context.setOptions({ absentTtl: '1s' })
          return source.load()
        },
        { absentTtl: false },
      )
    }
    expect(source.loads).toBe(5)
    expect(await cache.getOrSet('null', () => null)).toBeNull()
    expect(await cache.has('null')).toBe(true)
  })

  test('the next loader is shown no stale value', async () => {
    const { cache, clock } = openTimed(POLICIES)
    await cache.getOrSet('key', () => undefined)
    await clock.advance('10s')
    const seen = await cache.getOrSet('key', (context) => String(context.stale()))
    expect(seen).toBe('undefined')
  })

  test('a slot is given although it is remembered, and its fill replaces it', async () => {
    const { cache } = openTimed(POLICIES)
    for (const wait of [false, true]) {
      await cache.getOrSet('key', () => undefined)
      const slot = await cache.reserve('key', { wait })
      expect(slot.isHit).toBe(false)
      if (!slot.isHit) expect(await slot.fill('filled')).toBe(true)
      expect(await cache.get('key')).toBe('filled')
      await cache.delete('key')
    }
  })

  test('explain tells', async () => {
    const { cache } = openTimed(POLICIES)
    await cache.getOrSet('key', () => undefined)
    const explanation = await cache.explain('key')
    expect(explanation.shared).toMatchObject({ state: 'entry', isUsable: true, payloadBytes: 0 })
    expect(explanation.notes).toContain('It says that the source has no value (absentTtl)')
  })
})

test.each(['json', 'v8', 'text'] as const)('with the serializer %s, and encrypted', async (serializer) => {
  const encryption = { keys: [{ id: 'k', secret: Buffer.alloc(32, 7) }] }
  for (const options of [{}, { encryption }]) {
    const backend = new MemoryCacheBackend({ serializer, ...options })
    const cache = createCache({ backend, local: false, absentTtl: '1m' })
    const source = emptySource()
    for (let call = 0; call < 2; call++) expect(await cache.getOrSet('key', source.load)).toBeUndefined()
    expect(source.loads).toBe(1)
    await cache.shutdown()
  }
})

test('bad values are refused', () => {
  for (const absentTtl of [0, -1, 'soon', true, null]) {
    expect(() => createCache({ redis: false, absentTtl } as never)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^CACHE_INVALID_/) }),
    )
  }
})
