import { unreadable } from './unreadable.ts'

/**
 * How the payload of an envelope was encrypted: its section 3.
 *
 * ```
 * key id   one length byte, then 1 to 64 visible ASCII characters
 * salt     16 bytes, from which the key of one process was derived
 * nonce    12 bytes
 * tag      16 bytes
 * ```
 */
export interface EncryptionSection {
  readonly keyId: string
  readonly salt: Buffer
  readonly nonce: Buffer
  readonly tag: Buffer
}

/** A section and where it stands. */
export interface PlacedEncryptionSection extends EncryptionSection {
  readonly tagAt: number
  /** Where the next section begins. */
  readonly end: number
}

export const SALT_BYTES = 16
export const NONCE_BYTES = 12
export const TAG_BYTES = 16
/** One key id is a name in a log line, so it may hold nothing that ends a line or hides. */
const KEY_ID = /^[!-~]{1,64}$/

/** Whether `id` can name a key. */
export function isKeyId(id: unknown): id is string {
  return typeof id === 'string' && KEY_ID.test(id)
}

/** Bytes of the section. */
export function encryptionSectionBytes(keyId: string): number {
  return 1 + keyId.length + SALT_BYTES + NONCE_BYTES + TAG_BYTES
}

/** Writes the section at `offset` but for its tag, and returns where the tag belongs. */
export function writeEncryptionSection(
  target: Buffer,
  offset: number,
  { keyId, nonce, salt }: Omit<EncryptionSection, 'tag'>,
): number {
  target[offset] = keyId.length
  const saltAt = offset + 1 + target.write(keyId, offset + 1, 'latin1')
  target.set(salt, saltAt)
  target.set(nonce, saltAt + SALT_BYTES)
  return saltAt + SALT_BYTES + NONCE_BYTES
}

/**
 * Reads the section at `offset`; its byte strings are views.
 * @param limit where the header ends
 * @throws CacheError `CACHE_UNDECODABLE`
 */
export function readEncryptionSection(bytes: Buffer, offset: number, limit: number): PlacedEncryptionSection {
  const saltAt = offset + 1 + (bytes[offset] ?? 0)
  const nonceAt = saltAt + SALT_BYTES
  const tagAt = nonceAt + NONCE_BYTES
  const end = tagAt + TAG_BYTES
  const keyId = bytes.toString('latin1', offset + 1, saltAt)
  if (end > limit || !isKeyId(keyId)) throw unreadable('the section on encryption is malformed')
  return {
    keyId,
    salt: bytes.subarray(saltAt, nonceAt),
    nonce: bytes.subarray(nonceAt, tagAt),
    tag: bytes.subarray(tagAt, end),
    tagAt,
    end,
  }
}
