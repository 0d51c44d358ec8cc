// Runs the suite that Keyv publishes for storage adapters (`@keyv/test-suite`): its API, values, namespaces and
// iterators. Its tests of compression know no storage adapter, so they are not run. Cases that the suite does not have
// (several entries at once, other adapters' data) stand below it.
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite'
import { Keyv } from 'keyv'
import * as vitest from 'vitest'
import { expect, test } from 'vitest'
import { describeOnEachBackend } from './each-backend.ts'
import { KeyvStore } from './keyv-store.ts'

describeOnEachBackend<string>(
  { prefix: 'keyv-suite:', serializer: 'text', ttl: Number.POSITIVE_INFINITY },
  ({ backend }) => {
    const store = () => new KeyvStore(backend())
    keyvTestSuite(vitest, Keyv, store)
    keyvIteratorTests(vitest, Keyv, store)

    test('setMany stores each entry with its own time to live', async () => {
      const keyv = new Keyv({ store: store() })
      await keyv.setMany([
        { key: 'short', value: 1, ttl: 60_000 },
        { key: 'for ever', value: 2 },
      ])
      expect(await keyv.getMany(['short', 'for ever', 'missing'])).toEqual([1, 2, undefined])
      const left = await backend().getTtlMany(['keyv:short', 'keyv:for ever'])
      expect(left.get('keyv:short')).toBeGreaterThan(50)
      expect(left.get('keyv:for ever')).toBe(Number.POSITIVE_INFINITY)
    })

    test('hasMany answers for each key, in order', async () => {
      const keyv = new Keyv({ store: store() })
      await keyv.set('b', 1)
      expect(await keyv.hasMany(['a', 'b', 'c'])).toEqual([false, true, false])
    })

    test('a namespace with special characters of a glob clears itself alone', async () => {
      const starred = new Keyv({ store: store(), namespace: 'a*' })
      const plain = new Keyv({ store: store(), namespace: 'ab' })
      await starred.set('key', 1)
      await plain.set('key', 2)
      await starred.clear()
      expect(await starred.get('key')).toBeUndefined()
      expect(await plain.get('key')).toBe(2)
    })

    test('what Keyv has stored is its JSON, and nothing else', async () => {
      const keyv = new Keyv({ store: store() })
      await keyv.set('plain', { a: 1 })
      expect(await backend().get('keyv:plain')).toBe('{"value":{"a":1}}')
    })
  },
)
