import { createCache, type Namespace } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { checksum } from '../../src/codec/envelope/envelope-binding.ts'
import { forgedEntry } from '../support/forged-entry.ts'
import { type LyingServer, startLyingServer } from '../support/lying-server.ts'
import { useScene } from '../support/scene.ts'

const GENERATION = 'g'.repeat(16)
/** An entry is bound to those of 64 tags and 16 namespaces at most. */
const MOST_GENERATIONS = 80

const scene = useScene({ caches: { prefix: 'p:' }, closeAfter: 'all' })
const { later, open, redis } = scene

let server: LyingServer
/** Every key that was read. */
const read = new Set<string>()

beforeAll(async () => {
  server = await startLyingServer(redis.port)
  later(() => server.stop())
  server.lie = ([name, ...words], reply) => {
    if (String(name) === 'MGET') for (const word of words) read.add(String(word))
    return reply
  }
})
beforeEach(() => read.clear())

function bound(storedKeys: readonly string[]) {
  return storedKeys.map((storedKey) => ({ storedKey, generation: GENERATION }))
}

/** The entry with a header that ends so much earlier, as its lengths say, and a right checksum. */
function shortened(storedKey: string, bytes: Buffer, by: number): Buffer {
  const cut = Buffer.from(bytes)
  cut.writeUInt16BE(bytes.readUInt16BE(4) - by, 4)
  cut.writeUInt32BE(checksum(storedKey, cut, true), 8)
  return cut
}

const numbered = (count: number, name: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => name(index))

const FORGED: readonly (readonly [what: string, storedKeys: readonly string[]])[] = [
  ['2,200 keys of any name', numbered(2_200, (index) => `any:${index}`)],
  ['81 tags', numbered(MOST_GENERATIONS + 1, (index) => `p:\0tag:${index}`)],
  ['a key of another prefix', ['other:secret']],
  ['a generation of another prefix', ['other:\0namespace']],
  ['a generation of a shorter prefix', ['\0namespace']],
  ['a plain key of its own prefix', ['p:other']],
  ['a tag of a namespace under another prefix', ['q:n:\0tag:a']],
  ['another key of the library', ['p:\0structures']],
  ['a tag with a NUL', ['p:\0tag:a\0b']],
  ['a tag without a name', ['p:\0tag:']],
]

