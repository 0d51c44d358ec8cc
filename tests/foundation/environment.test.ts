import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { readEnvironment } from '../../src/foundation/environment.ts'
import { CacheError } from '../../src/foundation/errors/cache-error.ts'

describe('the environment', () => {
  it('sets no options if it is empty', () => {
    assert.deepEqual(readEnvironment({}), {})
    assert.deepEqual(readEnvironment({ REDIS_URL: '', CACHEWRIGHT_COMMAND_TIMEOUT: '' }), {})
  })

  it('sets every option that it documents', () => {
    assert.deepEqual(
      readEnvironment({
        REDIS_URL: 'redis://localhost',
        CACHEWRIGHT_PREFIX: 'shop:',
        CACHEWRIGHT_SERIALIZER: 'msgpack',
        CACHEWRIGHT_COMPRESSION: 'lz4',
        CACHEWRIGHT_TTL: '5m',
        CACHEWRIGHT_COMMAND_TIMEOUT: '0.5',
        CACHEWRIGHT_ERRORS: 'throw',
        CACHEWRIGHT_MAX_VALUE_BYTES: '1000',
      }),
      {
        url: 'redis://localhost',
        prefix: 'shop:',
        serializer: 'msgpack',
        compression: 'lz4',
        ttl: '5m',
        commandTimeout: 0.5,
        errors: 'throw',
        maxValueBytes: 1_000,
      },
    )
    assert.deepEqual(readEnvironment({ CACHEWRIGHT_TTL: 'Infinity' }), {
      ttl: Number.POSITIVE_INFINITY,
    })
    for (const serializer of ['json', 'v8', 'msgpack', 'pickle', 'text', 'bytes']) {
      assert.deepEqual(readEnvironment({ CACHEWRIGHT_SERIALIZER: serializer }), { serializer })
    }
  })

  it.each([
    ['CACHEWRIGHT_SERIALIZER', 'JSON'],
    ['CACHEWRIGHT_COMPRESSION', 'zip'],
    ['CACHEWRIGHT_TTL', 'soon'],
    ['CACHEWRIGHT_COMMAND_TIMEOUT', '0'],
    ['CACHEWRIGHT_ERRORS', 'ignore'],
    ['CACHEWRIGHT_MAX_VALUE_BYTES', '1e6'],
    ['CACHEWRIGHT_MAX_VALUE_BYTES', '-1'],
  ])('%s=%s is refused with an error that names the variable, without its value', (name, value) => {
    assert.throws(
      () => readEnvironment({ [name]: value }),
      (error) =>
        error instanceof CacheError &&
        error.code === 'CACHE_INVALID_OPTIONS' &&
        error.message.includes(name) &&
        !error.message.includes(`'${value}'`),
    )
  })
})
