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

class OwnError extends Error {}

/** Errors of every kind, each with what is read if it is stored. */
const ERRORS: Readonly<Record<string, Error>> = {
  'an error': new Error('x'),
  'an error of another class': new RangeError('x', { cause: { id: 1 } }),
  'an error with another name': Object.assign(new Error('x'), { name: 'Other' }),
  'an error with the name of a method': Object.assign(new Error('x'), { name: 'valueOf' }),
  'an error with the name of another class': Object.assign(new Error('x'), { name: 'TypeError' }),
  'an error whose name is no string': Object.assign(new Error('x'), { name: ['Error'] }),
  'an error whose message is no string': Object.assign(new Error('x'), { message: 5 }),
  'an error whose message is an array': Object.assign(new Error('x'), { message: ['x'] }),
  'an error with a code': Object.assign(new Error('x'), { code: 'ENOENT' }),
  'an AggregateError': new AggregateError([new Error('inner')], 'x'),
  'a DOMException': new DOMException('x', 'AbortError'),
  'an error of a class of the program': new OwnError('x'),
}

describe('errors are read as they were stored, or are refused when they are stored', () => {
  test.each(
    (['msgpack', 'v8'] as const).flatMap((serializer) =>
      Object.keys(ERRORS).map((name) => [serializer, name] as const),
    ),
  )('%s, %s', async (serializer, name) => {
    const backend = new MemoryCacheBackend({ serializer, errors: 'throw' })
    const error = ERRORS[name] as Error
    for (const value of [error, [error], new Map([[error, { error }]])]) {
      const isStored = await backend.set('key', value).catch((refusal: unknown) => {
        expect((refusal as CacheError).code).toBe('CACHE_INVALID_VALUE')
        return false
      })
      if (!isStored) continue
      const read = await backend.get('key')
      if (value !== error) expect(read).toEqual(value)
      else {
        expect(read).toBeInstanceOf(error.constructor)
        expect(read).toMatchObject({ name: error.name, message: error.message })
      }
    }
    await backend.shutdown()
  })
})
