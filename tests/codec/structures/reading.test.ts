import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import type { EntryMeta } from '../../../src/codec/envelope/entry-meta.ts'
import { sealEnvelope } from '../../../src/codec/envelope/envelope.ts'
import { trials } from '../../support/trials.ts'
import { KEY_1, withChecksum } from '../encrypted-codec.ts'
import { richValue } from './rich-value.ts'
import { assertMiss, KEY, ORDER, USER } from './sample-values.ts'
import { Process, SharedPlace } from './shared-codec.ts'

describe('reading', () => {
  it('a reader without the dictionary loads it once for all waiting reads and then decodes synchronously', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    const two = await Process.start(place, { serializer: 'json' })
    await one.learn(USER)
    const entry = one.encode(KEY, USER)
    const before = place.loads
    const reads = Array.from({ length: 100 }, () => two.codec.decode(KEY, entry))
    assert.ok(reads.every((read) => read instanceof Promise))
    for (const value of await Promise.all(reads)) assert.deepEqual(value, USER)
    assert.equal(place.loads, before + 1)
    assert.deepEqual(two.codec.decode(KEY, entry), USER)
  })

  it('a read loads the dictionary again if the load in flight is too old for it', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    const two = await Process.start(place, { serializer: 'json' })
    await one.learn(USER)
    const user = one.encode(KEY, USER)
    const { promise, resolve } = deferred()
    place.held = promise
    const first = two.codec.decode(KEY, user)
    await two.clock.settle()
    await one.learn(ORDER)
    const second = two.codec.decode(KEY, one.encode(KEY, ORDER))
    await two.clock.settle()
    resolve(undefined)
    assert.deepEqual(await first, USER)
    assert.deepEqual(await second, ORDER)
  })

  it('an unknown dictionary is a miss and is looked up once a second', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    await one.learn(USER)
    const entry = one.encode(KEY, USER)
    place.stored = null
    const two = await Process.start(place, { serializer: 'json' })
    for (let times = 0; times < 5; times++) await assertMiss(two, entry)
    assert.equal(place.loads, 2)
    await two.clock.advance('2s')
    await assertMiss(two, entry)
    assert.equal(place.loads, 3)
    one.structures.removed()
    one.encode(KEY, USER)
    await one.clock.advance('1s')
    await two.clock.advance('2s')
    assert.deepEqual(await two.codec.decode(KEY, entry), USER)
  })

  it('an unavailable store causes misses and is asked again once it is back', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    await one.learn(USER)
    const entry = one.encode(KEY, USER)
    const two = await Process.start(place, { serializer: 'json' })
    place.isAway = true
    await assertMiss(two, entry)
    place.isAway = false
    assert.deepEqual(await two.codec.decode(KEY, entry), USER)
  })

  it('P2 P3 a flipped bit or a truncation anywhere is a miss, with or without the dictionary', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    await one.learn(USER)
    const two = await Process.start(place, { serializer: 'json' })
    const meta = { ...META, generations: [{ storedKey: 'cache:\0tag:a', generation: '0123456789abcdef' }] }
    for (const entry of [one.encode(KEY, USER), one.codec.encodeEntry(KEY, USER, meta)]) {
      for (const reader of [one, two]) {
        for (let bit = 8; bit < entry.length * 8; bit++) {
          const corrupt = Buffer.from(entry)
          corrupt[bit >> 3] = (corrupt[bit >> 3] as number) ^ (1 << (bit & 7))
          // Scripts write the lease in place, so no checksum covers it.
          const isLease = entry.length > 150 && bit >> 3 >= 12 && bit >> 3 < 42
          if (!isLease) await assertMiss(reader, corrupt)
        }
        for (let length = 2; length < entry.length; length++)
          await assertMiss(reader, entry.subarray(0, length))
      }
    }
  })

  it('an entry whose section does not match its serializer or header is a miss', async () => {
    const one = await Process.start(new SharedPlace())
    await one.learn(USER)
    const name = { count: 2, digest: one.encode(KEY, USER).subarray(14, 30) }
    const payload = Buffer.from(one.encode(KEY, USER).subarray(30))
    const header = { compressionId: 'none', structures: name }
    for (const serializerId of ['json', 'v8', 'pickle', 'acme/orders']) {
      await assertMiss(one, sealEnvelope(KEY, { ...header, serializerId }, payload))
    }
    const sound = sealEnvelope(KEY, { ...header, serializerId: 'msgpack' }, payload)
    assert.deepEqual(one.codec.decode(KEY, sound), USER)
    for (const count of [0, 1, 3, 512, 65_535]) {
      const other = sealEnvelope(
        KEY,
        { ...header, serializerId: 'msgpack', structures: { ...name, count } },
        payload,
      )
      await assertMiss(one, other)
    }
    for (let headerBytes = 0; headerBytes < 30; headerBytes++) {
      const short = Buffer.from(sound)
      short.writeUInt16BE(headerBytes, 4)
      await assertMiss(one, withChecksum(KEY, short))
    }
  })

  it('a cache entry has the section, too, compressed or encrypted or not', async () => {
    const place = new SharedPlace()
    for (const compression of [undefined, { algorithm: 'gzip', minBytes: 0 } as const]) {
      for (const encryption of [undefined, { keys: [KEY_1] }]) {
        place.stored = null
        const one = await Process.start(place, { compression }, encryption)
        const value = { id: 1, name: 'a'.repeat(500), geo: { lat: 1, lon: 2 } }
        await one.learn(value)
        const entry = one.codec.encodeEntry(KEY, value, META)
        const plain = one.encode(KEY, value)
        const two = await Process.start(place, { serializer: 'json' }, encryption)
        for (const reader of [one, two]) {
          assert.deepEqual(await reader.codec.decodeEntry(KEY, entry), value)
          assert.deepEqual(reader.codec.open(KEY, entry)?.entry, META)
          assert.deepEqual(await reader.codec.decode(KEY, plain), value)
        }
      }
    }
  })

  it('any value survives a round trip, learned or not', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    const two = await Process.start(place)
    await fc.assert(
      fc.asyncProperty(
        fc.array(richValue, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (values, learns) => {
          if (learns) await one.learn(...values)
          for (const value of values) {
            const entry = one.encode(KEY, value)
            assert.deepStrictEqual(await two.codec.decode(KEY, entry), value)
            assert.deepStrictEqual(one.codec.decode(KEY, entry), value)
          }
        },
      ),
      { numRuns: trials(150, 2_000) },
    )
  })
})

const META: EntryMeta = {
  stamp: '12345678',
  createdAtMs: 1,
  ttlMs: 2,
  staleWhileRevalidateMs: 3,
  staleIfErrorMs: 4,
  loadCostMs: 5,
  generations: [],
}

function deferred(): { promise: Promise<unknown>; resolve: (value: unknown) => void } {
  let resolve: (value: unknown) => void = () => {}
  const promise = new Promise((settled) => {
    resolve = settled
  })
  return { promise, resolve }
}
