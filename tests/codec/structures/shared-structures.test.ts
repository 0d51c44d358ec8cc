import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import type { EntryMeta } from '../../../src/codec/envelope/entry-meta.ts'
import { sealEnvelope } from '../../../src/codec/envelope/envelope.ts'
import { CacheError } from '../../../src/foundation/cache-error.ts'
import { trials } from '../../support/trials.ts'
import { KEY_1, KEY_2, withChecksum } from '../encrypted-codec.ts'
import { richValue } from './rich-value.ts'
import { Process, SharedPlace, structuresIn } from './shared-codec.ts'

const KEY = 'cache:user:1'
const USER = { id: 1, name: 'Ada', geo: { lat: 51.5, lon: -0.13 } }
const ORDER = { number: 7, lines: [{ article: 'a', count: 2 }] }

function isUndecodable(error: unknown): boolean {
  return error instanceof CacheError && error.code === 'CACHE_UNDECODABLE'
}

async function assertMiss(one: Process, entry: Buffer): Promise<void> {
  await assert.rejects(async () => one.codec.decode(KEY, entry), isUndecodable)
}

describe('learning', () => {
  it('a shape that three values have had is shared, and the entry then is shorter', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    const first = one.encode(KEY, USER)
    one.encode(KEY, USER)
    await one.clock.advance('1m')
    assert.equal(place.replacements, 0)
    one.encode(KEY, USER)
    assert.equal(structuresIn(one.encode(KEY, USER)), 0)
    await one.clock.advance('1s')
    assert.equal(place.replacements, 1)
    const shared = one.encode(KEY, USER)
    assert.equal(structuresIn(shared), 2)
    assert.ok(shared.length < first.length)
    assert.deepEqual(one.codec.decode(KEY, shared), USER)
    assert.deepEqual(one.codec.decode(KEY, first), USER)
  })

  it('many records of one value count once', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    // More shapes than msgpackr holds at a time: it asks for each anew whenever it comes round.
    const round = Array.from({ length: 100 }, (_, id) => ({ [`n${id}`]: id }))
    one.encode(
      KEY,
      [round, round, round, round].flat().map((record) => ({ ...record })),
    )
    for (let times = 0; times < 2; times++)
      one.encode(
        KEY,
        Array.from({ length: 100 }, () => ({ only: [] })),
      )
    await one.clock.advance('1m')
    assert.equal(place.stored, null)
  })

  it('nothing is used before it was acknowledged, and what failed is tried again', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    place.isAway = true
    await one.learn(USER)
    assert.equal(structuresIn(one.encode(KEY, USER)), 0)
    place.isAway = false
    await one.clock.advance('31s')
    assert.equal(structuresIn(one.encode(KEY, USER)), 2)
  })

  it('values without records refer to nothing', async () => {
    const one = await Process.start(new SharedPlace())
    await one.learn(USER)
    for (const value of ['text', 1, null, true, 2n, new Date(), Buffer.from('x'), [1, 'a', null], []]) {
      const entry = one.encode(KEY, value)
      assert.equal(structuresIn(entry), 0)
      assert.deepEqual(one.codec.decode(KEY, entry), value)
    }
  })

  it('a million shapes that do not come again are not learned, and the memory they took is bounded', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    await one.learn(USER)
    const learned = place.stored
    const count = trials(20_000, 1_000_000)
    for (let id = 0; id < count; id++) one.encode(KEY, { [`user${id}`]: 1, [`other${id}`]: 2 })
    await one.clock.advance('1s')
    assert.equal(place.stored, learned)
    assert.deepEqual(one.codec.decode(KEY, one.encode(KEY, USER)), USER)
  })

  it('a dictionary that is full stays as it is, and other shapes stay in their entries', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    const values = Array.from({ length: 700 }, (_, id) => ({ [`n${id}`]: id }))
    await one.learn(...values)
    await one.clock.advance('1m')
    const replaced = place.replacements
    await one.learn(...values)
    assert.ok(place.replacements - replaced <= 1)
    for (const value of values) {
      const entry = one.encode(KEY, value)
      assert.equal(structuresIn(entry), 512)
      assert.deepEqual(one.codec.decode(KEY, entry), value)
    }
  })

  it('names that are too many, too long or not well-formed are not learned', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, id) => [`n${id}`, id]))
    await one.learn(many, { ['n'.repeat(129)]: 1 }, JSON.parse('{"__proto__":1}'))
    assert.equal(place.stored, null)
    assert.deepEqual(one.codec.decode(KEY, one.encode(KEY, many)), many)
  })
})

