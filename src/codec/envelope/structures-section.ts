/** Which dictionary a payload refers to: its first `count` shapes, identified by their digest. */
export interface StructuresName {
  /** At least 1. */
  readonly count: number
  /** {@link DIGEST_BYTES} bytes. */
  readonly digest: Buffer
}

export const DIGEST_BYTES = 16

/**
 * Bytes of the section 4 of an envelope: the dictionary that its payload refers to.
 *
 * ```
 * count    16 bits   how many shapes of the dictionary
 * digest   16 bytes  of exactly these
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
