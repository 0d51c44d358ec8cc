import assert from 'node:assert/strict'
import { type Cache, createCache, type ReadThroughEvents } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { afterEach, describe, it } from 'vitest'
import { z } from 'zod'
import { deferred, heldLoader, Source } from '../support/loaders.ts'

const opened: Cache[] = []
afterEach(async () => {
  for (const cache of opened.splice(0)) await cache.shutdown()
})

const USER = z.object({ id: z.number(), version: z.number() })
const WINDOWS = { ttl: '1h', staleWhileRevalidate: '1m', staleIfError: '10m' } as const
const TAGGED = { tags: ['tag'] }

/** Two processes over one simulated Redis, with stale windows. */
function fleet(options: Parameters<typeof createCache>[0] = {}) {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const join = () => {
    const cache = createCache({ backend: redis.backend({ prefix: 'shop:' }), clock, ...WINDOWS, ...options })
    opened.push(cache)
    return cache
  }
  return { clock, here: join(), elsewhere: join() }
}

const WAYS = [
  ['expire', (cache: Cache) => cache.expire('key')],
  ['expireTags', (cache: Cache) => cache.expireTags(['tag'])],
] as const

for (const [name, expire] of WAYS) {
  describe(`after ${name}`, () => {
    it('the entry is stale in every process, and one load replaces it', async () => {
      const { clock, elsewhere, here } = fleet()
      const source = new Source('old')
      const ask = (cache: Cache) => cache.getOrSet('key', source.load, TAGGED)
      assert.deepEqual([await ask(here), await ask(elsewhere)], ['old', 'old'])
      await clock.advance('1s')
      source.value = 'new'
      assert.equal(await expire(here), true)
      for (const cache of [here, elsewhere]) {
        assert.equal(cache.peek('key'), undefined)
        assert.equal(await cache.get('key'), undefined, 'a plain read finds no fresh value')
      }
      const asked = [ask(elsewhere), ask(here), ask(elsewhere)]
      await clock.advance('1s')
      assert.deepEqual(await Promise.all(asked), ['old', 'old', 'old'], 'served while it is loaded')
      await clock.advance('1s')
      assert.deepEqual([await ask(here), await ask(elsewhere)], ['new', 'new'])
      assert.equal(source.loads, 2)
    })

    it('the stale windows begin', async () => {
      const { clock, elsewhere, here } = fleet()
      const source = new Source('old')
      const ask = () => elsewhere.getOrSet('key', source.load, TAGGED)
      await ask()
      await clock.advance('10m')
      await expire(here)
      source.error = new Error('down')
      await clock.advance('50s')
      assert.equal(await ask(), 'old', 'within staleWhileRevalidate')
      await clock.advance('5m')
      assert.equal(await ask(), 'old', 'within staleIfError')
      await clock.advance('5m')
      await assert.rejects(ask(), /down/)
    })

    it('what was being loaded is stale as well, and what is loaded from now on is not', async () => {
      const { clock, elsewhere, here } = fleet()
      const held = heldLoader('old')
      const loading = elsewhere.getOrSet('key', held.load, TAGGED)
      await held.begun
      await clock.advance('1s')
      await expire(here)
      await clock.advance('1s')
      held.release()
      assert.equal(await loading, 'old')
      assert.equal(await here.get('key'), undefined)
      assert.equal(await here.refresh('key', async () => 'new', TAGGED), 'new')
      assert.equal(await elsewhere.get('key'), 'new')
    })

    it('an entry without stale windows is gone', async () => {
      const { clock, elsewhere, here } = fleet({ staleWhileRevalidate: false, staleIfError: false })
      await elsewhere.set('key', 'old', TAGGED)
      await clock.advance('1s')
      await expire(here)
      const held = deferred<string>()
      const answer = elsewhere.getOrSet('key', () => held.promise, TAGGED)
      held.resolve('new')
      assert.equal(await answer, 'new')
    })

    it('a set makes it fresh', async () => {
      const { clock, elsewhere, here } = fleet()
      await elsewhere.set('key', 'old', TAGGED)
      await clock.advance('1s')
      await expire(here)
      await here.set('key', 'new', TAGGED)
      assert.equal(await elsewhere.get('key'), 'new')
    })

    it('getOrSetEntry says stale, and explain says why', async () => {
      const { clock, elsewhere, here } = fleet()
      await elsewhere.set('key', 'old', TAGGED)
      await clock.advance('10s')
      await expire(here)
      await clock.advance('5s')
      const explained = await elsewhere.explain('key', TAGGED)
      assert.equal(explained.next.step, 'serve-stale')
      assert.equal(explained.shared.times?.freshness, 'stale')
      const entry = await elsewhere.getOrSetEntry('key', async () => 'new', TAGGED)
      assert.deepEqual([entry.value, entry.status], ['old', 'stale'])
    })

    it('an event tells of it', async () => {
      const { here } = fleet()
      const told: ReadThroughEvents['expire'][] = []
      here.on('expire', (event) => told.push(event))
      await here.set('key', 1, TAGGED)
      await expire(here)
      const [key, tags] = name === 'expire' ? ['key', undefined] : [undefined, ['tag']]
      assert.deepEqual(told, [{ namespace: '', key, tags, by: undefined }])
    })

    it('within a change it waits for the end, and is dropped if the work fails', async () => {
      const { clock, here } = fleet()
      await here.set('key', 'old', TAGGED)
      await clock.advance('1s')
      const fail = here.change({}, async () => {
        await expire(here)
        throw new Error('rolled back')
      })
      await assert.rejects(fail, /rolled back/)
      assert.equal(await here.get('key'), 'old')
      assert.equal(await here.change({}, () => expire(here)), true)
      assert.equal(await here.get('key'), undefined)
    })
  })
}

