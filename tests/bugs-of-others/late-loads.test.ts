import type { Cache } from 'cachewright'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, elapsed, inMode, warmed } from '../support/cache-states.ts'
import { heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()
const TAGGED = { tags: ['users'] }

/** Resolves when the cache knows of all earlier changes: their news comes on the same connection as this reply. */
const heardAll = (cache: Cache) => cache.get('any', { local: false })

describe('an invalidation while a value is loaded', () => {
  // logto-io/logto#9428
  test('what was read before an update is not stored after its delete', async () => {
    const [reading, writing] = [await scene.open(), await scene.open()]
    const held = heldLoader('old')
    const early = reading.getOrSet('key', held.load)
    await held.begun
    await writing.delete('key')
    held.release()
    expect(await early).toBe('old')
    for (const cache of [writing, reading]) expect(await cache.getOrSet('key', () => 'new')).toBe('new')
  })

  // ZiggyCreatures/FusionCache#625
  test('who asks after a delete does not wait for a load that began before it', async () => {
    const inMemory = scene.cache({ redis: undefined })
    for (const cache of [inMemory, await scene.open()]) {
      const held = heldLoader('old')
      const early = cache.getOrSet('key', held.load)
      await held.begun
      await cache.delete('key')
      expect(await cache.getOrSet('key', () => 'new')).toBe('new')
      held.release()
      expect(await early).toBe('old')
      expect(await cache.get('key')).toBe('new')
    }
  })

  // ZiggyCreatures/FusionCache#535
  test('a tag that is invalidated during a load defeats it', async () => {
    const [reading, writing] = [await scene.open(), await scene.open()]
    const held = heldLoader('old')
    const early = reading.getOrSet('key', held.load, TAGGED)
    await held.begun
    await writing.invalidateTags(['users'])
    // What is captured from here on would be the new generation.
    await heardAll(reading)
    held.release()
    await early
    for (const cache of [writing, reading])
      expect(await cache.getOrSet('key', () => 'new', TAGGED)).toBe('new')
  })

  // ZiggyCreatures/FusionCache#628
  test('a tag that is invalidated during an early refresh defeats it', async () => {
    const options = { ...TAGGED, earlyRefresh: { beta: 1e12 } }
    const [reading, writing] = [await scene.open(), await scene.open()]
    // Its cost is what the early refresh weighs.
    await reading.getOrSet('key', () => elapsed(20).then(() => 'first'), options)
    const held = heldLoader('old')
    expect(await reading.getOrSet('key', held.load, options)).toBe('first')
    await held.begun
    await writing.invalidateTags(['users'])
    // What is captured from here on would be the new generation.
    await heardAll(reading)
    held.release()
    await reading.idle()
    for (const cache of [writing, reading])
      expect(await cache.getOrSet('key', () => 'new', TAGGED)).toBe('new')
  })
})

// redisson/redisson#3874
describe.each(['tracking', 'bus'] as const)('a set, a delete and a read in this order (mode %s)', (mode) => {
  test('find nothing, whenever the news of the set arrives', async () => {
    const [cache, other] = [
      await scene.open({ coherence: { mode } }),
      await scene.open({ coherence: { mode } }),
    ]
    await Promise.all([inMode(cache, mode), inMode(other, mode)])
    const rounds = Array.from({ length: 100 }, (_, number) => ({
      own: `own:${number}`,
      theirs: `theirs:${number}`,
    }))
    for (const { own, theirs } of rounds) {
      const [, , found] = await Promise.all([cache.set(own, 'set'), cache.delete(own), cache.get(own)])
      expect(found).toBeUndefined()
      await other.set(theirs, 'set')
      await cache.delete(theirs)
    }
    // News arrives in the order of the changes: when that of the last one is here, so is that of every set.
    await warmed(cache, 'last')
    await other.set('last', 'changed')
    await dropped(cache, 'last')
    for (const key of rounds.flatMap(({ own, theirs }) => [own, theirs])) {
      expect([cache.peek(key), await cache.get(key)]).toEqual([undefined, undefined])
    }
  })
})

// redisson/redisson#3874
test('the messages of the bus name what has changed, and hold no value', async () => {
  const cache = await scene.open({ coherence: { mode: 'bus' } })
  await inMode(cache, 'bus')
  const subscriber = new Redis(scene.redis.url)
  scene.later(() => subscriber.disconnect())
  const messages: string[] = []
  subscriber.on('pmessage', (_pattern, _channel, message) => messages.push(message))
  await subscriber.psubscribe('*')
  await cache.set('first', 'the value')
  await cache.getOrSet('second', () => 'the value')
  await cache.refresh('third', () => 'the value')
  for (const key of ['first', 'second', 'third']) {
    await waitUntil(() => messages.some((message) => message.includes(key)), { what: `news of ${key}` })
  }
  expect(messages.filter((message) => message.includes('the value'))).toEqual([])
})
