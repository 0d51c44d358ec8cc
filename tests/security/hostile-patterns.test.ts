import assert from 'node:assert/strict'
import { CacheError, createCache } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { NullCacheBackend } from 'cachewright/null'
import { describe, it } from 'vitest'
import { globMatcher } from '../../src/foundation/glob-matcher.ts'
import { useClosing } from '../support/scene.ts'

/** The longest pattern that is taken, in bytes. */
const LONGEST_PATTERN = 1_024
const LONGEST_KEY = 65_536

const closing = useClosing({})

/** Everything that takes a pattern from a caller and needs no server. */
const takers = {
  'a cache': () => closing.cache({ redis: false }),
  'a namespace': () => closing.cache({ redis: false }).namespace('orders'),
  'the memory backend': () => new MemoryCacheBackend(),
  'the null backend': () => new NullCacheBackend(),
}

/** The shortest time in milliseconds that the work took in several runs. */
function shortestMs(work: () => unknown): number {
  let shortest = Number.POSITIVE_INFINITY
  for (let run = 0; run < 7; run++) {
    const startMs = performance.now()
    work()
    shortest = Math.min(shortest, performance.now() - startMs)
  }
  return shortest
}

describe('a pattern', () => {
  it.each(Object.entries(takers))('that is too long is refused by %s', async (_name, open) => {
    const taker = open()
    assert.equal(await taker.invalidatePattern('a'.repeat(LONGEST_PATTERN)), 0)
    for (const pattern of ['a'.repeat(LONGEST_PATTERN + 1), 'é'.repeat(LONGEST_PATTERN / 2 + 1)]) {
      await assert.rejects(
        taker.invalidatePattern(pattern),
        (error: unknown) =>
          error instanceof CacheError &&
          error.code === 'CACHE_INVALID_ARGUMENT' &&
          error.message.includes(`at most ${LONGEST_PATTERN} bytes, not ${Buffer.byteLength(pattern)}`),
      )
    }
  })

  it.each([
    ['a long word', `*${'a'.repeat(1_000)}b*`],
    ['many words', `${'*aaaaaaab'.repeat(100)}*`],
    ['many question marks', `*${'?'.repeat(900)}b*`],
    ['a long class', `*[${'b'.repeat(1_000)}]*`],
    ['many classes', `*${'[a-z]'.repeat(200)}0*`],
  ])('of %s takes about the time of a short one', (_name, pattern) => {
    const key = 'a'.repeat(LONGEST_KEY)
    const short = globMatcher('*b*')
    const long = globMatcher(pattern)
    const shortMs = shortestMs(() => assert.equal(short(key), false))
    const longMs = shortestMs(() => assert.equal(long(key), false))
    assert.ok(longMs < 100 * shortMs, `${longMs} ms, and a short one ${shortMs} ms`)
  })

  it('that matches nothing costs little over many keys', async () => {
    const cache = createCache({ redis: false })
    const keys = Array.from({ length: 2_000 }, (_, index) => `${'a'.repeat(1_000)}${index}`)
    for (const key of keys) await cache.set(key, 1, { ttl: '5m' })
    const removalMs = async (pattern: string) => {
      let shortest = Number.POSITIVE_INFINITY
      for (let run = 0; run < 3; run++) {
        const startMs = performance.now()
        assert.equal(await cache.invalidatePattern(pattern), 0)
        shortest = Math.min(shortest, performance.now() - startMs)
      }
      return shortest
    }
    const shortMs = await removalMs('*b*')
    const longMs = await removalMs(`*${'a'.repeat(900)}b*`)
    assert.ok(longMs < 50 * shortMs, `${longMs} ms, and a short one ${shortMs} ms`)
    await cache.shutdown()
  })
})
