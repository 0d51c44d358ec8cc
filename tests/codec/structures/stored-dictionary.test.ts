import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { sealEnvelope } from '../../../src/codec/envelope/envelope.ts'
import { KEY_1, KEY_2 } from '../encrypted-codec.ts'
import { assertMiss, KEY, ORDER, USER } from './sample-values.ts'
import { Process, SharedPlace, structuresIn } from './shared-codec.ts'

describe('a dictionary in the store', () => {
  it('is written again only while entries use it, at most every thirty seconds', async () => {
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

  it('is written again at once after a clear by the same process', async () => {
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

  it.each(junk)('that is invalid (%s) counts as absent and is replaced', async (_, spoil) => {
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

  it('is encrypted if values are, and an unencrypted one is refused', async () => {
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

  it('is replaced by an encrypted one if unencrypted values may be read', async () => {
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

it('close() cancels a pending publication, and open() resumes it', async () => {
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

function sealed(storedKey: string, text: string): Buffer {
  return sealEnvelope(storedKey, { serializerId: 'json', compressionId: 'none' }, Buffer.from(text))
}
