import { unreadable } from './unreadable.ts'

/**
 * Section 3 of an envelope, which describes how its payload was encrypted.
 *
 * ```
 * key id   one length byte, then 1 to 64 visible ASCII characters
 * salt     16 bytes, with which the subkey of one process was derived
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

/** A section with its offsets. */
export interface PlacedEncryptionSection extends EncryptionSection {
  readonly tagAt: number
  /** The offset of the next section. */
  readonly end: number
}

export const SALT_BYTES = 16
export const NONCE_BYTES = 12
export const TAG_BYTES = 16
/** A key id appears in log lines, so it contains no line break and nothing invisible. */
const KEY_ID = /^[!-~]{1,64}$/

/** Whether `id` is a valid key id. */
export function isKeyId(id: unknown): id is string {
  return typeof id === 'string' && KEY_ID.test(id)
}

/** The size of the section in bytes. */
export function encryptionSectionBytes(keyId: string): number {
  return 1 + keyId.length + SALT_BYTES + NONCE_BYTES + TAG_BYTES
}

/** Writes the section at `offset` without its tag, and returns the offset of the tag. */
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
 * Reads the section at `offset`. Its byte strings are views.
 * @param limit the end of the header
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
