import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { CacheError } from 'cachewright'
import { describe, it } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useBuild } from '../support/build.ts'
import { Source } from '../support/loaders.ts'
import { startChildren } from '../support/participant.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const TAGGED = { tags: ['tag'] }

describe('a change whose process dies', () => {
  const scene = useScene()
  useBuild('package')

  it('P49 invalidates what it held when its hold runs out, and lets nothing older be stored before', async () => {
    const cache = await scene.open()
    await cache.set('key', 1, TAGGED)
    await cache.set('tagged', 1, TAGGED)
    const options = { redis: scene.redis.url, source: scene.redis.url, cache: { prefix: 'shop:' } }
    const [child] = await startChildren(1, options)
    assert.ok(child)
    const change = {
      how: 'hold and never end',
      key: 'key',
      version: 2,
      hold: '1s',
      changedTags: ['tag'],
    } as const
    const changing = child.change({ ...change, asks: false, storedKey: 'shop:key', pattern: '' })
    changing.catch(() => {})
    await waitUntil(async () => (await cache.explain('key')).shared.state === 'changing', {
      what: 'it is held',
    })
    child.process.kill('SIGKILL')
    await once(child.process, 'exit')
    const old = new Source(1)
    for (const key of ['key', 'tagged']) {
      assert.equal(await cache.getOrSet(key, old.load, TAGGED), 1)
      assert.equal(await cache.get(key, { local: false }), undefined)
    }
    const ended = async () => (await cache.explain('key', TAGGED)).next.step === 'load'
    await waitUntil(ended, { what: 'the hold has run out' })
    for (const key of ['key', 'tagged']) {
      assert.equal(await cache.getOrSet(key, async () => 2, TAGGED), 2)
      assert.equal(await cache.get(key, { local: false }), 2)
    }
  })
})

describe('a change, if Redis', () => {
  const scene = useScene({ caches: IMPATIENT })

  it('is away from before it to after it: it succeeds, tells of it, and is delivered later', async () => {
    const cache = await scene.open()
    const other = await scene.open()
    for (const key of ['key', 'tagged', 'called']) await cache.set(key, 'old', TAGGED)
    const failed: string[] = []
    cache.on('error', ({ operation }: { operation: string; error: CacheError }) => failed.push(operation))
    scene.redis.pause()
    const result = await cache.change({ keys: ['key'], tags: ['tag'], hold: '5s' }, async () => {
      await cache.delete('called')
      return 'committed'
    })
    assert.equal(result, 'committed')
    assert.ok(failed.includes('change') && failed.includes('delete'), failed.join())
    assert.ok(cache.stats().undelivered > 0)
    for (const key of ['key', 'tagged', 'called'])
      assert.equal(await cache.getOrSet(key, async () => 'new', TAGGED), 'new')
    scene.redis.resume()
    await waitUntil(() => cache.stats().undelivered === 0, { what: 'it is delivered' })
    // What was sent while the server stood still has run since, and the hold may be among it.
    await waitUntil(async () => (await other.explain('key', TAGGED)).next.step === 'load', {
      what: 'the holds have ended',
    })
    for (const key of ['key', 'tagged', 'called'])
      assert.equal(await other.getOrSet(key, async () => 'new', TAGGED), 'new')
  })

  it('is away at the end of it: the invalidation is delivered later', async () => {
    const cache = await scene.open()
    const other = await scene.open()
    await cache.set('key', 'old', TAGGED)
    await cache.change({ keys: ['key'], tags: ['tag'], hold: '2s' }, () => scene.redis.pause())
    assert.ok(cache.stats().undelivered > 0)
    assert.equal(await cache.getOrSet('key', async () => 'new', TAGGED), 'new')
    scene.redis.resume()
    await waitUntil(() => cache.stats().undelivered === 0, { what: 'it is delivered' })
    await waitUntil(async () => (await other.explain('key', TAGGED)).next.step === 'load', {
      what: 'the holds have ended',
    })
    assert.equal(await other.getOrSet('key', async () => 'new', TAGGED), 'new')
    assert.equal(await cache.get('key', { local: false }), 'new')
  })

  it('is full: the work runs, and what could not be held is invalidated', async () => {
    const redis = await scene.server({ args: ['--maxmemory-policy', 'noeviction'] })
    const cache = await scene.open({ redis: redis.url })
    await cache.set('key', 'old', TAGGED)
    await redis.ask('CONFIG', 'SET', 'maxmemory', '1')
    let isRun = false
    await cache.change({ keys: ['key'], tags: ['tag'], hold: '5s' }, () => {
      isRun = true
    })
    assert.equal(isRun, true)
    await redis.ask('CONFIG', 'SET', 'maxmemory', '0')
    assert.equal(await cache.getOrSet('key', async () => 'new', TAGGED), 'new')
    assert.equal(await cache.get('key', { local: false }), 'new')
  })
})
