/** The name of the dictionary that a payload refers to: its first `count` shapes, identified by their digest. */
export interface StructuresName {
  /** At least 1. */
  readonly count: number
  /** {@link DIGEST_BYTES} bytes. */
  readonly digest: Buffer
}

export const DIGEST_BYTES = 16

/**
 * The size of section 4 of an envelope, which names the dictionary that the payload refers to.
 *
 * ```
 * count    16 bits   the number of shapes
 * digest   16 bytes  the digest of exactly these shapes
 * ```
 */
export const STRUCTURES_SECTION_BYTES: number = 2 + DIGEST_BYTES

/** Writes the section at `offset`. */
export function writeStructuresSection(
  target: Buffer,
  offset: number,
  { count, digest }: StructuresName,
): void {
  target.set(digest, target.writeUInt16BE(count, offset))
}
