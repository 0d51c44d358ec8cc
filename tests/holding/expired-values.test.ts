import assert from 'node:assert/strict'
import type { LocalNamespace } from 'cachewright'
import { describe, it } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'

const WINDOWS = { ttl: '5m', staleWhileRevalidate: '1m', staleIfError: '5m' } as const
const TAGGED = { tags: ['tag'] }

const WAYS = [
  ['expire', (space: LocalNamespace) => space.expire('key', { by: 'test' })],
  ['expireTags', (space: LocalNamespace) => space.expireTags(['tag'], { by: 'test' })],
] as const

describe("expiry with store: 'local'", () => {
  const scene = useScene()

  async function fleet() {
    const caches = await Promise.all([scene.open({ processName: 'api-3' }), scene.open()])
    const [here, elsewhere] = caches.map((cache) => cache.namespace('parts', { store: 'local', ...WINDOWS }))
    return { here: here as LocalNamespace, elsewhere: elsewhere as LocalNamespace }
  }

  for (const [name, expire] of WAYS) {
    it(`${name} makes the values of all processes stale, and each makes its own anew`, async () => {
      const { elsewhere, here } = await fleet()
      const [old, other] = [() => 'old', () => 'other']
      assert.equal(await here.getOrSet('key', () => old, TAGGED), old)
      assert.equal(await elsewhere.getOrSet('key', () => other, TAGGED), other)
      assert.equal(await expire(here), true)
      assert.equal(await here.get('key'), undefined)
      await waitUntil(() => elsewhere.peek('key') === undefined, { what: 'the push' })
      const renewed = () => 'renewed'
      assert.equal(
        await elsewhere.getOrSet('key', () => renewed, TAGGED),
        other,
        'stale, while it is made anew',
      )
      await waitUntil(async () => (await elsewhere.get('key')) === renewed, { what: 'the refresh' })
      await assert.doesNotReject(async () => {
        const stale = await here.getOrSet('key', () => Promise.reject(new Error('down')), TAGGED)
        assert.equal(stale, old)
      })
    })
  }

  it('a load that began before it is stale when it ends', async () => {
    const { elsewhere, here } = await fleet()
    for (const [, expire] of WAYS) {
      let release: () => void = () => {}
      const begun = new Promise<void>((resolve) => {
        void elsewhere.refresh(
          'key',
          () => {
            resolve()
            return new Promise((end) => {
              release = () => end('old')
            })
          },
          TAGGED,
        )
      })
      await begun
      await expire(here)
      release()
      await waitUntil(async () => (await elsewhere.getEntry('key', { stale: true })) !== undefined, {
        what: 'the end of the load',
      })
      assert.equal(await elsewhere.get('key'), undefined)
    }
  })

  it('explain tells who did it', async () => {
    const { elsewhere, here } = await fleet()
    await elsewhere.getOrSet('key', () => 1, TAGGED)
    await here.invalidateTags(['tag'], { by: 'layout.changed' })
    const told = String(await elsewhere.explain('key', TAGGED))
    assert.match(told, /'tag' INVALIDATED [\d.]+ (ms|s) ago by api-3 \(layout\.changed\)/)
  })
})
