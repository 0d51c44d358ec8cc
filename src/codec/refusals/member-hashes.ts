import { LimitExceeded } from './limits.ts'

/** Fewer members cannot share a hash often enough to take long. */
export const COUNTED_FROM = 256
/** Most numbers in one bucket. Of those that nobody has computed for it, a dozen share one. */
const MOST_IN_A_BUCKET = 128
/** Most steps to members of the same bucket while a table is filled, for each member, and for a table of any size. */
const STEPS_OF_MEMBER = 4
const STEPS_OF_TABLE = 8_192

const NUMBER = new Float64Array(1)
const BIGINT = new BigUint64Array(NUMBER.buffer)
/** The lower and the higher half of either, or the other way around. */
const HALVES = new Int32Array(NUMBER.buffer)
const LOW = new Int8Array(new Int32Array([1]).buffer)[0] === 1 ? 0 : 1
const HIGH = 1 - LOW

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
  /** The steps that are left. */
  #steps: number

  /** @param members how many there are, of whatever type: a table has a bucket for every two */
  constructor(members: number) {
    this.#buckets = new Uint8Array(1 << (31 - Math.clz32(members)))
    this.#steps = STEPS_OF_TABLE + STEPS_OF_MEMBER * members
  }

  /** @throws LimitExceeded if too many members share a bucket */
  add(hash: number): void {
    const bucket = hash & (this.#buckets.length - 1)
    const members = (this.#buckets[bucket] as number) + 1
    this.#steps -= members - 1
    if (members > MOST_IN_A_BUCKET || this.#steps < 0)
      throw new LimitExceeded('too many numbers with equal hashes in a map or set')
    this.#buckets[bucket] = members
  }
}

/** For a map or set with so many members; `undefined` if they need not be counted. */
export function hashesFor(members: number): MemberHashes | undefined {
  return members > COUNTED_FROM ? new MemberHashes(members) : undefined
}

/**
 * The numbers among members that there already are, of which there will be so many; `undefined` if they need not be counted.
 * @throws LimitExceeded
 */
export function hashesOf(members: Iterable<unknown>, count: number): MemberHashes | undefined {
  const hashes = hashesFor(count)
  if (hashes !== undefined) for (const member of members) if (isNumeric(member)) hashes.add(hashOf(member))
  return hashes
}

/** The hash of a number or a bigint in V8. */
export function hashOf(member: number | bigint): number {
  if (typeof member === 'bigint') return hashOfBigint(low64Of(member))
  const integer = member | 0
  if (member === integer) return hashOfInteger(integer)
  NUMBER[0] = member
  return hashOfBits(HALVES[HIGH] as number, HALVES[LOW] as number)
}

/** The lowest 64 bits of a bigint without its sign. Negating all of a long one would take time. */
function low64Of(bigint: bigint): bigint {
  const low64 = BigInt.asUintN(64, bigint)
  return bigint < 0n ? BigInt.asUintN(64, -low64) : low64
}

/** @param low64 the lowest 64 bits of a bigint without its sign */
export function hashOfBigint(low64: bigint): number {
  BIGINT[0] = low64
  return hashOfBits(HALVES[HIGH] as number, HALVES[LOW] as number)
}

/** The hash of an integer of 32 bits: that of Thomas Wang (`ComputeUnseededHash` of V8). */
export function hashOfInteger(key: number): number {
  let hash = (~key + (key << 15)) | 0
  hash ^= hash >>> 12
  hash = (hash + (hash << 2)) | 0
  hash ^= hash >>> 4
  hash = Math.imul(hash, 2_057)
  return hash ^ (hash >>> 16)
}

/**
 * The hash of the bits of any other number: Thomas Wang's from 64 bits to 32 (`ComputeLongHash` of V8), on halves. Each sum carries if its lower half is less than
 * a summand.
 */
export function hashOfBits(keyHigh: number, keyLow: number): number {
  // ~key + (key << 18)
  let low = (~keyLow + (keyLow << 18)) | 0
  let carry = low >>> 0 < ~keyLow >>> 0 ? 1 : 0
  let high = (~keyHigh + ((keyHigh << 18) | (keyLow >>> 14)) + carry) | 0
  low ^= (low >>> 31) | (high << 1)
  high ^= high >>> 31
  // hash * 21: five times the hash, and sixteen times
  let sum = (low + (low << 2)) | 0
  carry = sum >>> 0 < low >>> 0 ? 1 : 0
  let sumHigh = (high + ((high << 2) | (low >>> 30)) + carry) | 0
  sumHigh = (sumHigh + ((high << 4) | (low >>> 28))) | 0
  low = (sum + (low << 4)) | 0
  carry = low >>> 0 < sum >>> 0 ? 1 : 0
  high = (sumHigh + carry) | 0
  low ^= (low >>> 11) | (high << 21)
  high ^= high >>> 11
  // hash * 65
  sum = (low + (low << 6)) | 0
  carry = sum >>> 0 < low >>> 0 ? 1 : 0
  high = (high + ((high << 6) | (low >>> 26)) + carry) | 0
  return sum ^ ((sum >>> 22) | (high << 10))
}
