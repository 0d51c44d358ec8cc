import { createClient } from '@redis/client'
import type { Cache } from 'cachewright'
import { beforeAll, describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, inMode, warmed } from '../support/cache-states.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene({
  caches: { prefix: 'p:', coherence: 'bus', timeout: '2s', errors: 'throw' },
  closeAfter: 'all',
  flush: false,
})
const { redis } = scene

/** Every operation that changes something, and the keys that other processes must hear of. */
const CHANGES: readonly (readonly [
  name: string,
  change: (cache: Cache) => Promise<unknown>,
  keys: string[],
])[] = [
  ['set', (cache) => cache.set('key', 2), ['p:key']],
  ['setMany', (cache) => cache.setMany({ key: 2, other: 2 }), ['p:key', 'p:other']],
  ['getOrSet', (cache) => cache.getOrSet('new', () => 2), ['p:new']],
  ['refresh', (cache) => cache.refresh('key', () => 2), ['p:key']],
  ['delete', (cache) => cache.delete('key'), ['p:key']],
  ['deleteMany', (cache) => cache.deleteMany(['key', 'other']), ['p:key', 'p:other']],
  ['invalidateTags', (cache) => cache.invalidateTags(['a']), ['p:\0tag:a']],
  ['invalidatePattern', (cache) => cache.invalidatePattern('k*'), ['p:key']],
  ['clear', (cache) => cache.clear(), ['p:\0namespace', 'p:plain', 'p:count', 'p:set']],
  ['clear of a namespace', (cache) => cache.namespace('n').clear(), ['p:n:\0namespace', 'p:n:plain']],
  ['backend.set', ({ backend }) => backend.set('plain', 2), ['p:plain']],
  ['backend.set over an entry', ({ backend }) => backend.set('key', 2), ['p:key']],
  ['backend.setMany', ({ backend }) => backend.setMany({ plain: 2, key: 2 }), ['p:plain', 'p:key']],
  ['backend.setIfAbsent', ({ backend }) => backend.setIfAbsent('absent', 2), ['p:absent']],
  ['backend.touch', ({ backend }) => backend.touch('key', '1h'), ['p:key']],
  ['backend.persist', ({ backend }) => backend.persist('plain'), ['p:plain']],
  ['backend.getAndDelete', ({ backend }) => backend.getAndDelete('key'), ['p:key']],
  ['backend.delete', ({ backend }) => backend.delete('key'), ['p:key']],
  ['backend.deleteMany', ({ backend }) => backend.deleteMany(['key', 'plain']), ['p:key', 'p:plain']],
  ['backend.incr', ({ backend }) => backend.incr('count'), ['p:count']],
  ['backend.decr', ({ backend }) => backend.decr('count'), ['p:count']],
  ['backend.incrBig', ({ backend }) => backend.incrBig('count'), ['p:count']],
  ['backend.decrBig', ({ backend }) => backend.decrBig('count'), ['p:count']],
  ['backend.addToSet', ({ backend }) => backend.addToSet('set', 'b'), ['p:set']],
  ['backend.addManyToSet', ({ backend }) => backend.addManyToSet('set', ['b', 'c']), ['p:set']],
  ['backend.removeFromSet', ({ backend }) => backend.removeFromSet('set', 'a'), ['p:set']],
  ['backend.invalidatePattern', ({ backend }) => backend.invalidatePattern('[kp]*'), ['p:key', 'p:plain']],
  [
    'backend.clear',
    ({ backend }) => backend.clear(),
    ['p:key', 'p:plain', 'p:count', 'p:set', 'p:\0namespace'],
  ],
  ['backend.set in a namespace', (cache) => cache.namespace('n').backend.set('plain', 2), ['p:n:plain']],
]

type Message = readonly [publisher: string, number: number, storedKeys: readonly string[]]

describe('P31 a cache on the bus', () => {
  const messages: Message[] = []
  let writer: Cache
  let reader: Cache

  beforeAll(async () => {
    const subscriber = createClient({ url: redis.url })
    subscriber.on('error', () => {})
    await subscriber.connect()
    scene.later(() => subscriber.destroy())
    await subscriber.subscribe('p:\0bus', (text) => messages.push(JSON.parse(text)))
  })

  async function prepare(): Promise<void> {
    writer ??= scene.cache()
    reader ??= scene.cache()
    await Promise.all([inMode(writer, 'bus'), inMode(reader, 'bus')])
    // It may be a plain value, of which a local copy is kept for a moment only.
    await writer.delete('key')
    await dropped(reader, 'key')
    await warmed(reader, 'key')
    await writer.getOrSet('other', () => 1, { tags: ['a'] })
    await writer.backend.set('plain', 1)
    await writer.namespace('n').backend.set('plain', 1)
    await writer.backend.incr('count')
    await writer.backend.addToSet('set', 'a')
    // Messages of one publisher arrive in order on one server. That of the test before must not pass for this one.
    messages.length = 0
    await writer.set('last', 1)
    await waitUntil(() => messages.some(([, , keys]) => keys.includes('p:last')), {
      what: 'the last message',
    })
    messages.length = 0
  }

  test.each(CHANGES)(
    'announces what %s changes, in the step that changes it',
    async (_name, change, keys) => {
      await prepare()
      await change(writer)
      await writer.set('last', 2)
      await waitUntil(() => messages.some(([, , named]) => named.includes('p:last')), {
        what: 'the last message',
      })
      const publisher = messages.find(([, , named]) => named.includes('p:last'))?.[0]
      const own = messages.filter(([id]) => id === publisher)
      expect(own.flatMap(([, , named]) => named)).toEqual(expect.arrayContaining(keys))
      const numbers = own.map(([, number]) => number)
      expect(numbers).toEqual(numbers.map((_, index) => Number(numbers[0]) + index))
      if (keys.includes('p:key')) {
        await waitUntil(() => reader.peek('key') === undefined, { what: 'the copy of another process to go' })
      }
    },
  )

  test('announces a write of its backend while its circuit is open', async () => {
    await prepare()
    const proxy = await scene.proxy()
    const cut = scene.cache({ redis: proxy.url, timeout: '200ms' })
    await inMode(cut, 'bus')
    await cut.get('other')
    proxy.holdReplies()
    await Promise.allSettled(
      Array.from({ length: 8 }, (_, number) => cut.get(`none:${number}`, { local: false })),
    )
    expect(cut.circuit).toBe('open')
    proxy.release()
    messages.length = 0
    expect(await cut.backend.set('key', 'changed')).toBe(true)
    await waitUntil(() => messages.some(([, , named]) => named.includes('p:key')), { what: 'the message' })
    await waitUntil(() => reader.peek('key') === undefined, { what: 'the copy of another process to go' })
  })
})
