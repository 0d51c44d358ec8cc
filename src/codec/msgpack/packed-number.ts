import { hashOfBigint, hashOfBits, hashOfInteger } from '../refusals/member-hashes.ts'
import type { PackedInput } from './packed-input.ts'
import { FIXED_BYTES, FLOAT_32, FLOAT_64, INT_64, UINT_32, UINT_64 } from './packed-tokens.ts'

const SCRATCH = new DataView(new ArrayBuffer(8))

/** The hash in V8 of the number whose token was read. */
export function packedNumberHash(token: number, input: PackedInput): number {
  if (token < 0x40) return hashOfInteger(token)
  if (token >= 0xe0) return hashOfInteger(token - 0x100)
  const bytes = FIXED_BYTES[token] as number
  if (token === FLOAT_64) return hashOfFloat(input.view, input.pass(8))
  if (bytes === 8) return packedBigintHash(8, input, token === INT_64)
  const unsigned = input.number(bytes)
  if (token === FLOAT_32 || (token === UINT_32 && unsigned > 0x7fff_ffff)) {
    SCRATCH.setUint32(0, unsigned)
    SCRATCH.setFloat64(0, token === FLOAT_32 ? SCRATCH.getFloat32(0) : unsigned)
    return hashOfFloat(SCRATCH, 0)
  }
  const unused = 32 - 8 * bytes
  return hashOfInteger(token > UINT_64 ? (unsigned << unused) >> unused : unsigned)
}

function hashOfFloat(view: DataView, at: number): number {
  const value = view.getFloat64(at)
  const integer = value | 0
  return value === integer ? hashOfInteger(integer) : hashOfBits(view.getInt32(at), view.getInt32(at + 4))
}

/**
 * The hash in V8 of a bigint: big-endian, in two's complement unless it has no sign.
 * @param bytes its length, which is not 0
 */
export function packedBigintHash(bytes: number, input: PackedInput, hasSign = true): number {
  const isNegative = hasSign && input.next >= 0x80
  if (bytes > 8) input.skip(bytes - 8)
  SCRATCH.setBigInt64(0, isNegative ? -1n : 0n)
  for (let at = Math.max(0, 8 - bytes); at < 8; at++) SCRATCH.setUint8(at, input.byte())
  const low64 = SCRATCH.getBigUint64(0)
  return hashOfBigint(isNegative ? BigInt.asUintN(64, -low64) : low64)
}
