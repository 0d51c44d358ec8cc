import { describe, expect, test, vi } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { BusStandIn } from '../support/bus-stand-in.ts'
import { dropped, inMode, warmed } from '../support/cache-states.ts'
import { useScene } from '../support/scene.ts'

const REAL = 'real-process'
const MOST_REMEMBERED = 20_000

const message = (id: string, number: number, storedKeys: readonly string[] = []) =>
  JSON.stringify([id, number, storedKeys])

describe('memory stays bounded, whoever publishes on the channel', () => {
  test.each([
    ['publishers with long names', (index: number) => message(`${index}`.padEnd(5_000, 'x'), 1)],
    ['many publishers', (index: number) => message(`stranger-${index}`, 1)],
    ['one publisher with gaps', (index: number) => message(REAL, 2 * index + 1)],
    ['many publishers with gaps', (index: number) => message(`stranger-${index >> 1}`, 1 + 2 * (index % 2))],
  ])('%s', async (_what, forged) => {
    const standIn = await new BusStandIn().join()
    for (let index = 0; index < 30_000; index++) standIn.receive(forged(index))
    expect(standIn.bus.size).toBeLessThanOrEqual(MOST_REMEMBERED)
  })
})

describe('a lost message is noticed, whatever numbers strangers send', () => {
  test.each([
    ['the highest number before its first message', [Number.MAX_SAFE_INTEGER], []],
    ['the highest number after its first message', [], [Number.MAX_SAFE_INTEGER]],
    ['a number that is far ahead', [], [1_000_000]],
    ['numbers that come soon', [], [2, 3, 4]],
    ['an impossible number', [-1, 0], [-1]],
  ])('%s', async (_what, before, after) => {
    const standIn = await new BusStandIn().join()
    for (const number of before) standIn.receive(message(REAL, number))
    standIn.receive(message(REAL, 1))
    for (const number of after) standIn.receive(message(REAL, number))
    standIn.pass(6)
    const seen = standIn.missed
    // Number 5 is lost.
    for (const number of [6, 7]) standIn.receive(message(REAL, number))
    standIn.pass(3)
    expect(standIn.missed + standIn.lost).toBeGreaterThan(seen)
  })

  test('a message that is lost after a gap was noticed is noticed too', async () => {
    const standIn = await new BusStandIn().join()
    for (const number of [1, 3]) standIn.receive(message(REAL, number))
    standIn.pass(3)
    expect(standIn.missed).toBe(1)
    standIn.receive(message(REAL, 5))
    standIn.pass(3)
    expect(standIn.missed).toBe(2)
  })

  test('a message that is too long to look at counts as lost', async () => {
    const standIn = await new BusStandIn().join()
    standIn.receive(message(REAL, 1, ['p:key'.padEnd(2_000_000, 'x')]))
    expect(standIn.missed).toBe(1)
    standIn.pass()
    standIn.receive(message(REAL, 2, Array(5_000).fill('p:key')))
    expect(standIn.missed).toBe(2)
  })
})

describe('a flood is not looked at for long', () => {
  const keys = Array.from({ length: 4_096 }, (_, index) => `p:${index}`)

  test.each([
    ['keys', 120, (index: number) => message('stranger', index + 1, keys)],
    ['messages without keys', 400_000, (index: number) => message('stranger', index + 1)],
    ['messages of other programs', 20, () => '['.repeat(1_048_576)],
  ])('%s', async (_what, count, forged) => {
    const standIn = await new BusStandIn().join()
    for (let index = 0; index < count && standIn.lost === 0; index++) standIn.receive(forged(index))
    expect(standIn.lost).toBe(1)
    expect(standIn.changed.length).toBeLessThan(500_000)
  })

  test('what comes within a removal of many keys is no flood', async () => {
    const standIn = await new BusStandIn().join()
    for (let index = 0; index < 1_000; index++) {
      standIn.receive(message(REAL, index + 1, keys.slice(0, 2_048)))
      if (index % 90 === 89) standIn.pass()
    }
    expect(standIn.lost + standIn.missed).toBe(0)
    expect(standIn.changed.length).toBe(2_048_000)
  })
})

