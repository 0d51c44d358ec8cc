import { randomBytes } from 'node:crypto'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, expect, test } from 'vitest'
import { isPlaceholder } from '../../src/codec/envelope/entry-meta.ts'
import { useScene } from '../support/scene.ts'

const ENVELOPE_MARK = 0x01
const PICKLE_MARK = 0x80
/** The opcode that ends every pickle; no JSON ends with it. */
const PICKLE_STOP = 0x2e
const SERIALIZERS = ['json', 'v8', 'msgpack', 'pickle'] as const

const scene = useScene()
const { redis } = scene

interface Told {
  readonly backend: RedisCacheBackend
  readonly errors: [code: string, key: string | undefined][]
  readonly misses: [key: string, reason: string][]
}

async function opened(options: ConstructorParameters<typeof RedisCacheBackend>[0] = {}): Promise<Told> {
  // Thousands of buffers at once take a busy machine longer than a second.
  const backend = new RedisCacheBackend({ url: redis.url, commandTimeout: '20s', ...options })
  scene.later(() => backend.shutdown())
  const told: Told = { backend, errors: [], misses: [] }
  backend.on('error', ({ error, key }) => told.errors.push([error.code, key]))
  backend.on('miss', ({ key, reason }) => told.misses.push([key, reason]))
  await backend.initialize()
  return told
}

/** The value of these bytes as JSON, if they are JSON: a backend reads JSON from any program. */
function jsonIn(bytes: Buffer): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) }
  } catch {
    return undefined
  }
}

describe('P2 corrupt bytes are misses', () => {
  for (const serializer of SERIALIZERS) {
    test(`a backend with ${serializer} reads 2,000 random buffers as misses, JSON and rare valid pickles aside`, async () => {
      const { backend, errors, misses } = await opened({ serializer })
      const stored = new Map<string, Buffer>()
      for (let number = 0; number < 2_000; number++) {
        const bytes = randomBytes(number % 97)
        if (number % 4 === 0 && bytes.length > 0) bytes[0] = ENVELOPE_MARK
        if (number % 8 === 4 && bytes.length > 1) bytes[1] = 1 // a version that is known
        if (number % 4 === 1 && bytes.length > 2) {
          bytes[0] = PICKLE_MARK
          bytes[1] = 2 + (number % 4)
          bytes[bytes.length - 1] = PICKLE_STOP
        }
        // A placeholder is a plain miss, without an error.
        if (isPlaceholder(bytes)) bytes[0] = 0
        stored.set(`key:${number}`, bytes)
      }
      await redis.ask('MSET', ...[...stored].flatMap(([key, bytes]) => [`cache:${key}`, bytes]))
      const found = await backend.getMany(stored.keys())
      const single = await Promise.all([...stored.keys()].map((key) => backend.get(key)))
      expect([...found.values()]).toEqual(single)
      let unreadable = 0
      for (const [key, bytes] of stored) {
        const value = found.get(key)
        if (value === undefined) unreadable++
        // Only JSON or a rare valid pickle among the random bytes may be read as a value. "N." is a pickle already.
        else if (bytes.at(-1) !== PICKLE_STOP)
          expect(value, bytes.toString('hex')).toEqual(jsonIn(bytes)?.value)
      }
      expect(unreadable).toBeGreaterThan(1_800)
      expect(errors).toHaveLength(2 * unreadable)
      expect(new Set(errors.map(([code]) => code))).toEqual(new Set(['CACHE_UNDECODABLE']))
      expect(new Set(misses.map(([, reason]) => reason))).toEqual(new Set(['undecodable']))
    })

    test(`every truncation and every flipped byte of an envelope with ${serializer} is a miss`, async () => {
      const { backend } = await opened({ serializer, compression: { algorithm: 'gzip', minBytes: 0 } })
      await backend.set('whole', { list: Array(50).fill('text') })
      const { backend: reader } = await opened({ readers: [serializer, 'gzip'] })
      const whole = await rawBytes('cache:whole')
      expect(whole[0]).toBe(ENVELOPE_MARK)
      const broken = Array.from(whole, (byte, at) => {
        const flipped = Buffer.from(whole)
        flipped[at] = byte ^ (1 << (at % 8))
        return [whole.subarray(0, at), flipped] as const
      }).flat()
      for (const [index, bytes] of broken.entries()) await redis.ask('SET', `cache:${index}`, bytes)
      await redis.ask('COPY', 'cache:whole', 'cache:elsewhere')
      const keys = [...broken.keys()].map(String)
      const found = await reader.getMany([...keys, 'elsewhere', 'whole'])
      expect(found.get('whole')).toEqual({ list: Array(50).fill('text') })
      found.delete('whole')
      expect(new Set(found.values())).toEqual(new Set([undefined]))
    })
  }

  test('JSON and a pickle from another program are read as values', async () => {
    const { backend, errors } = await opened({ readers: ['pickle'] })
    await redis.ask('SET', 'cache:json', '{"a": [1, null]}\n')
    await redis.ask('SET', 'cache:pickle', Buffer.from('80049503000000000000004b2a2e', 'hex'))
    expect(await backend.getMany(['json', 'pickle'])).toEqual(
      new Map<string, unknown>([
        ['json', { a: [1, null] }],
        ['pickle', 42],
      ]),
    )
    expect(errors).toEqual([])
  })

  /** The bytes under a key, taken out as hexadecimal digits, since `ask` reads text. */
  async function rawBytes(storedKey: string): Promise<Buffer> {
    const script =
      "return (redis.call('GET', KEYS[1]):gsub('.', function(c) return string.format('%02x', c:byte()) end))"
    return Buffer.from(String(await redis.ask('EVAL', script, 1, storedKey)), 'hex')
  }
})

describe('P2 a read of a key that holds another Redis type is a miss', () => {
  const MAKE: Readonly<Record<string, (storedKey: string) => readonly (string | number)[]>> = {
    list: (key) => ['RPUSH', key, 'a', 'b'],
    hash: (key) => ['HSET', key, 'field', 'value'],
    zset: (key) => ['ZADD', key, 1, 'member'],
    stream: (key) => ['XADD', key, '*', 'field', 'value'],
    set: (key) => ['SADD', key, 'member'],
  }

  for (const [type, make] of Object.entries(MAKE)) {
    test(`a ${type}`, async () => {
      const { backend, errors, misses } = await opened()
      await redis.ask(...make('cache:key'))
      expect(await backend.get('key')).toBeUndefined()
      expect(await backend.getMany(['key'])).toEqual(new Map([['key', undefined]]))
      expect(misses).toEqual(Array(2).fill(['key', 'absent']))
      expect(errors).toEqual([])
      await expect(backend.incr('key')).rejects.toMatchObject({ code: 'CACHE_WRONG_TYPE' })
      if (type !== 'set') {
        expect(await backend.addToSet('key', 'other')).toBe(false)
        expect(await backend.getSetMembers('key')).toEqual([])
        expect(await backend.removeFromSet('key', 'other')).toBe(false)
      }
      expect(await redis.ask('TYPE', 'cache:key')).toBe(type)
      expect(await redis.ask('TTL', 'cache:key')).toBe(-1)
      expect(await backend.exists('key')).toBe(true)
      expect(await backend.set('key', 'mine')).toBe(true)
      expect(await backend.get('key')).toBe('mine')
    })
  }
})
