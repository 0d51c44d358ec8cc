import assert from 'node:assert/strict'
import { ClientOfflineError, SimpleError } from '@redis/client'
import { describe, it } from 'vitest'
import { fromNodeRedis } from '../../src/redis/node-redis/replies.ts'

/** Classes of the same names, as another copy of the client would bring them. */
const foreign = {
  ErrorReply: class ErrorReply extends Error {},
  ClientOfflineError: class ClientOfflineError extends Error {},
}
class ForeignSimpleError extends foreign.ErrorReply {}

describe('an error of @redis/client', () => {
  it.each([
    ['an error reply', new SimpleError('WRONGTYPE Operation against a key'), 'CACHE_WRONG_TYPE'],
    [
      'an error reply of another copy of the client',
      new ForeignSimpleError('OOM command not allowed'),
      'CACHE_REPLY',
    ],
    ['a command that was not sent', new ClientOfflineError(), 'CACHE_UNAVAILABLE'],
    ['the same of another copy', new foreign.ClientOfflineError(), 'CACHE_UNAVAILABLE'],
    [
      'a connection that broke',
      Object.assign(new Error('read'), { code: 'ECONNRESET' }),
      'CACHE_DISCONNECTED',
    ],
    ['anything else', 'text', 'CACHE_DISCONNECTED'],
    ['an object without a class', Object.create(null), 'CACHE_DISCONNECTED'],
  ])('%s has its code', (_, error, code) => {
    assert.equal(fromNodeRedis(error).code, code)
  })
})
