import { createSecretKey, type KeyObject } from 'node:crypto'
import { types } from 'node:util'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { assertOptions, type KnownOptions, type OptionNames } from '../../foundation/option-checks.ts'
import { isKeyId } from './encryption-section.ts'
import { KeyRing, type RingKey } from './key-ring.ts'

/** A named secret. */
export interface EncryptionKey {
  /** 1 to 64 visible ASCII characters, which are stored with every value. Never give another secret the same id. */
  readonly id: string
  /** 32 random bytes, or their base64 or base64url text. Not a pass phrase. */
  readonly secret: Uint8Array | string
}

/**
 * Options of encryption: AES-256-GCM, which binds each value to its key and header.
 *
 * To change the secret, put the new key first and leave the old one behind it until everything written with it has
 * expired.
 * @example
 * ```ts
 * import { createCache } from 'cachewright'
 *
 * const cache = createCache({
 *   redis: process.env.REDIS_URL,
 *   encryption: {
 *     keys: [
 *       { id: '2026-11', secret: process.env.CACHE_SECRET ?? '' }, // 32 random bytes in base64: openssl rand -base64 32
 *       { id: '2026-05', secret: process.env.OLD_CACHE_SECRET ?? '' },
 *     ],
 *   },
 * })
 * ```
 */
export interface EncryptionOptions {
  /** The first key encrypts; all keys decrypt. */
  readonly keys: readonly EncryptionKey[]
  /**
   * How values that are not encrypted are read. `'refuse'` treats them as undecodable, so that an attacker who can
   * write to the store cannot forge values. `'read'` accepts them: use it until all values of a store are encrypted.
   * @default 'refuse'
   */
  readonly unencrypted?: 'refuse' | 'read' | undefined
}

/** {@link EncryptionOptions}, resolved. It shows no secret when it is printed. */
export interface ResolvedEncryption {
  readonly ring: KeyRing
  readonly refusesUnencrypted: boolean
}

/** What `encryption` may contain. */
export const ENCRYPTION_OPTIONS: KnownOptions = {
  of: 'encryption',
  names: { keys: 'value', unencrypted: 'value' } satisfies OptionNames<EncryptionOptions>,
}

const SECRET_BYTES = 32
/** No message quotes an id or a secret, since a caller may have confused the two. */
const EXPECTED_SECRET = 'must be 32 bytes, or the base64 or base64url text of 32 bytes'

/** @throws CacheError `CACHE_INVALID_OPTIONS`; its message quotes no option */
export function resolveEncryption(options: EncryptionOptions | undefined): ResolvedEncryption | undefined {
  if (options === undefined) return undefined
  // No other falsy or malformed option may switch encryption off.
  if (typeof options !== 'object' || options === null) throw invalid('encryption must be an object')
  assertOptions(options, ENCRYPTION_OPTIONS)
  const { keys, unencrypted = 'refuse' } = options
  if (unencrypted !== 'refuse' && unencrypted !== 'read') {
    throw invalid("encryption.unencrypted must be 'refuse' or 'read'")
  }
  if (!Array.isArray(keys)) throw invalid('encryption.keys must be an array')
  const [first, ...others] = keys.map(resolveKey)
  if (first === undefined) throw invalid('encryption.keys must have at least one key')
  const ids = new Set([first.id])
  for (const [index, { id }] of others.entries()) {
    if (ids.has(id)) throw invalid(`encryption.keys[${index + 1}].id is that of an earlier key`)
    ids.add(id)
  }
  return Object.freeze({
    ring: new KeyRing([first, ...others]),
    refusesUnencrypted: unencrypted === 'refuse',
  })
}

function resolveKey(key: EncryptionKey | null | undefined, index: number): RingKey {
  const name = `encryption.keys[${index}]`
  if (typeof key !== 'object' || key === null) throw invalid(`${name} must be an object with id and secret`)
  if (!isKeyId(key.id)) throw invalid(`${name}.id must be 1 to 64 visible ASCII characters`)
  const secret = typeof key.secret === 'string' ? parseSecret(key.secret) : key.secret
  if (!types.isUint8Array(secret) || secret.length !== SECRET_BYTES) {
    throw invalid(`${name}.secret ${EXPECTED_SECRET}`)
  }
  return { id: key.id, secret: toKeyObject(secret) }
}

/** Node decodes leniently, so the decoded bytes must encode to the same text. */
function parseSecret(text: string): Buffer | undefined {
  for (const encoding of ['base64', 'base64url'] as const) {
    const bytes = Buffer.from(text, encoding)
    const again = bytes.toString(encoding)
    if (again === text || (encoding === 'base64url' && `${again}=` === text)) return bytes
  }
  return undefined
}

/** A copy that neither inspection nor JSON shows, and that later changes to the caller's bytes do not reach. */
function toKeyObject(secret: Uint8Array): KeyObject {
  return createSecretKey(secret)
}

function invalid(message: string): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', message)
}
