import { type Cache, createCache, type DisposeReason, type LocalNamespace } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { heldLoader, Source } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

type Template = (name: string) => string

const hello: Template = (name) => `Hello ${name}`
const bye: Template = (name) => `Bye ${name}`

interface Disposed {
  readonly value: unknown
  readonly reason: DisposeReason
}

/** A namespace whose values stay in the process, and what it has disposed of. */
function held(cache: Cache, options: object = {}): { templates: LocalNamespace; disposed: Disposed[] } {
  const disposed: Disposed[] = []
  const dispose = (value: unknown, reason: DisposeReason) => disposed.push({ value, reason })
  return { templates: cache.namespace('templates', { store: 'local', dispose, ...options }), disposed }
}

describe("a namespace with store: 'local'", () => {
  test('keeps what no serializer can write, and hands it out as it is', async () => {
    const cache = await scene.open()
    const { templates } = held(cache)
    const source = new Source<unknown>(hello)
    expect(await templates.getOrSet('hello', source.load)).toBe(hello)
    expect(await templates.getOrSet('hello', source.load)).toBe(hello)
    expect(await templates.get('hello')).toBe(hello)
    expect(templates.peek('hello')).toBe(hello)
    expect(await templates.has('hello')).toBe(true)
    expect(await templates.getTtl('hello')).toBeGreaterThan(0)
    expect(await templates.getMany(['hello', 'none'])).toEqual(
      new Map([
        ['hello', hello],
        ['none', undefined],
      ]),
    )
    expect(await templates.getEntry('hello')).toMatchObject({ status: 'hit', tier: 'local', value: hello })
    const object = { list: [1] }
    expect(await templates.getOrSet('object', () => object)).toBe(object)
    expect(templates.peek('object')).toBe(object)
    expect(Object.isFrozen(object)).toBe(false)
    expect(source.loads).toBe(1)
    expect(templates.stats()).toMatchObject({ local: { entries: 2 }, total: { loads: 2, bytesWritten: 0 } })
  })

  test('sends nothing but generations to Redis', async () => {
    const cache = await scene.open()
    const { templates } = held(cache)
    await templates.getOrSet('key', () => 'a secret value', { tags: ['tag'] })
    await templates.set('other', 'a secret value')
    const keys = (await scene.redis.ask('KEYS', '*')) as string[]
    expect(keys.sort()).toEqual([
      'shop:\0namespace',
      'shop:templates:\0namespace',
      'shop:templates:\0tag:tag',
      'shop:templates:key\0key',
      'shop:templates:other\0key',
    ])
    for (const key of keys) expect(await scene.redis.ask('STRLEN', key)).toBe(16)
  })

  test('is loaded once in each process, by a load that its callers share', async () => {
    const spaces = [held(await scene.open()).templates, held(await scene.open()).templates]
    let loads = 0
    const load = async () => {
      loads++
      await new Promise((resolve) => setTimeout(resolve, 20))
      return { number: loads }
    }
    const found = await Promise.all(
      spaces.flatMap((space) => Array.from({ length: 5 }, () => space.getOrSet('key', load))),
    )
    expect(loads).toBe(2)
    expect(new Set(found).size).toBe(2)
  })

  const INVALIDATIONS: Record<string, (other: LocalNamespace, cache: Cache) => Promise<unknown>> = {
    'a delete': (other) => other.delete('key'),
    'a delete of many': (other) => other.deleteMany(['key', 'another']),
    'a set': (other) => other.set('key', bye),
    'a tag': (other) => other.invalidateTags(['tag']),
    'a clear': (other) => other.clear(),
    'a clear of the cache': (_other, cache) => cache.clear(),
    'a delete that is part of a change': (other, cache) => cache.change({}, () => other.delete('key')),
    'a flush': () => scene.redis.ask('FLUSHALL'),
    'the loss of a generation': () => scene.redis.ask('DEL', 'shop:templates:key\0key'),
  }

  test.each(Object.entries(INVALIDATIONS))(
    'is invalidated in other processes by %s',
    async (_name, invalidate) => {
      const [cache, elsewhere] = [await scene.open(), await scene.open()]
      const { disposed, templates } = held(cache)
      const other = held(elsewhere).templates
      await templates.getOrSet('key', () => hello, { tags: ['tag'] })
      await templates.getOrSet('stays', () => hello)
      expect(templates.peek('key')).toBe(hello)
      await invalidate(other, elsewhere)
      await waitUntil(() => templates.peek('key') === undefined, { what: 'the news' })
      expect(await templates.get('key')).toBeUndefined()
      await waitUntil(() => disposed.length > 0, { what: 'the end of the value' })
      expect(disposed[0]).toEqual({ value: hello, reason: 'invalidated' })
      expect(await templates.getOrSet('key', () => bye, { tags: ['tag'] })).toBe(bye)
      expect(templates.peek('key')).toBe(bye)
    },
  )

  test.each(Object.entries(INVALIDATIONS))(
    'is not kept if its load is overtaken by %s',
    async (_name, invalidate) => {
      const [cache, elsewhere] = [await scene.open(), await scene.open()]
      const { disposed, templates } = held(cache)
      const loading = heldLoader(hello)
      const first = templates.getOrSet('key', loading.load, { tags: ['tag'] })
      await loading.begun
      await invalidate(held(elsewhere).templates, elsewhere)
      loading.release()
      expect(await first).toBe(hello)
      expect(templates.peek('key')).toBeUndefined()
      expect(await templates.get('key')).toBeUndefined()
      // Whoever called has it.
      expect(disposed).toEqual([])
    },
  )

  test('a caller after an own invalidation does not join a load that began before it', async () => {
    const { templates } = held(await scene.open())
    for (const invalidate of [
      () => templates.delete('key'),
      () => templates.invalidateTags(['tag']),
      () => templates.clear(),
    ]) {
      const loading = heldLoader(hello)
      const first = templates.getOrSet('key', loading.load, { tags: ['tag'] })
      await loading.begun
      await invalidate()
      expect(await templates.getOrSet('key', () => bye, { tags: ['tag'] })).toBe(bye)
      loading.release()
      expect(await first).toBe(hello)
      expect(templates.peek('key')).toBe(bye)
      await templates.delete('key')
    }
  })

  test('a set is seen by later reads of its process, awaited or not, and loaded anew by others', async () => {
    const [mine, other] = [held(await scene.open()).templates, held(await scene.open()).templates]
    await other.getOrSet('key', () => hello)
    const setting = mine.set('key', bye, { ttl: '1m', tags: ['tag'] })
    expect(await mine.get('key')).toBe(bye)
    expect(await setting).toBe(true)
    expect(await mine.getOrSet('key', () => hello, { tags: ['tag'] })).toBe(bye)
    await waitUntil(() => other.peek('key') === undefined, { what: 'the news' })
    await mine.invalidateTags(['tag'])
    expect(mine.peek('key')).toBeUndefined()
  })

  test('of several processes that set a key, at most the last one keeps its value', async () => {
    const spaces = [held(await scene.open()).templates, held(await scene.open()).templates]
    for (let round = 0; round < 50; round++) {
      await Promise.all(spaces.map((space, index) => space.set('key', index)))
      const kept = await Promise.all(spaces.map((space) => space.get('key', { local: false })))
      expect(kept.filter((value) => value !== undefined).length).toBeLessThan(2)
    }
  })

  test('outlives a new epoch, since its generations vouch for it', async () => {
    const cache = await scene.open()
    const { disposed, templates } = held(cache)
    await templates.getOrSet('key', () => hello)
    let epochs = 0
    cache.on('epoch', () => epochs++)
    await scene.redis.ask('CLIENT', 'KILL', 'TYPE', 'normal')
    await waitUntil(() => epochs > 0, { what: 'a new epoch' })
    await waitUntil(async () => (await templates.get('key')) === hello, { what: 'the connection' })
    expect(templates.peek('key')).toBe(hello)
    expect(disposed).toEqual([])
    await scene.redis.ask('CLIENT', 'KILL', 'TYPE', 'normal')
  })

  test('is served while Redis is away for no longer than the cache trusts it, then loaded and not kept', async () => {
    const cache = await scene.open({ commandTimeout: '100ms', coherence: { trust: '300ms' } })
    const { templates } = held(cache)
    await templates.getOrSet('key', () => hello)
    scene.redis.pause()
    try {
      await waitUntil(() => templates.peek('key') === undefined, { what: 'the end of trust' })
      expect(await templates.getOrSet('key', () => bye)).toBe(bye)
      expect(templates.peek('key')).toBeUndefined()
      expect(await templates.delete('key')).toBe(false)
    } finally {
      scene.redis.resume()
    }
    await waitUntil(() => cache.stats().undelivered === 0, { what: 'the delivery' })
    expect(await templates.get('key')).toBeUndefined()
  })

  test('a call with local: false asks Redis whether the value is still valid', async () => {
    const deaf = { coherence: { mode: 'ttl' }, local: { ttl: '10m' } } as const
    const [mine, other] = [held(await scene.open(deaf)).templates, held(await scene.open()).templates]
    await mine.getOrSet('key', () => hello)
    expect(await mine.get('key', { local: false })).toBe(hello)
    await other.delete('key')
    expect(mine.peek('key')).toBe(hello)
    expect(await mine.getOrSet('key', () => bye, { local: false })).toBe(bye)
  })

  test('in mode ttl, its generations are asked for when the time of the copy is over', async () => {
    const brief = { coherence: { mode: 'ttl' }, local: { ttl: '50ms' } } as const
    const [mine, other] = [held(await scene.open(brief)).templates, held(await scene.open()).templates]
    await mine.getOrSet('key', () => hello)
    await waitUntil(() => mine.peek('key') === undefined, { what: 'the end of the copy' })
    expect(await mine.getOrSet('key', () => bye)).toBe(hello)
    await other.delete('key')
    await waitUntil(async () => (await mine.getOrSet('key', () => bye)) === bye, { what: 'the news' })
  })

  test('what is made of it in Redis is invalidated with it', async () => {
    const [cache, elsewhere] = [await scene.open(), await scene.open()]
    const load = (space: LocalNamespace, template: Template) => async () =>
      (await space.getOrSet('hello', () => template))('Ann')
    const mine = held(cache).templates
    expect(await cache.getOrSet('page', load(mine, hello), { inherit: true })).toBe('Hello Ann')
    expect(await elsewhere.get('page')).toBe('Hello Ann')
    await held(elsewhere).templates.delete('hello')
    expect(await elsewhere.get('page')).toBeUndefined()
    await waitUntil(() => cache.peek('page') === undefined, { what: 'the news' })
    expect(await cache.getOrSet('page', load(mine, bye), { inherit: true })).toBe('Bye Ann')
  })

  test('has keys of its own: nothing else reads or writes its values', async () => {
    const cache = await scene.open()
    const { templates } = held(cache)
    await templates.getOrSet('key', () => hello)
    const others = cache.namespace('templates')
    expect(await cache.get('templates:key')).toBeUndefined()
    expect(await others.get('key')).toBeUndefined()
    await others.set('key', 'in Redis')
    expect(await others.get('key')).toBe('in Redis')
    expect(await templates.get('key')).toBe(hello)
  })

  test('wraps functions', async () => {
    const { templates } = held(await scene.open())
    let calls = 0
    const compile = templates.wrap(async function compile(text: string): Promise<Template> {
      calls++
      return (name) => text.replace('$', name)
    })
    expect((await compile('Hello $'))('Ann')).toBe('Hello Ann')
    expect(await compile('Hello $')).toBe(await compile('Hello $'))
    expect(await compile.delete('Hello $')).toBe(true)
    await compile('Hello $')
    expect(calls).toBe(2)
  })

  test('loads many by one call', async () => {
    const { templates } = held(await scene.open())
    const asked: string[][] = []
    const load = (keys: readonly string[]) => {
      asked.push([...keys])
      return keys.map((key) => () => key)
    }
    const found = await templates.getOrSetMany<() => string>(['a', 'b'], load)
    expect(found.get('b')?.()).toBe('b')
    await templates.getOrSetMany(['a', 'b', 'c'], load)
    expect(asked).toEqual([['a', 'b'], ['c']])
  })

  test('explain tells what is here, and what a call would do', async () => {
    const cache = await scene.open()
    const { templates } = held(cache)
    expect((await templates.explain('key')).next.step).toBe('load')
    await templates.getOrSet('key', () => hello)
    const explanation = await templates.explain('key')
    expect(explanation).toMatchObject({
      local: { state: 'kept', serves: 'fresh' },
      next: { step: 'serve-local' },
      shared: { state: 'unused' },
    })
    expect(String(explanation)).toContain('no value: those of this namespace stay in processes')
  })
})

