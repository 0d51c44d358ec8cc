import { createClient } from '@redis/client'
import type { Cache } from 'cachewright'
import { beforeAll, describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, inMode, warmed } from '../support/cache-states.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene({
  caches: { prefix: 'p:', coherence: { mode: 'bus' }, commandTimeout: '2s', errors: 'throw' },
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
  ['plain.set', ({ plain }) => plain.set('plain', 2), ['p:plain']],
  ['plain.set over an entry', ({ plain }) => plain.set('key', 2), ['p:key']],
  ['plain.setMany', ({ plain }) => plain.setMany({ plain: 2, key: 2 }), ['p:plain', 'p:key']],
  ['plain.setIfAbsent', ({ plain }) => plain.setIfAbsent('absent', 2), ['p:absent']],
  ['plain.touch', ({ plain }) => plain.touch('key', '1h'), ['p:key']],
  ['plain.persist', ({ plain }) => plain.persist('plain'), ['p:plain']],
  ['plain.getAndDelete', ({ plain }) => plain.getAndDelete('key'), ['p:key']],
  ['counters.incr', ({ counters }) => counters.incr('count'), ['p:count']],
  ['counters.decr', ({ counters }) => counters.decr('count'), ['p:count']],
  ['counters.incrBig', ({ counters }) => counters.incrBig('count'), ['p:count']],
  ['counters.decrBig', ({ counters }) => counters.decrBig('count'), ['p:count']],
  ['sets.addToSet', ({ sets }) => sets.addToSet('set', 'b'), ['p:set']],
  ['sets.addManyToSet', ({ sets }) => sets.addManyToSet('set', ['b', 'c']), ['p:set']],
  ['sets.removeFromSet', ({ sets }) => sets.removeFromSet('set', 'a'), ['p:set']],
  ['plain.set in a namespace', (cache) => cache.namespace('n').plain.set('plain', 2), ['p:n:plain']],
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
    await writer.plain.set('plain', 1)
    await writer.namespace('n').plain.set('plain', 1)
    await writer.counters.incr('count')
    await writer.sets.addToSet('set', 'a')
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
    const cut = scene.cache({ redis: proxy.url, commandTimeout: '200ms' })
    await inMode(cut, 'bus')
    await cut.get('other')
    proxy.holdReplies()
    await Promise.allSettled(
      Array.from({ length: 8 }, (_, number) => cut.get(`none:${number}`, { local: false })),
    )
    expect(cut.circuit).toBe('open')
    proxy.release()
    messages.length = 0
    expect(await cut.plain.set('key', 'changed')).toBe(true)
    await waitUntil(() => messages.some(([, , named]) => named.includes('p:key')), { what: 'the message' })
    await waitUntil(() => reader.peek('key') === undefined, { what: 'the copy of another process to go' })
  })
})
