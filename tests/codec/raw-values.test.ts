import assert from 'node:assert/strict'
import { MessageChannel } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isEnvelope } from '../../src/codec/envelope/envelope.ts'
import type { ValueCodec } from '../../src/codec/value-codec.ts'
import { trials } from '../support/trials.ts'
import { encryptedCodec, META } from './encrypted-codec.ts'
import { ENCRYPTION, KEY } from './encrypted-values.ts'
import { messageOf, raw, stored } from './raw-codec.ts'

const RUNS = { numRuns: trials(300, 3_000) }

/** Beginnings that stand for an envelope, a placeholder, a pickle, JSON and a byte order mark. */
const BEGINNINGS = [
  '',
  '\u0001',
  '\u0001\u0001',
  '\u0002',
  '\u0002\u0001',
  '\u0080',
  '(',
  'I',
  '{',
  '"',
  '4',
  '\ufeff',
]

const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .tuple(fc.constantFrom(...BEGINNINGS), fc.string({ maxLength: 50 }), fc.constantFrom('', '.', '}', '"'))
    .map((parts) => parts.join('')),
  // As long as a placeholder.
  fc.string({ unit: 'grapheme-ascii', minLength: 41, maxLength: 41 }).map((rest) => `\u0002${rest}`),
)

const byteStrings = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc
    .tuple(
      fc.constantFrom([1], [1, 1], [2], [0x80, 2], [0x80, 4], [0x28], [0x7b]),
      fc.uint8Array({ maxLength: 60 }),
      fc.constantFrom([], [0x2e]),
    )
    .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part]))),
  fc.uint8Array({ minLength: 41, maxLength: 41 }).map((rest) => Uint8Array.from([2, ...rest])),
)

describe('P6 text and bytes come back as they were', () => {
  const settings = [
    { title: 'plain', options: {} },
    { title: 'compressed', options: { compression: 'gzip' as const } },
    { title: 'with pickle as a reader', options: { readers: ['pickle' as const] } },
  ]
  const both = settings.flatMap((setting) => [
    { ...setting, encryption: undefined },
    { ...setting, title: `${setting.title}, encrypted`, encryption: ENCRYPTION },
  ])

  it.each(both)('text: $title', async ({ encryption, options }) => {
    const codec = await encryptedCodec(encryption, { ...options, serializer: 'text' })
    fc.assert(
      fc.property(texts, (text) => {
        assert.equal(codec.decode(KEY, stored(codec, text)), text)
        assert.equal(codec.open(KEY, stored(codec, text))?.decode(), text)
        assert.equal(codec.open(KEY, codec.encodeEntry(KEY, text, META))?.decode(), text)
      }),
      RUNS,
    )
  })

  it.each(both)('bytes: $title', async ({ encryption, options }) => {
    const codec = await encryptedCodec(encryption, { ...options, serializer: 'bytes' })
    fc.assert(
      fc.property(byteStrings, (bytes) => {
        const expected = Buffer.from(bytes)
        assert.deepStrictEqual(codec.decode(KEY, stored(codec, bytes)), expected)
        assert.deepStrictEqual(codec.open(KEY, stored(codec, bytes))?.decode(), expected)
        assert.deepStrictEqual(codec.open(KEY, codec.encodeEntry(KEY, bytes, META))?.decode(), expected)
      }),
      RUNS,
    )
  })

  it('what one process writes, another reads that also reads pickles', async () => {
    for (const [serializer, values] of [
      ['text', texts],
      ['bytes', byteStrings],
    ] as const) {
      const writer = await raw(serializer)
      const reader = await raw(serializer, ['pickle'])
      fc.assert(
        fc.property(values as fc.Arbitrary<string | Uint8Array>, (value) => {
          const bytes = stored(writer, value)
          assert.deepEqual(reader.decode(KEY, bytes), writer.decode(KEY, bytes))
        }),
        RUNS,
      )
    }
  })
})

