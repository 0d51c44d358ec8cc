import assert from 'node:assert/strict'
import { type Cache, createCache } from 'cachewright'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'

const TAGS = Array.from({ length: 20 }, (_, index) => `tag:${index}`)

let redis: Standalone
beforeAll(async () => {
  redis = await startStandalone()
})
afterAll(() => redis.stop())

/** How often each command was sent that reads or runs a script. */
async function commandsSent(): Promise<{ readonly reads: number; readonly scripts: number }> {
  const stats = String(await redis.ask('INFO', 'commandstats'))
  const calls = (name: string) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  // A script runs several commands: what counts is what was sent.
  return { reads: calls('mget'), scripts: calls('evalsha') + calls('eval') }
}

/** A process that has met none of the tags. */
async function newcomer(): Promise<Cache> {
  const cache = createCache({ redis: redis.url, prefix: 'trips:', ttl: '5m', coherence: { trust: '1h' } })
  await cache.initialize()
  return cache
}

describe('round trips of an entry with 20 tags unknown to the process', () => {
  const reads: readonly (readonly [string, (cache: Cache) => Promise<unknown>, unknown])[] = [
    ['get', (cache) => cache.get('key'), 'value'],
    ['has', (cache) => cache.has('key'), true],
    ['getMany', async (cache) => (await cache.getMany(['key'])).get('key'), 'value'],
    ['getTtl', async (cache) => ((await cache.getTtl('key')) ?? 0) > 0, true],
    ['getOrSet', (cache) => cache.getOrSet('key', () => 'loaded'), 'value'],
  ]
  for (const [name, read, expected] of reads) {
    test(`${name} takes three reads at most, two of them at once, and none when it is warm`, async () => {
      await using writer = await newcomer()
      await writer.set('key', 'value', { tags: TAGS })
      await using cache = await newcomer()
      const before = await commandsSent()
      assert.equal(await read(cache), expected)
      const after = await commandsSent()
      // The key and the generation of the namespace, which are two keys and so two commands; then the tags.
      assert.ok(after.reads - before.reads <= 3, `${after.reads - before.reads} reads`)
      assert.equal(after.scripts, before.scripts)
      if (name === 'getTtl') return
      assert.equal(await read(cache), expected)
      assert.equal((await commandsSent()).reads, after.reads)
    })
  }

  test('getOrSet that names the tags takes one', async () => {
    await using writer = await newcomer()
    await writer.set('key', 'value', { tags: TAGS })
    await using cache = await newcomer()
    const before = await commandsSent()
    assert.equal(await cache.getOrSet('key', () => 'loaded', { tags: TAGS }), 'value')
    assert.equal((await commandsSent()).reads - before.reads, 1)
  })
})
