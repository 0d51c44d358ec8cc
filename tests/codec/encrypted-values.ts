import type { EncryptionOptions } from '../../src/codec/envelope/encryption.ts'
import type { ValueCodec } from '../../src/codec/value-codec.ts'
import { CacheError } from '../../src/foundation/errors/cache-error.ts'
import { KEY_1, META } from './encrypted-codec.ts'

export const KEY = 'cache:user:1'

export const VALUE = { name: 'Ada', note: 'a note that nobody else may read '.repeat(4) }

export const ENCRYPTION: EncryptionOptions = { keys: [KEY_1] }

export function undecodable(reason?: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof CacheError &&
    error.code === 'CACHE_UNDECODABLE' &&
    (reason === undefined || reason.test(error.message))
}

/** Both ways in which a value is written. */
export const FORMS = [
  ['a value', (codec: ValueCodec, value: unknown) => codec.encode(KEY, value) as Buffer],
  ['a cache entry', (codec: ValueCodec, value: unknown) => codec.encodeEntry(KEY, value, META)],
] as const
