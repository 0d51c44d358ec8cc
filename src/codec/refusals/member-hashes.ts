import { LimitExceeded } from './limits.ts'

/** Fewer members cannot share a hash often enough to take long. */
export const COUNTED_FROM = 256
/** Most numbers in one bucket. Of those that nobody has computed for it, a dozen share one. */
const MOST_IN_A_BUCKET = 128

const BITS = new DataView(new ArrayBuffer(8))
const LOW_64 = 0xffff_ffff_ffff_ffffn

/** Whether V8 hashes a member of a set or a key of a map by its value, and without a seed. */
export function isNumeric(member: unknown): member is number | bigint {
  return typeof member === 'number' || typeof member === 'bigint'
}

/**
 * Counts the numbers and bigints among the members of a set, or the keys of a map. V8 hashes them without a seed, and bigints
 * by their lowest 64 bits alone. So one can compute many that share a bucket, and a table of those takes time that grows
 * with the square of its size. (Strings are hashed with a seed, objects by random numbers.)
 */
export class MemberHashes {
  /** The number of members in each bucket. */
  readonly #buckets: Uint8Array

  /** @param members how many there are, of whatever type: a table has a bucket for every two */
  constructor(members: number) {
    this.#buckets = new Uint8Array(1 << (31 - Math.clz32(members)))
  }

  /** @throws LimitExceeded if too many members share a bucket */
  add(hash: number): void {
    const bucket = hash & (this.#buckets.length - 1)
    const members = (this.#buckets[bucket] as number) + 1
    if (members > MOST_IN_A_BUCKET)
      throw new LimitExceeded('too many numbers with equal hashes in a map or set')
    this.#buckets[bucket] = members
  }
}

/** The hash of a number or a bigint in V8. */
export function hashOf(member: number | bigint): number {
  if (typeof member === 'bigint') {
    const magnitude = member < 0n ? -member : member
    return hashOfBigint(magnitude & LOW_64)
  }
  const integer = member | 0
  if (integer === member) return hashOfInteger(integer)
  BITS.setFloat64(0, member)
  return hashOfLong(BITS.getInt32(0), BITS.getInt32(4))
}

/** @param low64 the lowest 64 bits of a bigint without its sign */
export function hashOfBigint(low64: bigint): number {
  BITS.setBigUint64(0, low64)
  return hashOfLong(BITS.getInt32(0), BITS.getInt32(4))
}

/** Thomas Wang's hash of 32 bits (`ComputeUnseededHash` of V8). */
function hashOfInteger(key: number): number {
  let hash = (~key + (key << 15)) | 0
  hash ^= hash >>> 12
  hash = (hash + (hash << 2)) | 0
  hash ^= hash >>> 4
  hash = Math.imul(hash, 2_057)
  return hash ^ (hash >>> 16)
}

/** Thomas Wang's hash from 64 bits to 32 (`ComputeLongHash` of V8), on halves. */
function hashOfLong(keyHigh: number, keyLow: number): number {
  let product = (keyLow >>> 0) * 0x3_ffff - 1
  let low = product | 0
  let high = (Math.imul(keyHigh, 0x3_ffff) + Math.floor(product / 0x1_0000_0000)) | 0
  low ^= (low >>> 31) | (high << 1)
  high ^= high >>> 31
  product = (low >>> 0) * 21
  low = product | 0
  high = (Math.imul(high, 21) + Math.floor(product / 0x1_0000_0000)) | 0
  low ^= (low >>> 11) | (high << 21)
  high ^= high >>> 11
  product = (low >>> 0) * 65
  low = product | 0
  high = (Math.imul(high, 65) + Math.floor(product / 0x1_0000_0000)) | 0
  return low ^ ((low >>> 22) | (high << 10))
}
