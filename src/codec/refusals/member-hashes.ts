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
