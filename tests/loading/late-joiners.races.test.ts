import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadContext } from 'cachewright'
import { expect, test } from 'vitest'
import { deferred } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()
const options = { ttl: '50ms', staleIfError: '10m' } as const

/** Joins a load after the acknowledgement of what invalidates a tag that only its value tells. */
async function joined(end: (context: LoadContext) => unknown): Promise<unknown> {
  const cache = await scene.open()
  const tagged = (context: LoadContext) => {
    context.addTags(['v'])
    return 'old'
  }
  // The first load learns the tag, the second is stored with it.
  await cache.getOrSet('k', tagged, options)
  await cache.getOrSet('k', tagged, options)
  await sleep(100)
  const [begun, mayEnd] = [deferred(), deferred()]
  const first = cache.getOrSet('k', async (context) => {
    begun.resolve()
    await mayEnd.promise
    return end(context)
  })
  await begun.promise
  await cache.invalidateTags(['v'])
  const second = cache.getOrSet('k', () => 'new')
  await sleep(50)
  mayEnd.resolve()
  expect(await first).toBe('old')
  return second
}

test('L4 a caller that joins after a tag was invalidated does not get a value confirmed by notModified()', async () => {
  expect(await joined((context) => context.notModified())).toBe('new')
})

test('L4 a caller that joins after a tag was invalidated does not get a skipped value', async () => {
  const skipped = (context: LoadContext) => {
    context.addTags(['v'])
    context.skip()
    return 'old'
  }
  expect(await joined(skipped)).toBe('new')
})

test('L4 a caller that joins after another process invalidated a tag does not get a value that cannot be stored', async () => {
  const cache = await scene.open()
  const other = await scene.open()
  await cache.sets.addToSet('k', 'a member')
  const [begun, mayEnd] = [deferred(), deferred()]
  const first = cache.getOrSet('k', async (context) => {
    begun.resolve()
    await mayEnd.promise
    context.addTags(['v'])
    return 'old'
  })
  await begun.promise
  await other.invalidateTags(['v'])
  const second = cache.getOrSet('k', () => 'new')
  await sleep(50)
  mayEnd.resolve()
  expect(await first).toBe('old')
  expect(await second).toBe('new')
})
