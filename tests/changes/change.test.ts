import assert from 'node:assert/strict'
import { type Cache, createCache, type ReadThroughEvents, SchemaMismatchError } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { afterEach, describe, it } from 'vitest'
import { z } from 'zod'
import { deferred, heldLoader, Source } from '../support/loaders.ts'

const opened: Cache[] = []
afterEach(async () => {
  for (const cache of opened.splice(0)) await cache.shutdown()
})

function memory(): Cache {
  const cache = createCache({ redis: false, prefix: 'shop:', ttl: '5m' })
  opened.push(cache)
  return cache
}

/** The changes that this cache tells of from now on. */
function changes(cache: Cache): ReadThroughEvents['change'][] {
  const told: ReadThroughEvents['change'][] = []
  cache.on('change', (change) => told.push(change))
  return told
}

describe('the options of a change', () => {
  const refused: readonly (readonly [name: string, options: object, code: string, message: RegExp])[] = [
    [
      'an unknown one',
      { key: 'a' },
      'CACHE_INVALID_OPTIONS',
      /Unknown option 'key' of change; did you mean 'keys'/,
    ],
    ['a text for keys', { keys: 'user:1' }, 'CACHE_INVALID_ARGUMENT', /keys must be an array/],
    ['a bad key', { keys: [''] }, 'CACHE_INVALID_KEY', /key/],
    ['a text for tags', { tags: 'users' }, 'CACHE_INVALID_ARGUMENT', /tags must be an array/],
    [
      '65 tags',
      { tags: Array.from({ length: 65 }, (_, n) => `t${n}`) },
      'CACHE_INVALID_ARGUMENT',
      /at most 64 tags/,
    ],
    ['no duration', { keys: ['a'], hold: 'long' }, 'CACHE_INVALID_DURATION', /Invalid duration hold: "long"/],
    [
      'a long hold',
      { keys: ['a'], hold: '61s' },
      'CACHE_INVALID_OPTIONS',
      /hold must be a minute at most, not "61s"/,
    ],
    [
      'an endless hold',
      { keys: ['a'], hold: Number.POSITIVE_INFINITY },
      'CACHE_INVALID_OPTIONS',
      /a minute at most/,
    ],
    ['a hold of nothing', { hold: '1s' }, 'CACHE_INVALID_OPTIONS', /hold needs keys or tags/],
  ]
  for (const [name, options, code, message] of refused) {
    it(`${name} is refused, and the work does not run`, async () => {
      let isRun = false
      await assert.rejects(
        memory().change(options, () => {
          isRun = true
        }),
        { code, message },
      )
      assert.equal(isRun, false)
    })
  }

  it('work that is no function is refused', async () => {
    await assert.rejects(memory().change({}, 'work' as never), {
      code: 'CACHE_INVALID_ARGUMENT',
      message: /The work must be a function, not a string/,
    })
  })
})

