import { MemoryCacheBackend } from 'cachewright/memory'
import { describe, expect, test } from 'vitest'

/** The milliseconds that it takes to add so many members, one by one, to one set; the best of a few attempts. */
async function timeToAdd(members: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 3; attempt++) {
    await using backend = new MemoryCacheBackend()
    await backend.initialize()
    const beganMs = performance.now()
    for (let member = 0; member < members; member++) await backend.addToSet('set', `member:${member}`)
    best = Math.min(best, performance.now() - beganMs)
  }
  return best
}

describe('sets in memory', () => {
  test('adding four times as many members one by one takes about four times as long', async () => {
    await timeToAdd(1_000)
    const few = await timeToAdd(5_000)
    expect(await timeToAdd(20_000)).toBeLessThan(few * 8)
  })

  test('100,000 members are added one by one', async () => {
    await using backend = new MemoryCacheBackend()
    await backend.initialize()
    for (let member = 0; member < 100_000; member++) await backend.addToSet('set', `${member}`)
    expect(await backend.getSetMembers('set')).toHaveLength(100_000)
  })

  test('what a removal frees is room for other entries', async () => {
    await using backend = new MemoryCacheBackend({ maxBytes: 20_000 })
    await backend.initialize()
    const members = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(30, '.'))
    for (let round = 0; round < 5; round++) {
      expect(await backend.addManyToSet('set', members)).toBe(100)
      for (const member of members.slice(1)) await backend.removeFromSet('set', member)
      await backend.removeFromSet('set', members[0] as string)
      expect(await backend.exists('set')).toBe(false)
    }
    await backend.set('kept', 'value')
    await backend.addManyToSet('set', members)
    for (const member of members.slice(1)) await backend.removeFromSet('set', member)
    await backend.addManyToSet('other', members)
    expect(await backend.get('kept')).toBe('value')
    expect(await backend.getSetMembers('set')).toEqual([members[0]])
  })

  test('a set that would outgrow the whole cache is refused, and stays as it was', async () => {
    await using backend = new MemoryCacheBackend({ maxBytes: 1_000, errors: 'throw' })
    await backend.initialize()
    await backend.addToSet('set', 'a')
    await expect(backend.addManyToSet('set', ['b', 'x'.repeat(1_000)])).rejects.toThrow(
      'more than the whole cache',
    )
    expect(await backend.getSetMembers('set')).toEqual(['a'])
    expect(await backend.addToSet('set', 'b')).toBe(true)
  })

  test('removing a member keeps the time to live of the set', async () => {
    await using backend = new MemoryCacheBackend()
    await backend.initialize()
    await backend.addManyToSet('set', ['a', 'b'], { ttl: '50s' })
    await backend.removeFromSet('set', 'a')
    const ttl = (await backend.getTtl('set')) as number
    expect(ttl).toBeGreaterThan(0)
    expect(ttl).toBeLessThanOrEqual(50)
  })
})
