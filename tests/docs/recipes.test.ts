import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Cache, Loader, Namespace } from 'cachewright'
import { describe, it } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'
import { HEADINGS, recipe } from './recipe.ts'

const tried = new Set<string>()

describe('the recipes of docs/recipes.md', () => {
  const scene = useScene()
  const tries = (heading: string, run: () => Promise<void>) => {
    tried.add(heading)
    it(heading, run)
  }

  tries('Several ids of one thing', async () => {
    interface Row {
      readonly id: string
      readonly email: string
    }
    const { cachedUsers } = await recipe<{
      cachedUsers(cache: Cache, db: object): { byEmail(email: string): Promise<Row | undefined> }
    }>('Several ids of one thing')
    const cache = await scene.open()
    let ann: Row = { id: '1', email: 'ann@old' }
    let asked = 0
    const users = cachedUsers(cache, {
      byId: async (id: string) => (id === ann.id ? ann : undefined),
      idOf: async (email: string) => {
        asked++
        return email === ann.email ? ann.id : undefined
      },
    })
    for (let call = 0; call < 4; call++) assert.deepEqual(await users.byEmail('ann@old'), ann)
    assert.ok(asked <= 2, `the id was asked for ${asked} times`)
    ann = { id: '1', email: 'ann@new' }
    await cache.invalidateTags(['user:1'])
    assert.equal(await users.byEmail('ann@old'), undefined)
    assert.deepEqual(await users.byEmail('ann@new'), ann)
  })

  tries('Loaded ahead', async () => {
    const { keepFresh } = await recipe<{
      keepFresh(cache: Cache, keys: string[], load: Loader<string>): { once(): Promise<unknown>; end(): void }
    }>('Loaded ahead')
    let loads = 0
    const load = async () => `load ${++loads}`
    const keepers = [await scene.open(), await scene.open()].map((cache) => keepFresh(cache, ['key'], load))
    for (const { end } of keepers) scene.later(end)
    for (let round = 0; round < 3; round++) await Promise.all(keepers.map(({ once }) => once()))
    assert.equal(loads, 1)
  })

  tries('One view of each key during a request', async () => {
    const { getOnce, withOneView } = await recipe<{
      withOneView<Result>(work: () => Result): Result
      getOnce(cache: Cache, key: string, load: Loader<string>): Promise<string>
    }>('One view of each key during a request')
    const cache = await scene.open()
    const get = (value: string) => getOnce(cache, 'key', () => value)
    await withOneView(async () => {
      assert.equal(await get('old'), 'old')
      await cache.delete('key')
      assert.equal(await get('new'), 'old')
      assert.equal(await withOneView(() => get('new')), 'new')
    })
    await cache.delete('key')
    assert.equal(await get('newest'), 'newest')
  })

  tries('Without the cache, for one request', async () => {
    const { read } = await recipe<{
      read(cache: Cache, key: string, load: Loader<string>, isFresh: boolean): Promise<string>
    }>('Without the cache, for one request')
    const cache = await scene.open()
    assert.equal(await read(cache, 'key', () => 'old', false), 'old')
    assert.equal(await read(cache, 'key', () => 'new', false), 'old')
    assert.equal(await read(cache, 'key', () => 'new', true), 'new')
    assert.equal(await read(cache, 'key', () => 'newest', false), 'new')
  })

  tries('Several regions', async () => {
    const { invalidateEverywhere } = await recipe<{
      invalidateEverywhere(regions: Cache[], tags: string[]): Promise<boolean>
    }>('Several regions')
    const far = await scene.server()
    const reader = await scene.open({ redis: far.url })
    const regions = [
      await scene.open(),
      await scene.open({ redis: far.url, local: false, commandTimeout: '300ms' }),
    ]
    const fill = () => reader.set('key', 'old', { tags: ['tag'] })
    await fill()
    assert.equal(await invalidateEverywhere(regions, ['tag']), true)
    await waitUntil(() => reader.peek('key') === undefined, { what: 'the push' })
    await fill()
    far.pause()
    assert.equal(await invalidateEverywhere(regions, ['tag']), false)
    far.resume()
    await waitUntil(async () => (await reader.get('key')) === undefined, { what: 'the delivery' })
  })

  tries('Messages that invalidate', async () => {
    const { consume } = await recipe<{
      consume(cache: Cache, message: { table: string; id: string }): Promise<void>
    }>('Messages that invalidate')
    const cache = await scene.open({ commandTimeout: '300ms' })
    await cache.set('key', 1, { tags: ['users:1'] })
    await consume(cache, { table: 'users', id: '1' })
    assert.equal(await cache.get('key'), undefined)
    scene.redis.pause()
    await assert.rejects(consume(cache, { table: 'users', id: '1' }), /delivers the message again/)
  })

  tries('A tenant, a language', async () => {
    const { cacheOf } = await recipe<{ cacheOf(cache: Cache, tenant: string): Namespace }>(
      'A tenant, a language',
    )
    const cache = await scene.open()
    const tenants = ['a', 'a:b', 'ä/é', '..', '']
    for (const tenant of tenants) await cacheOf(cache, tenant).set('b:key', tenant)
    for (const tenant of tenants) assert.equal(await cacheOf(cache, tenant).get('b:key'), tenant)
    await cacheOf(cache, 'a').clear()
    assert.equal(await cacheOf(cache, 'a').get('b:key'), undefined)
    assert.equal(await cacheOf(cache, 'a:b').get('b:key'), 'a:b')
  })

  tries('The version of a record', async () => {
    interface Row {
      readonly id: string
      readonly updatedAt: Date
    }
    const { rendered } = await recipe<{
      rendered(cache: Cache, row: Row, render: (row: Row) => Promise<string>): Promise<string>
    }>('The version of a record')
    const cache = await scene.open()
    let renderings = 0
    const render = async ({ updatedAt }: Row) => {
      renderings++
      return updatedAt.toISOString()
    }
    for (const time of [1, 1, 2, 2]) {
      const row = { id: '1', updatedAt: new Date(time) }
      assert.equal(await rendered(cache, row, render), row.updatedAt.toISOString())
    }
    assert.equal(renderings, 2)
  })

  tries('Names that are secret or long', async () => {
    const { keyOf } = await recipe<{ keyOf(email: string, secret: string): string }>(
      'Names that are secret or long',
    )
    const hash = createHmac('sha256', 'secret').update('ann@example.org').digest('base64url')
    assert.equal(keyOf('Ann@Example.org', 'secret'), `user:${hash}`)
    assert.notEqual(keyOf('Ann@Example.org', 'other'), `user:${hash}`)
  })

  tries('Only what was slow', async () => {
    const { cachedIfSlow } = await recipe<{
      cachedIfSlow(cache: Cache, key: string, load: () => Promise<string>): Promise<string>
    }>('Only what was slow')
    const cache = await scene.open()
    assert.equal(await cachedIfSlow(cache, 'slow', () => pause(40, 'old')), 'old')
    assert.equal(await cachedIfSlow(cache, 'slow', async () => 'new'), 'old')
    await waitUntil(
      async () => {
        await cachedIfSlow(cache, 'fast', async () => 'old')
        return (await cache.get('fast')) === undefined
      },
      { what: 'a load that took less than 20 ms' },
    )
  })

  tries('A second source', async () => {
    const { fromEither } = await recipe<{
      fromEither(
        cache: Cache,
        key: string,
        first: () => Promise<string>,
        second: () => Promise<string>,
      ): Promise<string>
    }>('A second source')
    const cache = await scene.open()
    const failing = () => Promise.reject(new Error('away'))
    assert.equal(await fromEither(cache, 'key', failing, async () => 'second'), 'second')
    const ttl = Number(await cache.getTtl('key'))
    assert.ok(ttl > 0 && ttl <= 10, `${ttl} s`)
    await cache.delete('key')
    assert.equal(await fromEither(cache, 'key', async () => 'first', failing), 'first')
    assert.ok(Number(await cache.getTtl('key')) > 10)
  })

  tries('Write-through', async () => {
    interface Thing {
      readonly id: string
      readonly name: string
    }
    const { save } = await recipe<{
      save(cache: Cache, value: Thing, commit: (value: Thing) => Promise<void>): Promise<void>
    }>('Write-through')
    const cache = await scene.open()
    const [old, changed] = [
      { id: '1', name: 'old' },
      { id: '1', name: 'changed' },
    ]
    await save(cache, old, async () => {})
    assert.deepEqual(await cache.get('thing:1'), old)
    const failing = () => Promise.reject(new Error('conflict'))
    await assert.rejects(save(cache, changed, failing), /conflict/)
    assert.deepEqual(await cache.get('thing:1'), old)
    await save(cache, changed, async () => {})
    assert.deepEqual(await cache.get('thing:1'), changed)
  })

  tries('Another process loads', async () => {
    const { report } = await recipe<{
      report(cache: Cache, name: string, order: (name: string) => Promise<void>): Promise<string | undefined>
    }>('Another process loads')
    const [reader, worker] = [await scene.open(), await scene.open()]
    const orders: string[] = []
    const read = () => report(reader, 'year', async (name) => void orders.push(name))
    assert.deepEqual([await read(), orders.length], [undefined, 1])
    await worker.set('report:year', 'old', { ttl: '5m', staleWhileRevalidate: '1h' })
    assert.deepEqual([await read(), orders.length], ['old', 1])
    await worker.expire('report:year')
    await waitUntil(() => reader.peek('report:year') === undefined, { what: 'the push' })
    assert.deepEqual([await read(), orders.length], ['old', 2])
  })

  tries('Streams', async () => {
    const { streamed } = await recipe<{
      streamed(cache: Cache, key: string, open: () => AsyncIterable<string>): Promise<Readable>
    }>('Streams')
    const cache = await scene.open()
    let opened = 0
    const open = async function* () {
      opened++
      yield* ['a', 'b', 'c']
    }
    for (let reader = 0; reader < 2; reader++) {
      assert.deepEqual(await (await streamed(cache, 'key', open)).toArray(), ['a', 'b', 'c'])
    }
    assert.equal(opened, 1)
  })

  it('every recipe was tried', () => {
    assert.deepEqual(
      HEADINGS.filter((heading) => !tried.has(heading)),
      ['Invalidated by the database'],
    )
  })
})
