import { escapeGlob } from 'cachewright'
import { expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped } from '../support/cache-states.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ caches: IMPATIENT })

test('P39 what could not be delivered is delivered when Redis is back, though this process asks for nothing', async () => {
  const durable = await scene.server({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  const cache = scene.cache({ redis: durable.url })
  await cache.getOrSet('key', () => 'old')
  await durable.kill()
  await dropped(cache, 'key')
  expect(await cache.delete('key')).toBe(false)
  await durable.restart()
  await waitUntil(async () => (await durable.ask('EXISTS', 'p:key')) === 0, {
    what: 'the delivery',
    timeoutMs: 4_000,
  })
})

test('P36 no key, tag, namespace or prefix can look like a name of the library', async () => {
  const cache = scene.cache()
  const refused = { code: 'CACHE_INVALID_KEY' }
  for (const name of ['x\0tag:one', 'x\0namespace', '\0']) {
    await expect(cache.set(name, 1)).rejects.toMatchObject(refused)
    await expect(cache.getOrSet(name, () => 1)).rejects.toMatchObject(refused)
    await expect(cache.backend.set(name, 1)).rejects.toMatchObject(refused)
    await expect(cache.invalidateTags([name])).rejects.toMatchObject(refused)
    expect(() => cache.namespace(name)).toThrow(expect.objectContaining(refused))
  }
  expect(() => scene.cache({ prefix: 'p\0tag:' })).toThrow(/prefix/)
})

test('P13 a local copy ends with its TTL, also within one turn of the event loop', async () => {
  const cache = scene.cache()
  await cache.initialize()
  await waitUntil(
    async () => {
      await cache.getOrSet('key', () => 1, { ttl: '300ms' })
      return cache.peek('key') === 1
    },
    { what: 'a local copy' },
  )
  const endMs = performance.now() + 400
  while (performance.now() < endMs) escapeGlob('busy')
  expect(cache.peek('key')).toBeUndefined()
})
