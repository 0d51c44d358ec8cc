import assert from 'node:assert/strict'
import { createCache, type EncryptionOptions } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend, type RedisCacheBackendOptions } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { KEY_1, KEY_2, SECRET_1, SECRET_2, withChecksum } from '../codec/encrypted-codec.ts'
import { heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'
import { RecordedFailures } from './recorded-failures.ts'

const ENCRYPTION: EncryptionOptions = { keys: [KEY_1] }
const SECRET_TEXT = 'a-text-nobody-may-read'
const scene = useScene()
const backends: (RedisCacheBackend | MemoryCacheBackend)[] = []
let raw: Redis

beforeAll(() => {
  raw = new Redis(scene.redis.url)
})
beforeEach(() => void backends.splice(0))
afterEach(() => Promise.all(backends.map((backend) => backend.shutdown())))
afterAll(() => raw.disconnect())

async function openBackend(options: RedisCacheBackendOptions = {}) {
  const backend = new RedisCacheBackend({
    url: scene.redis.url,
    prefix: 'shop:',
    encryption: ENCRYPTION,
    ...options,
  })
  backends.push(backend)
  await backend.initialize()
  const told: string[] = []
  backend.on('miss', ({ reason }) => told.push(reason))
  backend.on('error', ({ error }) => told.push(error.message))
  return { backend, told }
}

async function bytesAt(storedKey: string): Promise<Buffer> {
  return (await raw.getBuffer(storedKey)) ?? assert.fail(`nothing at ${storedKey}`)
}

/** Copies an entry as an attacker does who can compute checksums. */
async function move(from: string, to: string): Promise<void> {
  await raw.set(to, withChecksum(to, await bytesAt(from)), 'KEEPTTL')
}

describe('P44 in Redis', () => {
  it('P44 a ciphertext moved to another key is a miss', async () => {
    const { backend, told } = await openBackend()
    await backend.setMany({ admin: { role: 'admin' }, guest: { role: 'guest' } })
    await raw.set('shop:guest', await bytesAt('shop:admin'))
    assert.equal(await backend.get('guest'), undefined)
    await move('shop:admin', 'shop:guest')
    assert.equal(await backend.get('guest'), undefined)
    assert.equal((await backend.getMany(['guest'])).get('guest'), undefined)
    assert.match(told.join(), /checksum does not match.*tag does not match/)
    assert.deepEqual(await backend.get('admin'), { role: 'admin' })
  })

  it('P44 a cache entry moved to another key is loaded anew and replaced', async () => {
    const writer = await scene.open({ encryption: ENCRYPTION })
    const load = (role: string) => () => ({ role })
    await writer.getOrSet('admin', load('admin'), { tags: ['roles'] })
    await writer.getOrSet('guest', load('guest'), { tags: ['roles'] })
    await move('shop:admin', 'shop:guest')
    const reader = await scene.open({ encryption: ENCRYPTION })
    const errors: string[] = []
    reader.on('error', ({ error }) => errors.push(error.message))
    assert.deepEqual(await reader.getOrSet('guest', load('loaded anew')), { role: 'loaded anew' })
    assert.match(errors.join(), /tag does not match/)
    const another = await scene.open({ encryption: ENCRYPTION })
    assert.deepEqual(await another.getOrSet('guest', () => assert.fail()), { role: 'loaded anew' })
    assert.deepEqual(await another.getOrSet('admin', () => assert.fail()), { role: 'admin' })
  })

  it.each([
    ['serializer', 2, 2],
    ['compression', 3, 1],
    ['created at', 50, 0x43],
    ['time to live', 58, 0x7f],
  ])('P44 an entry whose %s was altered is loaded anew', async (_, offset, value) => {
    const writer = await scene.open({ encryption: ENCRYPTION })
    await writer.getOrSet('key', () => 'old')
    const altered = await bytesAt('shop:key')
    assert.notEqual(altered[offset], value)
    altered[offset] = value
    await raw.set('shop:key', withChecksum('shop:key', altered))
    const reader = await scene.open({ encryption: ENCRYPTION })
    assert.equal(await reader.getOrSet('key', () => 'new'), 'new')
    assert.equal(await reader.get('key', { local: false }), 'new')
  })

  it('P44 an entry that was given the generations of a later one is loaded anew', async () => {
    const writer = await scene.open({ encryption: ENCRYPTION })
    await writer.getOrSet('key', () => 'old', { tags: ['a'] })
    const old = await bytesAt('shop:key')
    await writer.invalidateTags(['a'])
    await writer.getOrSet('other', () => 'new', { tags: ['a'] })
    const generation = await bytesAt('shop:\0tag:a')
    old.set(generation, old.readUInt16BE(4) - 16)
    await raw.set('shop:key', withChecksum('shop:key', old))
    const reader = await scene.open({ encryption: ENCRYPTION })
    assert.equal(await reader.getOrSet('key', () => 'new', { tags: ['a'] }), 'new')
  })
})

describe('encryption at rest', () => {
  it.each(['json', 'v8', 'msgpack', 'pickle'] as const)(
    'nothing of a %s value is in Redis',
    async (serializer) => {
      const cache = await scene.open({ encryption: ENCRYPTION, serializer, compression: 'gzip' })
      await cache.getOrSet('loaded', () => [SECRET_TEXT], { tags: ['t'] })
      await cache.set('written', { [SECRET_TEXT]: 1 }, { tags: ['t'] })
      await cache.plain.set('plain', SECRET_TEXT)
      await cache.plain.setIfAbsent('absent', SECRET_TEXT)
      await cache.plain.setMany({ one: SECRET_TEXT.repeat(500), two: [SECRET_TEXT] })
      const keys = await raw.keysBuffer('*')
      assert.ok(keys.length >= 6)
      for (const key of keys) {
        const bytes = (await raw.getBuffer(key)) ?? assert.fail()
        assert.equal(bytes.indexOf(SECRET_TEXT), -1, key.toString())
        assert.equal(bytes.indexOf(Buffer.from(SECRET_1).subarray(0, 8)), -1)
      }
      const reader = await scene.open({ encryption: ENCRYPTION, readers: [serializer, 'gzip'] })
      assert.deepEqual(await reader.get('loaded'), [SECRET_TEXT])
      assert.deepEqual(await reader.get('written'), { [SECRET_TEXT]: 1 })
      assert.equal(await reader.get('plain'), SECRET_TEXT)
      assert.equal(await reader.get('one'), SECRET_TEXT.repeat(500))
    },
  )

  it('T3 a lease written in place leaves the authentication tag valid', async () => {
    const options = { encryption: ENCRYPTION, staleWhileRevalidate: '1m', local: false } as const
    const cache = await scene.open(options)
    await cache.set('key', { name: 'Ada' }, { ttl: '20ms' })
    await waitUntil(async () => (await cache.get('key')) === undefined, { what: 'it is stale' })
    const held = heldLoader({ name: 'Grace' })
    assert.deepEqual(await cache.getOrSet('key', held.load), { name: 'Ada' })
    await held.begun
    const leased = await bytesAt('shop:key')
    assert.notDeepEqual(leased.subarray(12, 28), Buffer.alloc(16), 'the entry bears the token of its refresh')
    const reader = await scene.open(options)
    assert.deepEqual(await reader.getOrSet('key', () => assert.fail()), { name: 'Ada' })
    held.release()
    await waitUntil(async () => (await cache.get<{ name: string }>('key'))?.name === 'Grace', {
      what: 'it is refreshed',
    })
  })

  it('T4 entries of a key that was removed from the ring are loaded anew and replaced', async () => {
    const old = await scene.open({ encryption: { keys: [KEY_1] } })
    await old.getOrSet('key', () => 'old')
    const rotating = await scene.open({ encryption: { keys: [KEY_2, KEY_1] } })
    assert.equal(await rotating.getOrSet('key', () => assert.fail()), 'old')
    const rotated = await scene.open({ encryption: { keys: [KEY_2] } })
    const errors: string[] = []
    rotated.on('error', ({ error }) => errors.push(error.message))
    assert.equal(await rotated.get('key'), undefined)
    assert.equal(await rotated.getOrSet('key', () => 'new'), 'new')
    assert.match(errors.join(), /the key id 'k1' is not in the key ring/)
    assert.ok((await bytesAt('shop:key')).includes('\u0002k2'))
    const another = await scene.open({ encryption: { keys: [KEY_1, KEY_2] } })
    assert.equal(await another.getOrSet('key', () => assert.fail()), 'new')
  })

  it('a process without keys misses, and one load replaces the unreadable entry', async () => {
    const writer = await scene.open({ encryption: ENCRYPTION })
    await writer.getOrSet('key', () => 'encrypted')
    const keyless = await scene.open()
    assert.equal(await keyless.getOrSet('key', () => 'plain'), 'plain')
    const { backend, told } = await openBackend()
    assert.equal(await backend.get('key'), undefined)
    assert.match(told.join(), /not encrypted/)
  })

  it('plaintext values of other programs are refused, unless an option allows them', async () => {
    const plain = await scene.open({ serializer: 'v8' })
    await plain.getOrSet('entry', () => 'injected')
    await raw.set('shop:json', '"injected"')
    await raw.set('shop:pickle', Buffer.from('Vinjected\n.'))
    const readers = ['v8', 'pickle'] as const
    const refusing = await scene.open({ encryption: ENCRYPTION, readers })
    const reading = await scene.open({ encryption: { ...ENCRYPTION, unencrypted: 'read' }, readers })
    const { backend } = await openBackend()
    for (const key of ['entry', 'json', 'pickle']) {
      assert.equal(await reading.getOrSet(key, () => assert.fail()), 'injected', key)
      assert.equal(await backend.get(key), undefined, key)
      assert.equal(await refusing.get(key), undefined, key)
      assert.equal(await refusing.getOrSet(key, () => 'loaded'), 'loaded', key)
      assert.equal(await backend.get(key), 'loaded', key)
    }
  })

  it('counters and sets stay in plaintext and keep working', async () => {
    const { backend } = await openBackend()
    assert.equal(await backend.incr('counter', 5), 5)
    assert.equal(await raw.get('shop:counter'), '5')
    assert.equal(await backend.get('counter'), undefined)
    assert.equal(await backend.incr('counter', 0), 5)
    assert.equal(await backend.addToSet('set', 'member'), true)
    assert.deepEqual(await backend.getSetMembers('set'), ['member'])
    const { backend: reading } = await openBackend({ encryption: { ...ENCRYPTION, unencrypted: 'read' } })
    assert.equal(await reading.get('counter'), 5)
  })

  it('loads continue, with isolated values, while Redis is away', async () => {
    const cache = createCache({
      encryption: ENCRYPTION,
      redis: 'redis://127.0.0.1:1',
      commandTimeout: '100ms',
    })
    assert.deepEqual(await cache.getOrSet('key', () => ({ a: 1 })), { a: 1 })
    await cache.shutdown()
  })

  it('P41 decryption errors reveal neither secret nor value', async () => {
    const failures = new RecordedFailures()
    const { backend: writer } = await openBackend()
    await writer.setMany({ one: SECRET_TEXT, two: [SECRET_TEXT], three: SECRET_TEXT.repeat(100) })
    await move('shop:one', 'shop:two')
    await raw.set('shop:four', JSON.stringify(SECRET_TEXT))
    for (const keys of [[KEY_1], [KEY_2], [{ id: 'k1', secret: SECRET_2 }], undefined]) {
      const encryption = keys && { keys }
      const { backend } = await openBackend({ encryption, logger: failures.logger, errors: 'throw' })
      const memory = new MemoryCacheBackend({ encryption, logger: failures.logger })
      backends.push(memory)
      await memory.initialize()
      for (const each of [backend, memory]) {
        failures.listenTo(each)
        await failures.provoke(() => each.getMany(['one', 'two', 'three', 'four']))
        for (const key of ['one', 'two', 'three', 'four']) await failures.provoke(() => each.get(key))
        await failures.provoke(() => each.set('bad', () => SECRET_TEXT))
      }
    }
    expect([...failures.codes]).toEqual(expect.arrayContaining(['CACHE_UNDECODABLE', 'CACHE_INVALID_VALUE']))
    const encodings = (['base64', 'base64url', 'hex', 'latin1'] as const).flatMap((encoding) =>
      [SECRET_1, SECRET_2].map((secret) => Buffer.from(secret).toString(encoding)),
    )
    expect(failures.holding([SECRET_TEXT, ...encodings]).slice(0, 3)).toEqual([])
  })
})
