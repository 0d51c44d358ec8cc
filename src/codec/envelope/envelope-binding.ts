import { checksumOf } from './checksum.ts'
import { TAG_BYTES } from './encryption-section.ts'
import { LEASE_BYTES } from './entry-meta.ts'
import { FIXED_BYTES } from './envelope-format.ts'

const CHECKSUM_AT = 8

/**
 * The checksum of an envelope, which binds it to its key. It leaves out the lease of an entry, since scripts write that
 * in place.
 */
export function checksum(storedKey: string, sealed: Buffer, isEntry: boolean): number {
  return checksumOf(storedKey, sealed, CHECKSUM_AT, coveredFrom(isEntry))
}

/**
 * The data that the tag of an encrypted payload covers beside the payload: the header, with zeros for the checksum, the
 * lease and the tag itself, then the key. The header contains its own length, so no other header and key give the same
 * bytes.
 */
export function additionalData(storedKey: string, header: Buffer, tagAt: number, isEntry: boolean): Buffer {
  const bound = Buffer.alloc(header.length + Buffer.byteLength(storedKey))
  bound.set(header)
  bound.fill(0, CHECKSUM_AT, coveredFrom(isEntry))
  bound.fill(0, tagAt, tagAt + TAG_BYTES)
  bound.write(storedKey, header.length)
  return bound
}

/** The offset behind the checksum, and behind the lease if there is one. */
function coveredFrom(isEntry: boolean): number {
  return isEntry ? FIXED_BYTES + LEASE_BYTES : FIXED_BYTES
}
