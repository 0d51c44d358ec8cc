import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { META } from './encrypted-codec.ts'
import { KEY } from './encrypted-values.ts'
import { messageOf, raw, stored } from './raw-codec.ts'

describe('what readers of another configuration make of it', () => {
  it('an envelope or a cache entry of text or bytes is read as such by every serializer', async () => {
    for (const reader of ['json', 'v8', 'msgpack', 'pickle', 'text', 'bytes'] as const) {
      const codec = await raw(reader)
      for (const [writer, value] of [
        ['text', '\u0001 text'],
        ['bytes', Buffer.from([1, 2])],
      ] as const) {
        const other = await raw(writer)
        assert.deepEqual(await codec.decode(KEY, stored(other, value)), value)
        assert.deepEqual(await codec.open(KEY, other.encodeEntry(KEY, value, META))?.decode(), value)
      }
    }
  })

  it('a cache entry of another serializer is read by text and bytes if they list it, and JSON always', async () => {
    for (const reader of ['text', 'bytes'] as const) {
      const codec = await raw(reader)
      const json = (await raw('json')).encodeEntry(KEY, { a: 1 }, META)
      assert.deepEqual(codec.open(KEY, json)?.decode(), { a: 1 })
      const packed = (await raw('msgpack')).encodeEntry(KEY, { a: 1 }, META)
      messageOf(() => codec.open(KEY, packed)?.decode(), 'CACHE_UNDECODABLE')
      const listing = await raw(reader, ['msgpack'])
      assert.deepEqual(await listing.open(KEY, packed)?.decode(), { a: 1 })
    }
  })

  it('plain JSON is text to text and bytes to bytes, and a counter its digits', async () => {
    const json = await raw('json')
    const [text, bytes] = [await raw('text'), await raw('bytes')]
    assert.equal(text.decode(KEY, stored(json, 'Ada')), '"Ada"')
    assert.deepEqual(bytes.decode(KEY, stored(json, { a: 1 })), Buffer.from('{"a":1}'))
    assert.equal(text.decode(KEY, Buffer.from('-9223372036854775808')), '-9223372036854775808')
    assert.deepEqual(bytes.decode(KEY, Buffer.from('42')), Buffer.from('42'))
  })

  it('plain text is undecodable to JSON, unless it is JSON', async () => {
    const json = await raw('json')
    const text = await raw('text')
    for (const unread of ['plain', '', 'The end.', '\ufeff1', '{']) {
      messageOf(() => json.decode(KEY, stored(text, unread)), 'CACHE_UNDECODABLE')
    }
    assert.deepEqual(json.decode(KEY, stored(text, '{"a":1}')), { a: 1 })
    assert.equal(json.decode(KEY, stored(text, '42')), 42)
    messageOf(() => json.decode(KEY, stored(text, 'é').subarray(1)), 'CACHE_UNDECODABLE')
  })

  it('plain bytes are undecodable to text, unless they are UTF-8', async () => {
    const text = await raw('text')
    const bytes = await raw('bytes')
    for (const unread of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0x80, 9, 0x2e]]) {
      messageOf(() => text.decode(KEY, stored(bytes, Uint8Array.from(unread))), 'CACHE_UNDECODABLE')
    }
    assert.equal(text.decode(KEY, stored(bytes, Buffer.from('é'))), 'é')
    assert.deepEqual(bytes.decode(KEY, stored(text, 'é')), Buffer.from('é'))
  })

  it('a plain pickle is read as one where pickle is listed; else it is bytes, and no text', async () => {
    const pickle = stored(await raw('pickle'), { a: 1 })
    assert.deepEqual((await raw('bytes')).decode(KEY, pickle), pickle)
    const text = await raw('text')
    messageOf(() => text.decode(KEY, pickle), 'CACHE_UNDECODABLE')
    for (const serializer of ['text', 'bytes'] as const) {
      const codec = await raw(serializer, ['pickle'])
      assert.deepEqual(await codec.decode(KEY, pickle), { a: 1 })
      assert.equal(codec.open(KEY, pickle)?.serializerId, 'pickle')
    }
  })

  it('bytes of another program that begin as an envelope are undecodable', async () => {
    for (const serializer of ['text', 'bytes'] as const) {
      const codec = await raw(serializer)
      messageOf(() => codec.decode(KEY, Buffer.from('\u0001 whatever it is')), 'CACHE_UNDECODABLE')
    }
  })
})
