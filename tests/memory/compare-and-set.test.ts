import assert from 'node:assert/strict'
import { it } from 'vitest'
import { RAW } from '../../src/backend/seams/read-outcome.ts'
import { SYSTEM_CLOCK } from '../../src/foundation/time/clock.ts'
import { MemoryStore } from '../../src/memory/memory-store.ts'

it('the memory backend, like Redis, replaces bytes only if they are the expected ones', async () => {
  const store = new MemoryStore({ maxEntries: 10, maxBytes: 10_000 }, SYSTEM_CLOCK)
  const [one, two, three] = ['one', 'two', 'three'].map((text) => Buffer.from(text)) as [
    Buffer,
    Buffer,
    Buffer,
  ]
  const stored = () => store.read('key', 'key', RAW)
  assert.equal(await store.compareAndSet('key', null, one, 1_000), null)
  assert.equal(await store.compareAndSet('key', null, one, 1_000), null)
  assert.deepEqual(await store.compareAndSet('key', null, two, 1_000), one)
  assert.deepEqual(await store.compareAndSet('key', three, two, 1_000), one)
  assert.deepEqual(await stored(), one)
  assert.equal(await store.compareAndSet('key', one, two, 1_000), null)
  assert.deepEqual(await stored(), two)
  await store.remove(['key'])
  assert.equal(await store.compareAndSet('key', two, three, 1_000), null)
  assert.deepEqual(await stored(), three)
  await store.addMembers('set', ['a'], { ttlMs: 1_000, slide: false })
  await assert.rejects(store.compareAndSet('set', null, one, 1_000), { code: 'CACHE_WRONG_TYPE' })
})