describe('a message is not parsed if it', () => {
  const list = (items: string, count: number) => `["stranger",1,[${Array(count).fill(items).join()}]]`

  test.each([
    ['is a text of another program', '['.repeat(1_048_576)],
    ['names too many keys', list('""', 340_000)],
    ['names too many keys, and objects', list('""', 5_000).replace(/]]$/, `,${list('{"a":0}', 90_000)}]]`)],
    ['names objects', list('{}', 340_000)],
    ['names lists in lists', `["stranger",1,[${'['.repeat(500_000)}${']'.repeat(500_000)}]]`],
    ['does not end', `["stranger",1,["${'\\"'.repeat(340_000)}`],
    ['has a long number', `["stranger",${'1'.repeat(1_000_000)},[]]`],
    ['has a long id', `["${'x'.repeat(1_000_000)}",1,[]]`],
  ])('%s', async (_what, text) => {
    const standIn = await new BusStandIn().join()
    const parse = vi.spyOn(JSON, 'parse')
    standIn.receive(text)
    expect(parse).not.toHaveBeenCalled()
    parse.mockRestore()
    expect(standIn.changed).toEqual([])
  })

  test.each([
    ['a heartbeat', []],
    ['an empty key', ['']],
    ['keys with quotes, brackets and escapes', ['p:"]]', 'p:\\', 'p:\\"', 'p:\0\n', 'p:]],[', 'p:\ud800']],
    ['4,096 keys', Array.from({ length: 4_096 }, (_, index) => `p:${index}`)],
  ])('but it is if it is %s', async (_what, keys) => {
    const standIn = await new BusStandIn().join()
    standIn.receive(message(REAL, 1, keys))
    expect(standIn.changed).toEqual(keys.filter((key) => key !== ''))
    expect(standIn.missed + standIn.lost).toBe(0)
  })
})

describe('strangers cannot have local copies dropped over and over', () => {
  test('by the same number, at most once a heartbeat, and ten times in all', async () => {
    const standIn = await new BusStandIn().join()
    for (let beats = 1; beats <= 40; beats++) {
      for (let repeats = 0; repeats < 1_000; repeats++) standIn.receive(message(REAL, 1))
      standIn.pass()
      expect(standIn.missed).toBeLessThanOrEqual(beats + 1)
    }
    expect(standIn.missed).toBeLessThanOrEqual(10)
    expect(standIn.lost).toBe(1)
  })

  test('by keys that are none of its own', async () => {
    const standIn = await new BusStandIn().join()
    standIn.receive(message(REAL, 1, ['other:key', 'p:key', '', 'p']))
    expect(standIn.changed).toEqual(['p:key'])
  })
})

describe('a process on the bus', () => {
  const scene = useScene({ caches: { prefix: 'p:', coherence: { mode: 'bus', trust: '300ms' } } })

  test('serves local copies for their short time while the channel is flooded', async () => {
    const cache = scene.cache({ local: { ttl: '100ms' } })
    await inMode(cache, 'bus')
    await warmed(cache, 'key')
    let beats = 0
    await waitUntil(
      async () => {
        await scene.redis.ask('PUBLISH', 'p:\0bus', message('stranger', 1 + (beats++ % 2)))
        return cache.coherence === 'ttl'
      },
      { what: 'the bus to be given up' },
    )
    await scene.redis.ask('DEL', 'p:key')
    await dropped(cache, 'key')
    expect(await cache.getOrSet('key', () => 'anew')).toBe('anew')
  })

  test('hears of a change although its key of presence is no string', async () => {
    await scene.redis.ask('HSET', 'p:\0bus', 'a', 'b')
    const writer = await scene.open({ coherence: { mode: 'auto', trust: '300ms' } })
    const reader = scene.cache()
    await inMode(reader, 'bus')
    await warmed(reader, 'key')
    await writer.set('key', 'changed')
    await dropped(reader, 'key')
  })
})
