import assert from 'node:assert/strict'
import { createCache } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { describe, it } from 'vitest'
import { type BackendInternals, internalsOf } from '../../src/backend/assembly/backend-internals.ts'
import type { CacheStore } from '../../src/backend/seams/cache-store.ts'

/** A backend in memory that notes the keys of each read of its store, and of each look at the clock of their server. */
function noting() {
  const backend = new MemoryCacheBackend({ prefix: 'p:' })
  const internals = internalsOf(backend) as BackendInternals
  const asked: string[] = []
  const stores: CacheStore[] = []
  internals.decorate((store): CacheStore => {
    stores.push(store)
    const spied = Object.create(store) as CacheStore
    return Object.assign(spied, {
      read: (key, storedKey, outcome) => {
        asked.push(storedKey)
        return store.read(key, storedKey, outcome)
      },
      readMany: (storedKeys) => {
        asked.push(storedKeys.join('+'))
        return store.readMany(storedKeys)
      },
      serverTimeMs: (storedKey) => {
        asked.push(`time ${storedKey}`)
        return store.serverTimeMs(storedKey)
      },
      open: () => store.open(),
      close: () => store.close(),
      write: (...args) => store.write(...args),
      writeMany: (...args) => store.writeMany(...args),
      remove: (...args) => store.remove(...args),
      share: (...args) => store.share(...args),
    } satisfies Partial<CacheStore>)
  })
  return { backend, internals, store: stores[0] as CacheStore, asked }
}

describe('the store reads of a plain read', () => {
  it('a plain value costs one read', async () => {
    const { asked, backend } = noting()
    await backend.initialize()
    await backend.setMany({ text: 'text', none: null })
    asked.length = 0
    await backend.get('text')
    await backend.getMany(['text', 'none'])
    assert.deepEqual(asked, ['p:text', 'p:text+p:none'])
  })

  it('an entry also costs a read of its generations, and a look at the clock unless it is fresh for ever', async () => {
    const { asked, backend } = noting()
    await using cache = createCache({ backend })
    await cache.set('one', 1, { tags: ['t'] })
    await cache.set('two', 2, { tags: ['t'], ttl: Number.POSITIVE_INFINITY })
    asked.length = 0
    assert.equal(await backend.get('one'), 1)
    assert.deepEqual(asked.splice(0).sort(), ['p:\0namespace', 'p:\0tag:t', 'p:one', 'time p:one'])
    assert.equal(await backend.get('two'), 2)
    assert.deepEqual(asked.sort(), ['p:\0namespace', 'p:\0tag:t', 'p:two'])
  })

  it('a batch reads the generations that its entries share once', async () => {
    const { asked, backend } = noting()
    await using cache = createCache({ backend })
    const keys = Array.from({ length: 50 }, (_, index) => `key${index}`)
    await cache.setMany(
      keys.map((key) => [key, key] as const),
      { tags: ['t'] },
    )
    asked.length = 0
    assert.deepEqual([...(await backend.getMany(keys)).values()], keys)
    const read = asked.slice(1).filter((one) => !one.startsWith('time '))
    assert.deepEqual(read, ['p:\0namespace', 'p:\0tag:t'])
  })

  it('an entry that names foreign generation keys is a miss, and those keys are not read', async () => {
    const { asked, backend, internals, store } = noting()
    await backend.initialize()
    for (const foreign of ['p:secret', 'q:\0namespace']) {
      const generation = 'g'.repeat(16)
      const entry = internals.codec.encodeEntry('p:forged', 'forged', {
        stamp: '12345678',
        createdAtMs: 0,
        ttlMs: 1_000,
        staleWhileRevalidateMs: 0,
        staleIfErrorMs: 0,
        loadCostMs: 0,
        generations: [{ storedKey: foreign, generation }],
      })
      await store.write('p:forged', entry, 10_000)
      await store.write(foreign, generation, 10_000)
      assert.equal(await backend.get('forged'), undefined)
    }
    assert.deepEqual(asked, ['p:forged', 'p:forged'])
  })
})