describe('policies of values that stay in the process', () => {
  function atRest(options: object): { cache: Cache; clock: ManualClock; templates: LocalNamespace } {
    const clock = new ManualClock()
    const cache = createCache({ redis: false, clock, ttl: '1m' })
    return { cache, clock, templates: held(cache, options).templates }
  }

  test('a stale value is served while another is loaded', async () => {
    const { cache, clock, templates } = atRest({ staleWhileRevalidate: '1h' })
    await templates.getOrSet('key', () => hello)
    await clock.advance('2m')
    expect(await templates.getOrSet('key', () => bye)).toBe(hello)
    await cache.idle()
    expect(await templates.getOrSet('key', () => hello)).toBe(bye)
  })

  test('a stale value stands in for a load that fails, and the failure is remembered', async () => {
    const { clock, templates } = atRest({ staleIfError: '1h', retryAfterError: '10s', errorTtl: '10s' })
    await templates.getOrSet('key', () => hello)
    await clock.advance('2m')
    const source = new Source<unknown>(bye)
    source.error = new Error('the source is away')
    for (let calls = 0; calls < 3; calls++) expect(await templates.getOrSet('key', source.load)).toBe(hello)
    expect(source.loads).toBe(1)
    for (let calls = 0; calls < 3; calls++)
      await expect(templates.getOrSet('other', source.load)).rejects.toThrow('the source is away')
    expect(source.loads).toBe(2)
    source.error = undefined
    await clock.advance('11s')
    expect(await templates.getOrSet('key', source.load)).toBe(bye)
    expect(await templates.getOrSet('other', source.load)).toBe(bye)
  })

  test('a slow load is stood in for by a stale value', async () => {
    const { clock, templates } = atRest({ staleIfError: '1h', softTimeout: '1s' })
    await templates.getOrSet('key', () => hello)
    await clock.advance('2m')
    const loading = heldLoader(bye)
    const slow = templates.getOrSet('key', loading.load)
    await loading.begun
    await clock.advance('2s')
    expect(await slow).toBe(hello)
    loading.release()
    await waitUntil(() => templates.peek('key') === bye, { what: 'the new value' })
  })

  test('a hit may refresh a value early, and maxAge asks for a younger one', async () => {
    const { cache, clock, templates } = atRest({ earlyRefresh: { beta: 1e12 } })
    const source = new Source<unknown>(1)
    const slowly = async () => {
      await clock.advance('1s')
      return source.load()
    }
    await templates.getOrSet('key', slowly)
    source.value = 2
    expect(await templates.getOrSet('key', slowly)).toBe(1)
    await cache.idle()
    expect(templates.peek('key')).toBe(2)
    await clock.advance('30s')
    expect(await templates.getOrSet('key', () => 3, { maxAge: '10s', earlyRefresh: false })).toBe(3)
  })

  test('an absent value is remembered, and refresh loads anew', async () => {
    const { clock, templates } = atRest({ absentTtl: '10s' })
    const source = new Source<unknown>(undefined)
    await templates.getOrSet('key', source.load)
    await templates.getOrSet('key', source.load)
    expect(source.loads).toBe(1)
    await clock.advance('11s')
    source.value = 1
    expect(await templates.getOrSet('key', source.load)).toBe(1)
    source.value = 2
    expect(await templates.refresh('key', source.load)).toBe(2)
    expect(templates.peek('key')).toBe(2)
  })
})

