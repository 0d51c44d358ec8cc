// Apollo publishes no suite for its caches any more. These cases say what its documentation asks of a `KeyValueCache`, also
// through the wrappers of `@apollo/utils.keyvaluecache` that Apollo Server puts around one.
import { ErrorsAreMissesCache, PrefixingKeyValueCache } from '@apollo/utils.keyvaluecache'
import { beforeEach, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { describeOnEachBackend } from './each-backend.ts'
import { BackendKeyValueCache } from './key-value-cache.ts'

describeOnEachBackend<string>(
  { prefix: 'apollo-suite:', serializer: 'text', ttl: '5m' },
  ({ backend, open }) => {
    let cache: BackendKeyValueCache
    beforeEach(async () => {
      await backend().clear()
      cache = new BackendKeyValueCache(backend())
    })

    test('get finds what set has stored, and undefined for a missing key', async () => {
      expect(await cache.get('hello')).toBeUndefined()
      await cache.set('hello', 'world')
      await cache.set('empty', '')
      await cache.set('json', '{"data":{"name":"naïve 🙂"}}')
      expect(await cache.get('hello')).toBe('world')
      expect(await cache.get('empty')).toBe('')
      expect(await cache.get('json')).toBe('{"data":{"name":"naïve 🙂"}}')
    })

    test('delete removes a key, and tells whether it was there', async () => {
      await cache.set('hello', 'world')
      expect(await cache.delete('hello')).toBe(true)
      expect(await cache.get('hello')).toBeUndefined()
      expect(await cache.delete('hello')).toBe(false)
    })

    test('a key ends with its time to live, in seconds; null is no end, and none is the default', async () => {
      await cache.set('short', 'value', { ttl: 0.05 })
      await cache.set('long', 'value', { ttl: 60 })
      await cache.set('for ever', 'value', { ttl: null })
      await cache.set('default', 'value', {})
      const left = await backend().getTtlMany(['long', 'for ever', 'default'])
      expect(left.get('long')).toBeLessThanOrEqual(60)
      expect(left.get('long')).toBeGreaterThan(50)
      expect(left.get('for ever')).toBe(Number.POSITIVE_INFINITY)
      expect(left.get('default')).toBeGreaterThan(290)
      await waitUntil(async () => (await cache.get('short')) === undefined, { what: 'the short key to end' })
      expect(await cache.get('long')).toBe('value')
    })

    test('a later set replaces value and time to live', async () => {
      await cache.set('key', 'first', { ttl: 10 })
      await cache.set('key', 'second', { ttl: 1_000 })
      expect(await cache.get('key')).toBe('second')
      expect(await backend().getTtl('key')).toBeGreaterThan(900)
    })

    test('with prefixes, several users of a cache keep their keys apart', async () => {
      const queries = new PrefixingKeyValueCache(cache, 'apq:')
      const responses = new PrefixingKeyValueCache(cache, 'fqc:')
      await queries.set('hash', 'query')
      await responses.set('hash', 'response', { ttl: 10 })
      expect(await queries.get('hash')).toBe('query')
      expect(await responses.get('hash')).toBe('response')
      expect(await cache.get('apq:hash')).toBe('query')
      await queries.delete('hash')
      expect(await responses.get('hash')).toBe('response')
    })

    test('with ErrorsAreMissesCache, a read that fails is a miss', async () => {
      const closed = open()
      await closed.shutdown()
      const failing = new BackendKeyValueCache(closed)
      await expect(failing.get('hello')).rejects.toMatchObject({ code: 'CACHE_CLOSED' })
      expect(await new ErrorsAreMissesCache(failing).get('hello')).toBeUndefined()
    })
  },
)