describe('expire', () => {
  it('says whether there was an entry', async () => {
    const { here } = fleet()
    assert.equal(await here.expire('key'), false)
    await here.set('key', 1)
    assert.equal(await here.expire('key'), true)
    assert.equal(await here.expire('key'), true, 'an entry that is stale already')
  })

  it('leaves alone what is no entry', async () => {
    const { here } = fleet()
    await here.counters.incr('count')
    await here.plain.set('plain', 'value')
    assert.equal(await here.expire('count'), false)
    assert.equal(await here.expire('plain'), false)
    assert.equal(await here.counters.incr('count'), 2)
    assert.equal(await here.plain.get('plain'), 'value')
  })

  it('keeps the value, tags and load cost of the entry, and gives it another stamp', async () => {
    const { clock, here } = fleet()
    await here.getOrSet('key', async () => ({ name: 'Ada', at: new Date(5) }), TAGGED)
    await clock.advance('1m')
    const before = await here.getEntry('key')
    await here.expire('key')
    const after = await here.getOrSetEntry<unknown>('key', async () => 'next', TAGGED)
    assert.deepEqual(after.value, before?.value)
    assert.deepEqual(after.tags, before?.tags)
    assert.notEqual(after.stamp, before?.stamp)
    await here.invalidateTags(['tag'])
    assert.equal(await here.get('key'), undefined)
  })

  it('does not make an entry stale later than it would have been', async () => {
    const { clock, here } = fleet()
    const source = new Source('old')
    const ask = () => here.getOrSet('key', source.load)
    await ask()
    source.error = new Error('down')
    await clock.advance('1h')
    await clock.advance('9m')
    await here.expire('key')
    assert.equal(await ask(), 'old', 'within staleIfError since it ceased to be fresh')
    await clock.advance('61s')
    await assert.rejects(ask(), /down/)
  })

  it('of a collection expires this version, and removes the entries of the neighbouring ones', async () => {
    const { clock, here } = fleet()
    const versions = [1, 2].map((version) =>
      here.collection({
        ...{ name: 'users', version, schema: USER },
        load: async (id: number) => ({ id, version }),
      }),
    )
    for (const users of versions) await users.get(7)
    await clock.advance('1s')
    assert.equal(await versions[0]?.expire(7), true)
    assert.equal((await here.explain('users@2:7')).shared.state, 'absent')
    assert.deepEqual(await versions[0]?.get(7), { id: 7, version: 1 })
  })

  it('is answered in the order of the calls', async () => {
    const { here } = fleet()
    await here.set('key', 'first')
    void here.expire('key')
    void here.set('key', 'second')
    assert.equal(await here.get('key'), 'second')
    void here.set('key', 'third')
    void here.expire('key')
    assert.equal(await here.get('key'), undefined)
  })
})