describe('dispose', () => {
  test('is called once for each value that was kept and is gone, with the reason', async () => {
    const clock = new ManualClock()
    const cache = createCache({ redis: false, clock, ttl: '1m' })
    const { disposed, templates } = held(cache, { local: { maxEntries: 2 } })
    await templates.getOrSet('a', () => 'a')
    await templates.getOrSet('b', () => 'b')
    await templates.getOrSet('c', () => 'c')
    expect(disposed.splice(0)).toEqual([{ value: 'a', reason: 'evicted' }])
    await templates.refresh('b', () => 'b2')
    expect(disposed.splice(0)).toEqual([{ value: 'b', reason: 'replaced' }])
    await templates.delete('b')
    expect(disposed.splice(0)).toEqual([{ value: 'b2', reason: 'invalidated' }])
    await clock.advance('2m')
    expect(disposed.splice(0)).toEqual([{ value: 'c', reason: 'expired' }])
    await templates.set('d', 'd')
    await templates.set('d', 'd2')
    expect(disposed.splice(0)).toEqual([{ value: 'd', reason: 'invalidated' }])
    await cache.shutdown()
    expect(disposed).toEqual([{ value: 'd2', reason: 'closed' }])
    expect(await templates.getOrSet('late', () => 'late')).toBe('late')
    expect(disposed.length).toBe(1)
  })

  test('is not called for a value that is confirmed, or was never kept', async () => {
    const clock = new ManualClock()
    const cache = createCache({ redis: false, clock, ttl: '1m', staleIfError: '1h' })
    const { disposed, templates } = held(cache)
    const value = { socket: 1 }
    await templates.getOrSet('key', () => value)
    await clock.advance('2m')
    expect(await templates.getOrSet('key', (context) => context.notModified())).toBe(value)
    expect(templates.peek('key')).toBe(value)
    await templates.getOrSet('skipped', (context) => {
      context.skip()
      return { socket: 2 }
    })
    await templates.getOrSet('none', () => undefined, { absentTtl: '1m' })
    await templates.delete('none')
    expect(disposed).toEqual([])
    await templates.getOrSet('key', () => value)
    await templates.delete('key')
    expect(disposed).toEqual([{ value, reason: 'invalidated' }])
  })

  test('its failures become events, and no call rejects for them', async () => {
    const cache = createCache({ redis: false, ttl: '1m' })
    const errors: unknown[] = []
    cache.on('error', ({ error, key, operation }) => errors.push([operation, key, error.cause]))
    const failing = cache.namespace('failing', {
      store: 'local',
      dispose: (value: string) => {
        if (value === 'sync') throw new Error(value)
        return Promise.reject(new Error(value))
      },
    })
    for (const value of ['sync', 'async']) {
      await failing.getOrSet(value, () => value)
      expect(await failing.delete(value)).toBe(true)
    }
    expect(errors).toEqual([
      ['dispose', 'sync', new Error('sync')],
      ['dispose', 'async', new Error('async')],
    ])
  })

  test('may use the cache', async () => {
    const cache = createCache({ redis: false, ttl: '1m' })
    const closing: Promise<unknown>[] = []
    const space: LocalNamespace = cache.namespace('own', {
      store: 'local',
      local: { maxEntries: 1 },
      dispose: (value: number) => {
        if (value < 5) closing.push(space.getOrSet(`${value}`, () => value + 1))
      },
    })
    await space.getOrSet('first', () => 1)
    await space.getOrSet('second', () => 2)
    while (closing.length > 0) await closing.shift()
    expect(space.stats().local?.entries).toBe(1)
  })
})

