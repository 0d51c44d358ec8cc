import { type Cache, escapeGlob, glob } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ caches: IMPATIENT })
const { redis } = scene

/** Names with a special meaning in globs, Redis, Lua, JSON or JavaScript. */
const INTERNALS = [
  ...['*', '?', '[a-z]', '[^a]', '\\', '\\*', '[', ']', '-', '{tag}', '{}', 'a b', '\n', '\r\n', '"', "'"],
  ...['%s', '%', '$1', '__proto__', 'constructor', 'toString', 'ü', '日本', '😀'],
  ...['a:b', ':', '::', 'é', 'e\u0301', '\u2028', ' ', '0', 'null', 'x'.repeat(5_000)],
]
const NEIGHBOURS = ['plain', 'a', 'ab', 'xyz', 'x', 'A', 'user:1']

test('P36 every key is literal, and its removal touches no other key', async () => {
  const cache = scene.cache()
  const keys = [...INTERNALS, ...NEIGHBOURS]
  for (const key of keys) expect(await cache.getOrSet(key, () => `of ${key}`)).toBe(`of ${key}`)
  expect([...(await cache.getMany(keys))]).toEqual(keys.map((key) => [key, `of ${key}`]))
  expect(Number(await redis.ask('DBSIZE'))).toBe(keys.length + 1)
  for (const [number, key] of keys.entries()) {
    if (number % 2 === 0) expect([key, await cache.delete(key)]).toEqual([key, true])
    else expect([key, await cache.invalidatePattern(escapeGlob(key))]).toEqual([key, 1])
    expect(await redis.ask('EXISTS', `p:${key}`)).toBe(0)
    for (const [later, other] of keys.entries()) {
      if (later > number) expect([key, other, cache.peek(other)]).toEqual([key, other, `of ${other}`])
    }
  }
})

test('P36 a change by another program reaches the local tier for every key', async () => {
  const cache = scene.cache()
  for (const key of INTERNALS) {
    await cache.getOrSet(key, () => 'old')
    expect([key, cache.peek(key)]).toEqual([key, 'old'])
    await redis.ask('SET', `p:${key}`, '"new"')
  }
  for (const key of INTERNALS) {
    await waitUntil(async () => (await cache.get(key)) === 'new', {
      what: `the change of ${key}`,
      timeoutMs: 2_000,
    })
  }
})

test('P36 every tag is literal and invalidates only its own entries', async () => {
  const cache = scene.cache()
  const tags = [...INTERNALS, ...NEIGHBOURS]
  const ask = (tag: string, number: number) => cache.getOrSet(`key:${number}`, () => tag, { tags: [tag] })
  for (const [number, tag] of tags.entries()) await ask(tag, number)
  for (const [number, tag] of tags.entries()) {
    await cache.invalidateTags([tag])
    expect([tag, await cache.get(`key:${number}`)]).toEqual([tag, undefined])
    const next = tags[number + 1]
    if (next !== undefined) expect([tag, await cache.get(`key:${number + 1}`)]).toEqual([tag, next])
  }
})

test('P36 every namespace is literal and can be cleared alone', async () => {
  const root = scene.cache()
  const names = [...INTERNALS.filter((name) => name.length < 100), ...NEIGHBOURS].filter(
    (name) => !name.includes(':'),
  )
  const spaces = new Map(names.map((name) => [name, root.namespace(name)]))
  for (const [name, space] of spaces) await space.getOrSet('key', () => name)
  const left = new Set(names)
  for (const [name, space] of spaces) {
    expect([name, await space.get('key')]).toEqual([name, name])
    if (name.length % 2 === 0) await space.clear()
    else expect([name, await space.invalidatePattern('*')]).toEqual([name, 1])
    left.delete(name)
    expect([name, await space.get('key')]).toEqual([name, undefined])
    for (const other of left) {
      expect([name, other, await (spaces.get(other) as Cache).get('key')]).toEqual([name, other, other])
    }
  }
})