describe('what is stored is what was given', () => {
  it.each([
    '',
    'plain',
    '"quoted"',
    '{"a":1}',
    '42',
    'The end.',
    'I1\n.',
    '\ufeffmark',
    '\u0000',
    '\u0002',
    'é🚀',
  ])('text %j', async (text) => {
    assert.equal((await raw('text')).encode(KEY, text), text)
  })

  it.each(['', '00', '02', 'fffe', '282e', '8004', '80092e'])('bytes %s', async (hex) => {
    const given = new Uint8Array(Buffer.from(hex, 'hex'))
    assert.deepEqual((await raw('bytes')).encode(KEY, given), Buffer.from(hex, 'hex'))
  })

  it('what would be taken for something else is in an envelope', async () => {
    const isInEnvelope = (codec: ValueCodec, value: string | Buffer) => {
      const bytes = stored(codec, value)
      return isEnvelope(bytes) && bytes.length > Buffer.byteLength(value)
    }
    const text = await raw('text')
    const bytes = await raw('bytes')
    for (const mistakable of [
      '\u0001',
      '\u0001\u0001 text',
      `\u0002${'x'.repeat(41)}`,
      `\u0002${'é'.repeat(20)}x`,
    ]) {
      assert.ok(isInEnvelope(text, mistakable))
      assert.ok(isInEnvelope(bytes, Buffer.from(mistakable)))
    }
    assert.ok(isInEnvelope(bytes, Buffer.from([0x80, 4, 0x4e, 0x2e])))
    assert.equal(text.open(KEY, stored(text, '\u0001'))?.serializerId, 'text')
    assert.equal(text.open(KEY, stored(text, 'plain'))?.serializerId, 'text')
    assert.equal(bytes.open(KEY, stored(bytes, Buffer.from('plain')))?.serializerId, 'bytes')
  })

  it('later changes of a buffer reach neither what is stored nor what is read', async () => {
    const codec = await raw('bytes')
    for (const beginning of [0, 1]) {
      const mine = Buffer.from([beginning, 7, 7])
      const payload = codec.serialize(mine)
      const plain = codec.encode(KEY, mine) as Buffer
      mine.fill(9)
      assert.deepEqual(payload.payload, Buffer.from([beginning, 7, 7]))
      const first = codec.decode(KEY, plain) as Buffer
      assert.deepEqual(first, Buffer.from([beginning, 7, 7]))
      first.fill(8)
      assert.deepEqual(codec.decode(KEY, plain), Buffer.from([beginning, 7, 7]))
      assert.equal(first.buffer.byteLength, 3, 'it has no memory in common with other buffers')
    }
  })
})

describe('text and bytes that are refused', () => {
  it.each([
    ['text', { a: { b: 1 } }, "it is an Object. The serializer 'json' or 'msgpack' or 'v8' can"],
    ['text', [['x']], "it is an Array. The serializer 'json' or 'msgpack' or 'v8' can"],
    ['text', 42, "it is a number. The serializer 'json' or 'msgpack' or 'v8' can"],
    ['text', null, "it is null. The serializer 'json' or 'msgpack' or 'v8' can"],
    ['text', Buffer.from('x'), "it is a Buffer. The serializer 'bytes' or 'msgpack' or 'v8' can"],
    ['text', '\ud800', "it is a string with a lone surrogate. The serializer 'json' or 'v8' can"],
    ['text', new Map([[1, 2]]), "it is a Map. The serializer 'msgpack' or 'v8' can"],
    ['text', Symbol('x'), 'it is a symbol. No serializer can; store plain data in its place'],
    ['bytes', 'text', "it is a string. The serializer 'text' or 'json' or 'msgpack' or 'v8' can"],
    ['bytes', { a: Buffer.from('x') }, "it is an Object. The serializer 'msgpack' or 'v8' can"],
    ['bytes', new Uint16Array(2), "it is a Uint16Array. The serializer 'msgpack' or 'v8' can"],
    [
      'json',
      Buffer.from('x'),
      "it is a Buffer. The serializer 'bytes' or 'msgpack' or 'v8' can; or store plain data in its place",
    ],
  ] as const)('%s refuses %o and says what to use', async (serializer, value, text) => {
    const codec = await raw(serializer)
    const message = messageOf(() => codec.encode(KEY, value), 'CACHE_INVALID_VALUE')
    expect(message).toBe(`The serializer '${serializer}' cannot store this value: ${text}`)
  })

  it('undefined is refused as by every serializer', async () => {
    for (const serializer of ['text', 'bytes'] as const) {
      const codec = await raw(serializer)
      messageOf(() => codec.encode(KEY, undefined), 'CACHE_INVALID_VALUE')
    }
  })

  it('bytes whose memory was transferred are refused: they would be stored as none', async () => {
    const codec = await raw('bytes')
    const mine = new Uint8Array([1, 2, 3])
    const { port1 } = new MessageChannel()
    port1.postMessage(mine, [mine.buffer])
    port1.close()
    const message = messageOf(() => codec.encode(KEY, mine), 'CACHE_INVALID_VALUE')
    expect(message).toContain('a view of memory that was transferred')
  })

  it('maxValueBytes counts bytes of UTF-8, when it is written and when it is read', async () => {
    for (const [serializer, fits, exceeds] of [
      ['text', 'é'.repeat(5), 'é'.repeat(6)],
      ['bytes', new Uint8Array(10), new Uint8Array(11)],
    ] as const) {
      const small = await raw(serializer, [], 10)
      const large = await raw(serializer)
      assert.deepEqual(small.decode(KEY, stored(small, fits)), large.decode(KEY, stored(large, fits)))
      messageOf(() => small.encode(KEY, exceeds), 'CACHE_VALUE_TOO_LARGE')
      messageOf(() => small.decode(KEY, stored(large, exceeds)), 'CACHE_UNDECODABLE')
    }
  })
})