describe('an entry that names what no cache binds it to', () => {
  test.each(FORGED)('is a miss that heals, and nothing is read for %s', async (_what, storedKeys) => {
    const cache = await open({ redis: server.url })
    const errors: string[] = []
    cache.on('error', ({ error }) => errors.push(error.code))
    const generations = bound(storedKeys)
    for (const { storedKey, generation } of generations) await redis.ask('SET', storedKey, generation)
    await redis.ask('SET', 'p:key', forgedEntry('p:key', 'forged', { generations }), 'PX', 50_000)
    expect(await cache.getOrSet('key', () => 'loaded')).toBe('loaded')
    expect(storedKeys.filter((storedKey) => read.has(storedKey))).toEqual([])
    expect(errors).toEqual(['CACHE_UNDECODABLE'])
    const other = await open()
    expect(await other.getOrSet('key', () => 'loaded again')).toBe('loaded')
  })

  test.each(FORGED)('is a miss of a backend too: %s', async (_what, storedKeys) => {
    const backend = new RedisCacheBackend({ url: server.url, prefix: 'p:', errors: 'throw' })
    later(() => backend.shutdown())
    const generations = bound(storedKeys)
    for (const { storedKey, generation } of generations) await redis.ask('SET', storedKey, generation)
    await redis.ask('SET', 'p:key', forgedEntry('p:key', 'forged', { generations }), 'PX', 50_000)
    const served = [await backend.get('key'), (await backend.getMany(['key'])).get('key')]
    // A backend may be one of a namespace, and does not know the prefix of the cache.
    const isOfShorterPrefix = storedKeys[0] === '\0namespace'
    expect(served).toEqual(isOfShorterPrefix ? ['forged', 'forged'] : [undefined, undefined])
    if (!isOfShorterPrefix) expect(storedKeys.filter((storedKey) => read.has(storedKey))).toEqual([])
  })

  test('a generation of another namespace of its cache is one that it may have inherited', async () => {
    const cache = await open({ redis: server.url })
    const generations = bound(['p:n:\0tag:a', 'p:n:\0namespace'])
    await redis.ask('SET', 'p:key', forgedEntry('p:key', 'inherited', { generations }), 'PX', 50_000)
    expect(await cache.plain.get('key')).toBeUndefined()
    for (const { storedKey, generation } of generations) await redis.ask('SET', storedKey, generation)
    expect(await cache.plain.get('key')).toBe('inherited')
    // It does not make the entry one of that namespace, nor of the root, whose own generation it lacks.
    expect(await cache.get('key')).toBeUndefined()
  })

  test('is explained as what it is', async () => {
    const cache = await open({ redis: server.url })
    const generations = bound(['other:secret'])
    await redis.ask('SET', 'p:key', forgedEntry('p:key', 'forged', { generations }), 'PX', 50_000)
    expect((await cache.explain('key')).toString()).toContain('no generation of this cache')
    expect(read.has('other:secret')).toBe(false)
  })

  test('a header that is cut within its generations is undecodable', async () => {
    const cache = await open()
    const codes: string[] = []
    cache.on('error', ({ error }) => codes.push(error.code))
    const count = 3
    for (let shift = 1; shift < 60; shift++) {
      const storedKey = `p:${shift}`
      const generations = bound(numbered(count, (index) => `p:\0tag:${index}`))
      const bytes = forgedEntry(storedKey, 'forged', { generations })
      await redis.ask('SET', storedKey, shortened(storedKey, bytes, shift))
      expect(await cache.getOrSet(String(shift), () => 'loaded')).toBe('loaded')
    }
    expect(new Set(codes)).toEqual(new Set(['CACHE_UNDECODABLE']))
  })
})

describe('a key that the user may not read', () => {
  const aclFile = 'user default on nopass ~* &* +@all\nuser limited on >secret ~p:a* &* +@all\n'

  test('fails alone, not the reads that share its command', async () => {
    const limited = await scene.server({ aclFile, username: 'limited', password: 'secret' })
    const backend = new RedisCacheBackend({ url: limited.url, prefix: 'p:', errors: 'throw' })
    later(() => backend.shutdown())
    await backend.setMany({ a: 1, a2: 2 })
    const gets = await Promise.allSettled(['a', 'forbidden', 'a2'].map((key) => backend.get(key)))
    expect(gets).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'rejected', reason: expect.objectContaining({ code: 'CACHE_AUTH', key: 'forbidden' }) },
      { status: 'fulfilled', value: 2 },
    ])
    const absorbing = new RedisCacheBackend({ url: limited.url, prefix: 'p:' })
    later(() => absorbing.shutdown())
    expect([...(await absorbing.getMany(['a', 'forbidden', 'a2'])).values()]).toEqual([1, undefined, 2])
  })
})

describe('an entry has at most 64 tags', () => {
  const tags = numbered(40, (index) => `tag:${index}`)

  test('also if its loader names some of them', async () => {
    const cache = await open()
    const load = (late: readonly string[]) =>
      cache.getOrSet(
        `key:${late.length}`,
        (context) => {
          context.addTags(late)
          return 'loaded'
        },
        { tags },
      )
    const late = numbered(25, (index) => `late:${index}`)
    await cache.getOrSet('tagged', () => 1, { tags: late })
    expect(await load(late.slice(1))).toBe('loaded')
    await expect(load(late)).rejects.toThrow('at most 64 tags, not 65')
  })

  test('namespaces are nested 15 deep at most', () => {
    const root = createCache({ redis: false })
    later(() => root.shutdown())
    let cache: Namespace = root
    for (let depth = 1; depth <= 15; depth++) cache = cache.namespace('n')
    expect(() => cache.namespace('n')).toThrow('at most 15 deep')
  })
})