describe('reading', () => {
  it('a reader with nothing loads the dictionary once, however many wait for it, and then reads at once', async () => {
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

  it('an answer that was under way is asked for once more where it was too old', async () => {
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

  it('a name that nobody knows is a miss, asked for once a second', async () => {
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

  it('a store that is away makes misses, and is asked again as soon as it is back', async () => {
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

  it('P2 P3 a flipped bit or a truncation anywhere is a miss, for who has the dictionary and for who has not', async () => {
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

  it('a section that does not belong to its serializer, or does not fit into the header, is a miss', async () => {
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

  it('a cache entry, compressed or not, carries its section too', async () => {
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

  it('any value survives, whatever of it has been learned', async () => {
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

describe('several processes', () => {
  it('that learn at once arrive at one list, and read each other', async () => {
    const place = new SharedPlace()
    const all = await Promise.all(Array.from({ length: 5 }, () => Process.start(place)))
    const shapes = all.map((_, id) => ({ [`n${id}`]: id, common: 1 }))
    await Promise.all(all.map((one, id) => one.learn(shapes[id], USER)))
    for (const one of all) await one.clock.advance('1m')
    const entries = all.map((one, id) => one.encode(KEY, [shapes[id], USER]))
    for (const one of all) {
      for (const [id, entry] of entries.entries()) {
        assert.ok(structuresIn(entry) > 2)
        assert.deepEqual(await one.codec.decode(KEY, entry), [shapes[id], USER])
      }
    }
    const last = await Process.start(place)
    assert.equal(structuresIn(last.encode(KEY, USER)), 7)
  })

  it('whose dictionaries went different ways keep what both learned, and lose nothing in memory', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    await one.learn(USER)
    const old = one.encode(KEY, USER)
    place.stored = null
    const two = await Process.start(place)
    await two.learn(ORDER)
    const other = two.encode(KEY, ORDER)
    await one.clock.advance('31s')
    one.encode(KEY, USER)
    await one.clock.advance('1s')
    assert.equal(structuresIn(one.encode(KEY, USER)), 4)
    assert.deepEqual(one.codec.decode(KEY, old), USER)
    assert.deepEqual(one.codec.decode(KEY, other), ORDER)
    const three = await Process.start(place)
    assert.deepEqual(three.codec.decode(KEY, one.encode(KEY, [USER, ORDER])), [USER, ORDER])
    assert.deepEqual(three.codec.decode(KEY, other), ORDER)
    await assertMiss(three, old)
  })

  it('never take each other for what they are not: any order of learning, losing and reading', async () => {
    const step = fc.record({
      who: fc.nat(2),
      what: fc.constantFrom('learn', 'write', 'lose', 'read', 'wait', 'corrupt', 'restart'),
      value: fc.nat(7),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const place = new SharedPlace()
        const all = await Promise.all([0, 1, 2].map(() => Process.start(place)))
        const values = Array.from({ length: 8 }, (_, id) => ({ [`n${id % 4}`]: id, [`m${id >> 1}`]: { id } }))
        const entries: { value: unknown; bytes: Buffer }[] = []
        for (const { who, what, value } of steps) {
          const one = all[who] as Process
          if (what === 'learn') await one.learn(values[value])
          else if (what === 'write')
            entries.push({ value: values[value], bytes: one.encode(KEY, values[value]) })
          else if (what === 'wait') await one.clock.advance('31s')
          else if (what === 'lose') place.stored = null
          else if (what === 'corrupt')
            place.stored = place.stored && Buffer.concat([place.stored, Buffer.from('x')])
          else if (what === 'restart') all[who] = await Process.start(place)
          for (const entry of entries.slice(-20)) {
            try {
              assert.deepEqual(await (all[who] as Process).codec.decode(KEY, entry.bytes), entry.value)
            } catch (error) {
              if (!isUndecodable(error)) throw error
            }
          }
        }
      }),
      { numRuns: trials(40, 1_000) },
    )
  }, 120_000)
})

describe('a dictionary in the store', () => {
  it('is asserted every thirty seconds while it is written with, and never otherwise', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    await one.learn(USER)
    for (let times = 0; times < 1_000; times++) one.encode(KEY, USER)
    await one.clock.advance('10m')
    assert.equal(place.replacements, 1)
    assert.equal(one.clock.pendingTimers, 0)
    place.stored = null
    one.encode(KEY, USER)
    await one.clock.advance('1s')
    assert.equal(place.replacements, 2)
    assert.notEqual(place.stored, null)
  })

  it('comes back at once after an own clear', async () => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    await one.learn(USER)
    place.stored = null
    one.structures.removed()
    one.encode(KEY, USER)
    await one.clock.advance('1s')
    assert.notEqual(place.stored, null)
  })

  const junk: readonly [string, (own: Buffer) => Buffer][] = [
    ['empty', () => Buffer.alloc(0)],
    ['no envelope', () => Buffer.from('[["a"]]')],
    [
      'a flipped bit',
      (own) => Buffer.from(own.map((byte, index) => (index === own.length - 3 ? byte ^ 1 : byte))),
    ],
    ['cut', (own) => own.subarray(0, own.length - 1)],
    ["another key's", () => sealed('cache:\0other', '[["a"]]')],
    ['no JSON', () => sealed('cache:\0structures', '[["a"')],
    ['hostile names', () => sealed('cache:\0structures', '[["__proto__"]]')],
    ['too large', () => sealed('cache:\0structures', JSON.stringify([['a'.repeat(100_000)]]))],
    [
      'a value',
      () =>
        sealEnvelope(
          'cache:\0structures',
          { serializerId: 'msgpack', compressionId: 'none' },
          Buffer.from([0xc0]),
        ),
    ],
  ]

  it.each(junk)('that cannot be trusted (%s) counts as absent, and is replaced', async (_, spoil) => {
    const place = new SharedPlace()
    const one = await Process.start(place)
    await one.learn(USER)
    const entry = one.encode(KEY, USER)
    const own = place.stored as Buffer
    place.stored = spoil(own)
    const two = await Process.start(place)
    await assertMiss(two, entry)
    assert.deepEqual(two.codec.decode(KEY, two.encode(KEY, ORDER)), ORDER)
    await one.clock.advance('31s')
    one.encode(KEY, USER)
    await one.clock.advance('1s')
    assert.deepEqual(place.stored, own)
    await two.clock.advance('2s')
    assert.deepEqual(await two.codec.decode(KEY, entry), USER)
  })

  it('is encrypted where values are, and one that is not is refused', async () => {
    const place = new SharedPlace()
    const encryption = { keys: [KEY_1] }
    const plain = await Process.start(place)
    await plain.learn({ secretName: 1 })
    assert.ok(place.stored?.includes('secretName'))
    const one = await Process.start(place, {}, encryption)
    await one.learn(USER)
    assert.ok(!place.stored?.includes('secretName') && !place.stored?.includes('geo'))
    const entry = one.encode(KEY, USER)
    assert.equal(structuresIn(entry), 2)
    assert.ok(!entry.includes('geo'))
    const two = await Process.start(place, {}, encryption)
    assert.deepEqual(two.codec.decode(KEY, entry), USER)
    const three = await Process.start(place, {}, { keys: [KEY_2] })
    await assertMiss(three, entry)
  })

  it('is encrypted again where one that was not may be read', async () => {
    const place = new SharedPlace()
    const plain = await Process.start(place)
    await plain.learn(USER)
    const one = await Process.start(place, {}, { keys: [KEY_1], unencrypted: 'read' })
    assert.equal(structuresIn(one.encode(KEY, [])), 0)
    one.encode(KEY, USER)
    await one.clock.advance('1s')
    assert.ok(!place.stored?.includes('geo'))
  })
})

it('close() calls off what is to come, and an opened one goes on', async () => {
  const place = new SharedPlace()
  const one = await Process.start(place)
  for (let times = 0; times < 3; times++) one.encode(KEY, USER)
  await one.structures.close()
  assert.equal(one.clock.pendingTimers, 0)
  await one.clock.advance('10m')
  assert.equal(place.replacements, 0)
  await one.structures.open()
  await one.clock.advance('1s')
  assert.equal(structuresIn(one.encode(KEY, USER)), 2)
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

function sealed(storedKey: string, text: string): Buffer {
  return sealEnvelope(storedKey, { serializerId: 'json', compressionId: 'none' }, Buffer.from(text))
}

function deferred(): { promise: Promise<unknown>; resolve: (value: unknown) => void } {
  let resolve: (value: unknown) => void = () => {}
  const promise = new Promise((settled) => {
    resolve = settled
  })
  return { promise, resolve }
}