describe("options of store: 'local'", () => {
  test('what makes no sense is refused by name', () => {
    const cache = createCache({ redis: false })
    const refused = (options: object) => {
      try {
        cache.namespace('own', { store: 'local', ...options } as never)
      } catch (error) {
        return (error as { code?: string }).code
      }
      return 'accepted'
    }
    for (const options of [
      { store: 'redis' },
      { isolate: 'clone' },
      { verify: { sample: 1 } },
      { local: false },
      { local: { maxBytes: 5 } },
      { local: { maxEntries: 0 } },
      { dispose: 'close' },
      { compression: 'gzip' },
    ])
      expect([options, refused(options)]).toEqual([options, 'CACHE_INVALID_OPTIONS'])
    expect(refused({ local: { ttl: -1 } })).toBe('CACHE_INVALID_DURATION')
    expect(refused({})).toBe('accepted')
  })

  test('room and dispose belong to the name', async () => {
    const cache = createCache({ redis: false })
    const dispose = () => {}
    const own = cache.namespace('own', { store: 'local', dispose })
    expect(cache.namespace('own', { store: 'local', dispose })).toBe(own)
    expect(() => cache.namespace('own', { store: 'local' })).toThrow('another dispose')
    expect(() => cache.namespace('own', { store: 'local', dispose, local: { maxEntries: 5 } })).toThrow(
      'room',
    )
    const brief = cache.namespace('own', { store: 'local', dispose, ttl: '1s' })
    await own.getOrSet('key', () => hello)
    expect(brief.peek('key')).toBe(hello)
    await expect(own.reserve()).rejects.toMatchObject({ code: 'CACHE_INVALID_ARGUMENT' })
    await expect(own.set('key', undefined)).rejects.toMatchObject({ code: 'CACHE_INVALID_VALUE' })
  })
})
