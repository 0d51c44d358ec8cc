import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'

const unwanted = () => Promise.reject(new Error('nothing is to be loaded'))

describe('callers with a signal or a timeout', () => {
  const scene = useScene()

  it('share a read with callers that have neither', async () => {
    const cache = await scene.open()
    const other = await scene.open()
    await cache.getOrSet('warm', () => 1)
    await other.set('key', 'value')
    const mgets = async () =>
      Number(/cmdstat_mget:calls=(\d+)/.exec(String(await scene.redis.ask('INFO', 'commandstats')))?.[1] ?? 0)
    const before = await mgets()
    const answers = await Promise.all([
      cache.getOrSet('key', unwanted, { hardTimeout: '5s' }),
      cache.getOrSet('key', unwanted),
      cache.getOrSet('key', unwanted, { signal: new AbortController().signal }),
      cache.get('key'),
      cache.getOrSet('key', unwanted, { softTimeout: '5s' }),
    ])
    assert.deepEqual(answers, Array(5).fill('value'))
    assert.equal((await mgets()) - before, 1)
  })

  it('leave an unanswered read when their timeout passes or their signal aborts', async () => {
    const cache = await scene.open({ commandTimeout: '20s' })
    await cache.getOrSet('warm', () => 1)
    scene.redis.pause()
    try {
      const aborted = new AbortController()
      const reason = new Error('not wanted any more')
      const inTime = cache.getOrSet('key', () => 'loaded', { hardTimeout: '100ms' })
      const short = cache.getOrSet('key', () => 'loaded', { hardTimeout: '5ms' })
      const signalled = cache.getOrSet('key', () => 'loaded', { signal: aborted.signal })
      const patient = cache.getOrSet('key', () => 'loaded')
      setTimeout(() => aborted.abort(reason), 50)
      await Promise.all([
        assert.rejects(inTime, { code: 'CACHE_LOADER_TIMEOUT' }),
        assert.rejects(short, { code: 'CACHE_LOADER_TIMEOUT' }),
        assert.rejects(signalled, reason),
      ])
      scene.redis.resume()
      assert.equal(await patient, 'loaded')
    } finally {
      scene.redis.resume()
    }
  })

  it('are served a stale value when Redis is slower than softTimeout', async () => {
    const cache = await scene.open({
      commandTimeout: '20s',
      coherence: { trust: '300ms' },
      staleIfError: '1h',
    })
    await cache.getOrSet('key', () => 'stale')
    scene.redis.pause()
    try {
      await waitUntil(() => cache.peek('key') === undefined, { what: 'the end of trust' })
      assert.equal(await cache.getOrSet('key', () => 'new', { softTimeout: '50ms' }), 'stale')
    } finally {
      scene.redis.resume()
    }
  })

  it('reject if their signal aborts before the call or before the reply', async () => {
    const cache = await scene.open()
    const other = await scene.open()
    await cache.getOrSet('warm', () => 1)
    await other.set('key', 'value')
    const controller = new AbortController()
    const call = cache.getOrSet('key', unwanted, { signal: controller.signal })
    controller.abort(new Error('too late'))
    await assert.rejects(call, /too late/)
    await assert.rejects(cache.getOrSet('key', unwanted, { signal: controller.signal }), /too late/)
    assert.equal(await cache.getOrSet('key', unwanted), 'value')
  })
})