describe('expireTags', () => {
  it('spreads the moments, the same in every process, and none comes later than the time that was given', async () => {
    const { clock, elsewhere, here } = fleet()
    const keys = Array.from({ length: 40 }, (_, n) => `key:${n}`)
    for (const key of keys) await here.set(key, 'old', TAGGED)
    await clock.advance('1s')
    assert.equal(await here.expireTags(['tag'], { over: '100s' }), true)
    const counts: number[] = []
    for (let second = 0; second <= 100; second += 25) {
      const [fresh, same] = await Promise.all([
        Promise.all(keys.map((key) => here.get(key))),
        Promise.all(keys.map((key) => elsewhere.get(key))),
      ])
      assert.deepEqual(fresh, same)
      counts.push(fresh.filter((value) => value !== undefined).length)
      await clock.advance('25s')
    }
    const [first, , middle, , last] = counts as [number, number, number, number, number]
    assert.ok(first >= 38 && middle > 8 && middle < 32, `${counts}`)
    assert.equal(last, 0)
  })

  it('serves what is not stale yet from this process', async () => {
    const { clock, here } = fleet()
    const keys = Array.from({ length: 20 }, (_, n) => `key:${n}`)
    for (const key of keys) await here.set(key, 'old', TAGGED)
    await here.expireTags(['tag'], { over: '1h' })
    await Promise.all(keys.map((key) => here.get(key)))
    await clock.advance('1s')
    const local = keys.filter((key) => here.peek(key) === 'old')
    assert.ok(local.length >= 18, `${local.length}`)
  })

  it('does not revive what was invalidated', async () => {
    const { here } = fleet()
    await here.set('key', 'old', TAGGED)
    await here.invalidateTags(['tag'])
    await here.expireTags(['tag'])
    const entry = await here.getOrSetEntry('key', async () => 'new', TAGGED)
    assert.deepEqual([entry.value, entry.status], ['new', 'miss'])
  })

  it('does not reach entries of other tags and namespaces', async () => {
    const { here } = fleet()
    await here.set('other', 1, { tags: ['another'] })
    await here.namespace('inner').set('key', 2, TAGGED)
    await here.expireTags(['tag'])
    assert.equal(await here.get('other'), 1)
    assert.equal(await here.namespace('inner').get('key'), 2)
  })

  it('makes what was made of an expired entry stale as well', async () => {
    const { clock, here } = fleet()
    const ask = (value: string) =>
      here.getOrSet('whole', async () => `${await here.getOrSet('part', async () => value, TAGGED)}!`, {
        inherit: true,
      })
    assert.equal(await ask('old'), 'old!')
    await clock.advance('1s')
    await here.expireTags(['tag'])
    assert.equal(await here.get('whole'), undefined)
    assert.equal((await here.getOrSetEntry('whole', async () => 'new')).status, 'stale')
  })

  it('counts as an invalidation for the backend, which serves nothing stale', async () => {
    const { here } = fleet()
    await here.set('key', 'old', TAGGED)
    assert.equal(await here.plain.get('key'), 'old')
    await here.expireTags(['tag'], { over: '1h' })
    assert.equal(await here.plain.get('key'), undefined)
  })
})

describe('invalidatedAt', () => {
  it('is the latest invalidation or expiry of the tags, by the clock of the server', async () => {
    const { here } = fleet()
    assert.equal(await here.invalidatedAt(['a', 'b']), 0)
    const times: number[] = []
    for (const renew of [
      () => here.invalidateTags(['a']),
      () => here.expireTags(['b']),
      () => here.expireTags(['b']),
    ]) {
      // Both tell the time in whole milliseconds.
      await new Promise((resolve) => setTimeout(resolve, 5))
      await renew()
      times.push(await here.invalidatedAt(['a', 'b']))
    }
    const [first, second, third] = times as [number, number, number]
    assert.ok(first < second && second < third, `${times}`)
    assert.ok(Math.abs(third - Date.now()) < 60_000)
  })

  it('is now while a change holds a tag', async () => {
    const { here } = fleet()
    await here.change({ tags: ['a'], hold: '5s' }, async () => {
      assert.ok(Math.abs((await here.invalidatedAt(['a'])) - Date.now()) < 60_000)
    })
  })
})

describe('bad input', () => {
  const cases: readonly (readonly [string, (cache: Cache) => Promise<unknown>, string, RegExp])[] = [
    ['a bad key', (cache) => cache.expire(''), 'CACHE_INVALID_KEY', /key/],
    ['no tags', (cache) => cache.expireTags(undefined as never), 'CACHE_INVALID_ARGUMENT', /tags/],
    [
      'over as text',
      (cache) => cache.expireTags(['a'], { over: 'soon' as never }),
      'CACHE_INVALID_DURATION',
      /over/,
    ],
    [
      'over without end',
      (cache) => cache.expireTags(['a'], { over: Number.POSITIVE_INFINITY }),
      'CACHE_INVALID_OPTIONS',
      /over must be a day at most/,
    ],
    [
      'over of a key',
      (cache) => cache.expire('a', { over: '5m' } as never),
      'CACHE_INVALID_OPTIONS',
      /Unknown option 'over' of the invalidation/,
    ],
    [
      'an empty by',
      (cache) => cache.delete('a', { by: '' }),
      'CACHE_INVALID_OPTIONS',
      /by must be a text of 1 to 64/,
    ],
    [
      'a long by',
      (cache) => cache.invalidateTags(['a'], { by: 'ä'.repeat(33) }),
      'CACHE_INVALID_OPTIONS',
      /by must be a text of 1 to 64 bytes/,
    ],
    [
      'a by of two lines',
      (cache) => cache.clear({ by: 'a\nb' }),
      'CACHE_INVALID_OPTIONS',
      /without control characters/,
    ],
    [
      'a number for by',
      (cache) => cache.expire('a', { by: 1 as never }),
      'CACHE_INVALID_OPTIONS',
      /by must be/,
    ],
  ]
  for (const [name, call, code, message] of cases) {
    it(`${name} is refused`, async () => {
      await assert.rejects(call(fleet().here), { code, message })
    })
  }

  it('a long processName is refused', () => {
    assert.throws(() => createCache({ redis: false, processName: 'x'.repeat(33) }), {
      code: 'CACHE_INVALID_OPTIONS',
      message: /processName must be a text of 1 to 32 bytes/,
    })
  })
})