describe('a change', () => {
  it('returns what its work returns, also if that is no promise', async () => {
    const cache = memory()
    assert.equal(await cache.change({}, () => 1), 1)
    assert.equal(await cache.change({}, async () => 'later'), 'later')
  })

  it('tells what became of it, and is counted', async () => {
    const cache = memory()
    const told = changes(cache)
    await cache.namespace('orders').change({ keys: ['1'], tags: ['t'], hold: '5s' }, () => cache.delete('x'))
    await assert.rejects(
      cache.change({ keys: ['1'] }, () => {
        throw new Error('no')
      }),
    )
    assert.deepEqual(
      told.map(({ durationMs, ...rest }) => ({ ...rest, isTimed: durationMs >= 0 })),
      [
        {
          ...{ namespace: 'orders', keys: ['1'], tags: ['t'], writes: 1 },
          ...{ hasFailed: false, hasOutlivedHold: false, isTimed: true },
        },
        {
          ...{ namespace: '', keys: ['1'], tags: [], writes: 0 },
          ...{ hasFailed: true, hasOutlivedHold: false, isTimed: true },
        },
      ],
    )
    assert.equal(cache.stats().total.changes, 2)
  })

  it('checks what is called within it at once', async () => {
    const cache = memory()
    await cache.change({}, async () => {
      await assert.rejects(cache.delete(''), { code: 'CACHE_INVALID_KEY' })
      await assert.rejects(cache.set('key', undefined), { code: 'CACHE_INVALID_VALUE' })
      await assert.rejects(
        cache.set('key', () => {}),
        { code: 'CACHE_INVALID_VALUE' },
      )
      await assert.rejects(cache.invalidateTags(null as never), { code: 'CACHE_INVALID_ARGUMENT' })
      await assert.rejects(cache.invalidatePattern(''), { code: 'CACHE_INVALID_ARGUMENT' })
    })
    assert.equal(await cache.get('key'), undefined)
  })

  it('stores what a value was when it was set', async () => {
    const cache = memory()
    await cache.change({}, async () => {
      const value = { name: 'Ada' }
      await cache.set('key', value)
      value.name = 'Bob'
    })
    assert.deepEqual(await cache.get('key'), { name: 'Ada' })
  })

  it('sends the writes of a key in the order of their calls', async () => {
    const cache = memory()
    await cache.change({ keys: ['a'], hold: '5s' }, async () => {
      await cache.set('a', 1)
      await cache.delete('a')
      await cache.set('a', 2)
      await cache.set('b', 1)
      await cache.delete('b')
    })
    assert.equal(await cache.get('a'), 2)
    assert.equal(await cache.get('b'), undefined)
  })

  it('lets what its work has left behind act at once', async () => {
    const cache = memory()
    await cache.set('key', 'cached')
    const later = deferred()
    const left: Promise<unknown>[] = []
    await cache.change({}, () => {
      left.push(later.promise.then(async () => [await cache.get('key'), await cache.delete('key')]))
    })
    later.resolve()
    assert.deepEqual(await left[0], ['cached', true])
    assert.equal(await cache.get('key'), undefined)
  })

  it('calls the loader within it for each caller, who may give up', async () => {
    const cache = memory()
    const slow = heldLoader('late')
    await cache.change({}, async () => {
      const controller = new AbortController()
      const loading = cache.getOrSet('key', slow.load, { signal: controller.signal })
      await slow.begun
      controller.abort(new Error('enough'))
      await assert.rejects(loading, /enough/)
      await assert.rejects(
        cache.getOrSet('key', () => new Promise<never>(() => {}), { hardTimeout: '20ms' }),
        { code: 'CACHE_LOADER_TIMEOUT' },
      )
      await assert.rejects(
        cache.getOrSet('key', () => Promise.reject(new Error('source'))),
        /source/,
      )
    })
  })

  it('serves no stale value within it, also if the loader fails', async () => {
    const cache = memory()
    await cache.set('key', 'old', { ttl: '1ms', staleIfError: '1h', staleWhileRevalidate: '1h' })
    const failing = () => Promise.reject(new Error('source'))
    await cache.change({}, () =>
      assert.rejects(cache.getOrSet('key', failing, { staleIfError: '1h' }), /source/),
    )
  })

  it('does not join loads of others, nor they its own', async () => {
    const cache = memory()
    const outside = heldLoader('outside')
    const loading = cache.getOrSet('key', outside.load)
    await outside.begun
    const within = heldLoader('within')
    const mayEnd = deferred()
    const changing = cache.change({}, async () => {
      const value = cache.getOrSet('other', within.load)
      assert.equal(await cache.getOrSet('key', async () => 'uncommitted'), 'uncommitted')
      await mayEnd.promise
      return value
    })
    await within.begun
    assert.equal(await cache.getOrSet('other', async () => 'committed'), 'committed')
    within.release()
    mayEnd.resolve()
    outside.release()
    assert.equal(await changing, 'within')
    assert.equal(await loading, 'outside')
    assert.equal(await cache.get('other'), 'committed')
  })

  it('covers wrapped functions', async () => {
    const cache = memory()
    const source = new Source(1)
    const find = cache.wrap((_id: string) => source.load(), { name: 'find' })
    assert.equal(await find('a'), 1)
    source.value = 2
    await cache.change({ keys: [find.key('a')] }, async () => {
      assert.equal(await find('a'), 2)
      assert.equal(cache.peek(find.key('a')), undefined)
    })
    source.value = 3
    assert.equal(await find('a'), 3)
  })
})

describe('a change within a change', () => {
  it('ends with the outer one', async () => {
    const cache = memory()
    await cache.setMany({ inner: 'old', called: 'old', outer: 'old' })
    await cache.change({ keys: ['outer'] }, async () => {
      const value = await cache.change({ keys: ['inner'], hold: '5s' }, async () => {
        await cache.delete('called')
        return 'inner'
      })
      assert.equal(value, 'inner')
      const rest = cache.namespace('n').get('x')
      assert.equal(await rest, undefined)
    })
    for (const key of ['inner', 'called', 'outer']) assert.equal(await cache.get(key), undefined, key)
    assert.equal(await cache.getOrSet('inner', async () => 'new'), 'new')
    assert.equal(await cache.get('inner'), 'new')
  })

  it('is dropped alone if it fails and the outer one goes on', async () => {
    const cache = memory()
    await cache.setMany({ inner: 'old', outer: 'old' })
    await cache.change({}, async () => {
      await cache
        .change({}, async () => {
          await cache.delete('inner')
          throw new Error('inner')
        })
        .catch(() => {})
      await cache.delete('outer')
    })
    assert.equal(await cache.get('inner'), 'old')
    assert.equal(await cache.get('outer'), undefined)
  })

  it('is dropped with the outer one, and its hold ends', async () => {
    const cache = memory()
    await cache.set('called', 'old')
    const failing = cache.change({}, async () => {
      await cache.change({ keys: ['held'], hold: '30s' }, () => cache.delete('called'))
      throw new Error('outer')
    })
    await assert.rejects(failing, /outer/)
    assert.equal(await cache.get('called'), 'old')
    assert.equal(await cache.getOrSet('held', async () => 'new'), 'new')
    assert.equal(await cache.get('held'), 'new')
  })

  it('of another cache is a change of its own', async () => {
    const [one, other] = [memory(), memory()]
    await other.set('key', 'old')
    await one.change({}, async () => {
      assert.equal(await other.get('key'), 'old')
      await other.change({ keys: ['key'] }, () => {})
      assert.equal(await other.get('key'), undefined)
    })
  })
})

