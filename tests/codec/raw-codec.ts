import assert from 'node:assert/strict'
import type { ValueCodec } from '../../src/codec/value-codec.ts'
import type { SerializerName } from '../../src/contract/serializer.ts'
import { CacheError } from '../../src/foundation/errors/cache-error.ts'
import { encryptedCodec } from './encrypted-codec.ts'
import { KEY } from './encrypted-values.ts'

/** A codec of plain text or bytes, or one that reads them. */
export async function raw(
  serializer: SerializerName,
  readers: readonly SerializerName[] = [],
  maxValueBytes = 10_000_000,
): Promise<ValueCodec> {
  return encryptedCodec(undefined, { serializer, readers, maxValueBytes })
}

/** The bytes of a plain value. */
export function stored(codec: ValueCodec, value: unknown): Buffer {
  return Buffer.from(codec.encode(KEY, value) as string)
}

/** The message of the error that something throws. */
export function messageOf(work: () => unknown, code: CacheError['code']): string {
  try {
    work()
  } catch (error) {
    assert.ok(error instanceof CacheError, String(error))
    assert.equal(error.code, code)
    return error.message
  }
  assert.fail('it did not throw')
}
