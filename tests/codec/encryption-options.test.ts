import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { createCache, type EncryptionOptions } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, expect, it } from 'vitest'
import { BACKEND_OPTIONS, resolveBackendOptions } from '../../src/backend/assembly/backend-options.ts'
import { CacheError } from '../../src/foundation/errors/cache-error.ts'

const BYTES = Uint8Array.from({ length: 32 }, (_, index) => (index * 37 + 251) % 256)
const BASE64 = Buffer.from(BYTES).toString('base64')
const BASE64URL = Buffer.from(BYTES).toString('base64url')
const HEX = Buffer.from(BYTES).toString('hex')
const TEXT = 'a pass phrase of 32 characters!!'
const KEY = { id: 'k1', secret: BASE64 }

const KNOWN = { of: 'the test', names: BACKEND_OPTIONS }

const encryption = (options: unknown) => ({ encryption: options as EncryptionOptions })
const withKey = (key: unknown) => encryption({ keys: [key] })

describe('encryption options', () => {
  it.each([
    ['bytes', BYTES],
    ['a Buffer', Buffer.from(BYTES)],
    ['base64', BASE64],
    ['base64url', BASE64URL],
    ['base64url that is padded', `${BASE64URL}=`],
  ])('a secret may be %s', async (_, secret) => {
    const writer = new MemoryCacheBackend(withKey({ id: 'k1', secret }))
    await writer.initialize()
    assert.equal(await writer.set('key', 'value'), true)
    assert.equal(await writer.get('key'), 'value')
    await writer.shutdown()
  })

  it.each([
    ['null', null],
    ['false', false],
    ['an empty string', ''],
    ['a secret alone', BASE64],
    ['no keys', {}],
    ['keys that are no array', { keys: KEY }],
    ['an empty array', { keys: [] }],
    ['a hole', { keys: [undefined] }],
    ['a secret for a key', { keys: [BASE64] }],
    ['an unknown policy', { keys: [KEY], unencrypted: 'allow' }],
    ['a policy of null', { keys: [KEY], unencrypted: null }],
    ['two keys of one id', { keys: [KEY, { id: 'k2', secret: BYTES }, { ...KEY, secret: BYTES }] }],
    ['no id', { keys: [{ secret: BASE64 }] }],
    ['an empty id', { keys: [{ id: '', secret: BASE64 }] }],
    ['an id that is a number', { keys: [{ id: 1, secret: BASE64 }] }],
    ['an id with a space', { keys: [{ id: 'k 1', secret: BASE64 }] }],
    ['an id with a line end', { keys: [{ id: 'k1\n', secret: BASE64 }] }],
    ['an id beyond ASCII', { keys: [{ id: 'ké', secret: BASE64 }] }],
    ['an id of 65 characters', { keys: [{ id: 'k'.repeat(65), secret: BASE64 }] }],
    ['no secret', { keys: [{ id: 'k1' }] }],
    ['an empty secret', { keys: [{ id: 'k1', secret: '' }] }],
    ['a secret of 31 bytes', { keys: [{ id: 'k1', secret: BYTES.subarray(1) }] }],
    ['a secret of 33 bytes', { keys: [{ id: 'k1', secret: Buffer.concat([BYTES, BYTES]).subarray(31) }] }],
    [
      'base64 of 31 bytes',
      { keys: [{ id: 'k1', secret: Buffer.from(BYTES.subarray(1)).toString('base64') }] },
    ],
    ['base64 without its padding', { keys: [{ id: 'k1', secret: BASE64.replace('=', '') }] }],
    ['base64 with a line end', { keys: [{ id: 'k1', secret: `${BASE64}\n` }] }],
    ['both alphabets at once', { keys: [{ id: 'k1', secret: BASE64.replace('+', '-') }] }],
    ['base64 whose last bits are lost', { keys: [{ id: 'k1', secret: BASE64.replace(/.=$/, 'B=') }] }],
    ['hexadecimal', { keys: [{ id: 'k1', secret: HEX }] }],
    ['a pass phrase', { keys: [{ id: 'k1', secret: TEXT }] }],
    ['numbers', { keys: [{ id: 'k1', secret: [...BYTES] }] }],
    ['words of 16 bits', { keys: [{ id: 'k1', secret: new Uint16Array(32) }] }],
    ['id and secret in each other’s place', { keys: [{ id: BASE64, secret: 'k1' }] }],
  ])('P41 %s is refused, and the message holds no secret', (_, options) => {
    for (const construct of [
      () => new MemoryCacheBackend(encryption(options)),
      () => new RedisCacheBackend(encryption(options)),
      () => createCache(encryption(options)),
    ]) {
      let caught: unknown
      try {
        construct()
      } catch (error) {
        caught = error
      }
      assert.ok(caught instanceof CacheError)
      assert.equal(caught.code, 'CACHE_INVALID_OPTIONS')
      assert.match(caught.message, /encryption/)
      const told = `${inspect(caught, { depth: 10, showHidden: true })}${JSON.stringify(caught)}`
      for (const secret of [BASE64, BASE64URL, HEX, TEXT]) {
        assert.equal(told.includes(secret.slice(0, 12)), false)
      }
    }
  })

  it('P41 resolved options show no secret in any printed form', async () => {
    const options = encryption({
      keys: [KEY, { id: 'k2', secret: Buffer.from(BYTES) }],
    })
    const resolved = resolveBackendOptions(options, KNOWN)
    const backend = new MemoryCacheBackend(options)
    const cache = createCache(options)
    await cache.set('key', 'value')
    const seen = [resolved, resolved.codec.encryption?.ring, backend, cache].flatMap((one) => [
      inspect(one, { depth: 20, showHidden: true, getters: true, maxArrayLength: null }),
      JSON.stringify(one) ?? '',
      String(one),
    ])
    const listed = [...BYTES].slice(0, 8).join(', ')
    const inHex = [...HEX.slice(0, 16).matchAll(/../g)].join(' ')
    for (const text of seen) {
      for (const secret of [BASE64.slice(0, 12), BASE64URL.slice(0, 12), HEX.slice(0, 16), listed, inHex]) {
        expect(text).not.toContain(secret)
      }
    }
    await cache.shutdown()
  })

  it("a later change to the caller's secret has no effect", async () => {
    const secret = Buffer.from(BYTES)
    const writer = resolveBackendOptions(withKey({ id: 'k1', secret }), KNOWN).codec.encryption?.ring
    secret.fill(0)
    const reader = resolveBackendOptions(withKey({ id: 'k1', secret: BASE64 }), KNOWN).codec.encryption?.ring
    const bound = Buffer.from('bound')
    let start: Parameters<Parameters<NonNullable<typeof writer>['encrypt']>[1]>[0] | undefined
    const sealed = writer?.encrypt(Buffer.from('payload'), (begun) => {
      start = begun
      return bound
    })
    assert.ok(sealed !== undefined && start !== undefined)
    const payload = reader?.decrypt({ ...start, tag: sealed.tag }, bound, sealed.ciphertext)
    assert.equal(payload?.toString(), 'payload')
  })

  it('a cache over a backend refuses encryption options, which belong to the backend', async () => {
    const backend = new MemoryCacheBackend(withKey(KEY))
    assert.throws(
      () => createCache({ backend, ...withKey(KEY) }),
      (error) => error instanceof CacheError && error.code === 'CACHE_INVALID_OPTIONS',
    )
    const cache = createCache({ backend, local: false })
    assert.equal(await cache.getOrSet('key', () => 'loaded'), 'loaded')
    assert.equal(await cache.get('key'), 'loaded')
    await cache.shutdown()
    await backend.shutdown()
  })
})
