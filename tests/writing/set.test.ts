import { expect, test } from 'vitest'
import { IMPATIENT, useScene } from '../support/scene.ts'

// Each of these was a defect once, or looked like one in the code.

const scene = useScene({ caches: IMPATIENT })

test('P4 a value that cannot be stored leaves the old value', async () => {
  const cache = scene.cache()
  await cache.set('key', 'old')
  await expect(cache.set('key', undefined)).rejects.toMatchObject({ code: 'CACHE_INVALID_VALUE' })
  expect(await cache.get('key')).toBe('old')
})