describe('a collection within a change', () => {
  const schema = z.object({ name: z.string() })
  it('is read past the cache, and written when the change has succeeded', async () => {
    const cache = memory()
    let name = 'old'
    const users = cache.collection({ name: 'users', schema, load: async () => ({ name }) })
    assert.deepEqual(await users.get('ann'), { name: 'old' })
    await users.set('bob', { name: 'old' })
    await cache.change({}, async () => {
      name = 'new'
      assert.deepEqual(await users.get('ann'), { name: 'new' })
      assert.deepEqual(await users.refresh('ann'), { name: 'new' })
      assert.equal(users.peek('ann'), undefined)
      assert.equal(await users.has('ann'), false)
      assert.equal(await users.delete('ann'), true)
      assert.equal(await users.deleteMany(['bob', 'none']), 2)
      assert.equal(await users.set('cleo', { name: 'Cleo' }), true)
      await assert.rejects(users.set('dan', { name: 1 } as never), SchemaMismatchError)
    })
    assert.deepEqual(await users.get('ann'), { name: 'new' })
    assert.equal(await users.has('cleo'), true)
    assert.equal(await users.has('bob'), false)
  })

  it('loads in batches of its own', async () => {
    const cache = memory()
    const batches: string[][] = []
    const users = cache.collection({
      ...{ name: 'users', schema },
      loadMany: async (ids: readonly string[]) => {
        batches.push([...ids])
        return ids.map((name) => ({ name }))
      },
    })
    const within = deferred()
    const changing = cache.change({}, async () => {
      await within.promise
      return Promise.all([users.get('a'), users.get('b')])
    })
    const outside = within.promise.then(() => Promise.all([users.get('b'), users.get('c')]))
    within.resolve()
    await Promise.all([changing, outside])
    assert.deepEqual(batches.map((ids) => ids.join()).sort(), ['a,b', 'b,c'])
    assert.equal(users.peek('a'), undefined)
    assert.deepEqual(users.peek('b'), { name: 'b' })
  })

  it('does not wait for itself if its write is called just before', async () => {
    const cache = memory()
    const slowly = schema.refine(() => Promise.resolve(true))
    const users = cache.collection({
      name: 'users',
      schema: slowly,
      tags: ['users'],
      load: async () => undefined,
    })
    const setting = users.set('ann', { name: 'Ann' })
    await cache.change({ keys: ['users@0:ann'], tags: ['users'], hold: '5s' }, () => {})
    assert.equal(await setting, true)
  })
})

describe('a hold', () => {
  const hold = '10s'

  function fleet() {
    const clock = new ManualClock()
    const redis = new SimulatedRedis({ clock })
    const join = () => {
      const cache = createCache({ backend: redis.backend({ prefix: 'shop:' }), clock, ttl: '1h' })
      opened.push(cache)
      return cache
    }
    return { clock, here: join(), elsewhere: join() }
  }

  it('that ends before the work lets others store; its end invalidates that, and says so', async () => {
    const { clock, elsewhere, here } = fleet()
    const told = changes(here)
    await here.change({ keys: ['key'], tags: ['tag'], hold }, async () => {
      await clock.advance('11s')
    })
    assert.equal(told[0]?.hasOutlivedHold, true)
    assert.equal(await elsewhere.get('key'), undefined)
  })

  it('of a process that never ends its work ends by itself', async () => {
    const { clock, elsewhere, here } = fleet()
    const TAGGED = { tags: ['tag'] }
    await elsewhere.set('key', 'old', TAGGED)
    void here.change({ tags: ['tag'], hold }, () => new Promise<never>(() => {}))
    await clock.advance('1s')
    assert.equal(await elsewhere.getOrSet('key', async () => 'meanwhile', TAGGED), 'meanwhile')
    assert.equal(await elsewhere.get('key'), undefined)
    await clock.advance('10s')
    assert.equal(await elsewhere.getOrSet('key', async () => 'new', TAGGED), 'new')
    assert.equal(await elsewhere.get('key'), 'new')
  })
})