describe('P36 every prefix is literal', () => {
  test('a clear removes the keys of the prefix and leaves keys that only match it as a glob', async () => {
    for (const [number, part] of INTERNALS.filter((name) => name.length < 100).entries()) {
      await redis.ask('FLUSHALL')
      const prefix = `${part}:`
      const cache = scene.cache({ prefix })
      const neighbours = ['p:a', 'a:a', 'x:a', 'aXb:a', `${number}`, 'q', `x${prefix}a`]
      for (const key of neighbours) await redis.ask('SET', key, '1')
      const before = Number(await redis.ask('DBSIZE'))
      await cache.set('one', 1)
      await cache.set('two', 2, { tags: ['t'] })
      await cache.counters.incr('three')
      expect([part, await cache.invalidatePattern('o*')]).toEqual([part, 1])
      const reclaimed = new Promise((resolve) => cache.on('invalidate', resolve))
      expect(await cache.clear()).toBe(true)
      await reclaimed
      const own = [`${prefix}\0namespace`, `${prefix}\0tag:t`]
      for (const key of own) expect([part, await redis.ask('EXISTS', key)]).toEqual([part, 1])
      const inOwnPrefix = neighbours.filter((key) => key.startsWith(prefix)).length
      expect([part, Number(await redis.ask('DBSIZE'))]).toEqual([part, before - inOwnPrefix + own.length])
      await cache.shutdown()
    }
  })

  test('the bus of one prefix does not reach another prefix', async () => {
    const caches = ['*:', 'a*:', '[a]:', 'a:'].map((prefix) =>
      scene.cache({ prefix, coherence: { mode: 'bus' }, local: { ttl: '1m' } }),
    )
    const source = new Source('kept')
    for (const cache of caches) {
      await cache.initialize()
      await waitUntil(() => cache.coherence === 'bus', { what: 'the bus' })
    }
    for (const cache of caches) await cache.getOrSet('key', source.load)
    await caches[0]?.set('key', 'changed')
    await caches[0]?.get('key', { local: false })
    for (const cache of caches.slice(1)) expect(cache.peek('key')).toBe('kept')
  })
})

describe('P35 a pattern defeats loads that began before it', () => {
  test('a load that began before a matching pattern is not stored, whichever process sends the pattern', async () => {
    const [mine, other] = [scene.cache(), scene.cache()]
    for (const [remover, pattern] of [
      [mine, 'user:*'],
      [other, 'user:*'],
      [mine, '*'],
      [other, '?ser:[0-9]'],
      [mine, glob`user:${1}*`],
    ] as const) {
      let finish = (_value: string) => {}
      const loading = mine.getOrSet('user:1', () => new Promise<string>((resolve) => (finish = resolve)))
      await waitUntil(async () => (await redis.ask('EXISTS', 'p:user:1')) === 1, { what: 'the lease' })
      expect(await remover.invalidatePattern(pattern)).toBe(0)
      const newcomer = mine.getOrSet('user:1', () => 'new')
      finish('old')
      expect(await loading).toBe('old')
      expect(await newcomer).toBe('new')
      expect(await mine.get('user:1', { local: false })).toBe('new')
      await other.delete('user:1')
      await waitUntil(() => mine.peek('user:1') === undefined, { what: 'the push' })
    }
  })

  test('a pattern that does not match leaves a load intact', async () => {
    const cache = scene.cache()
    let finish = (_value: string) => {}
    const loading = cache.getOrSet('user:*', () => new Promise<string>((resolve) => (finish = resolve)))
    await waitUntil(async () => (await redis.ask('EXISTS', 'p:user:*')) === 1, { what: 'the lease' })
    for (const pattern of ['user:?x', 'user', escapeGlob('user:?'), 'USER:*', 'x*']) {
      expect(await cache.invalidatePattern(pattern)).toBe(0)
    }
    finish('loaded')
    expect(await loading).toBe('loaded')
    expect(await cache.get('user:*')).toBe('loaded')
  })

  test('tags and namespaces survive a pattern that matches everything', async () => {
    const cache = scene.cache()
    await cache.getOrSet('key', () => 1, { tags: ['t'] })
    await cache.invalidatePattern('*')
    expect(((await redis.ask('KEYS', '*')) as string[]).sort()).toEqual(['p:\0namespace', 'p:\0tag:t'])
  })
})

test('P36 no key, tag, namespace or prefix can look like a name of the library', async () => {
  const cache = scene.cache()
  const refused = { code: 'CACHE_INVALID_KEY' }
  for (const name of ['x\0tag:one', 'x\0namespace', '\0']) {
    await expect(cache.set(name, 1)).rejects.toMatchObject(refused)
    await expect(cache.getOrSet(name, () => 1)).rejects.toMatchObject(refused)
    await expect(cache.plain.set(name, 1)).rejects.toMatchObject(refused)
    await expect(cache.invalidateTags([name])).rejects.toMatchObject(refused)
    expect(() => cache.namespace(name)).toThrow(expect.objectContaining(refused))
  }
  expect(() => scene.cache({ prefix: 'p\0tag:' })).toThrow(/prefix/)
})
