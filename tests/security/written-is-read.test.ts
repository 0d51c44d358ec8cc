import { CacheError } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { describe, expect, test } from 'vitest'

const SERIALIZERS = ['json', 'msgpack', 'v8', 'pickle'] as const

/** Ways to put a value into a container. */
const CONTAINERS: Readonly<Record<string, (inner: unknown) => unknown>> = {
  array: (inner) => [inner],
  object: (inner) => ({ inner }),
  'object of two': (inner) => ({ a: 1, inner }),
  map: (inner) => new Map([['inner', inner]]),
  'key of a map': (inner) => new Map([[inner, 1]]),
  set: (inner) => new Set([inner]),
  cause: (inner) => new Error('outer', { cause: inner }),
  toJSON: (inner) => ({ toJSON: () => [inner] }),
  'shared twice': (inner) => [inner, inner],
}

describe('whatever is stored can be read again, or is refused when it is stored', () => {
  test.each(
    SERIALIZERS.flatMap((serializer) => Object.keys(CONTAINERS).map((name) => [serializer, name] as const)),
  )('%s, %s', async (serializer, name) => {
    const backend = new MemoryCacheBackend({ serializer, errors: 'throw' })
    const contain = CONTAINERS[name] as (inner: unknown) => unknown
    // A value that doubles at each level has no more than a few in JSON.
    const depths =
      name === 'shared twice' && serializer === 'json'
        ? [1, 10]
        : [1, 100, 249, 250, 251, 499, 500, 501, 502, 1_000]
    for (const depth of depths) {
      let value: unknown = 'innermost'
      for (let level = 0; level < depth; level++) value = contain(value)
      const isStored = await backend.set('key', value).catch((error: unknown) => {
        expect(error).toBeInstanceOf(CacheError)
        expect((error as CacheError).code).toBe('CACHE_INVALID_VALUE')
        return false
      })
      if (isStored) expect(await backend.get('key'), `${depth}`).toBeDefined()
    }
    await backend.shutdown()
  })
})
