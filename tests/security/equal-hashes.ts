const MASK = (1n << 64n) - 1n

/** The inverse of an odd number modulo 2^64. */
function inverse(odd: bigint): bigint {
  let found = 1n
  for (let round = 0; round < 7; round++) found = (found * (2n - odd * found)) & MASK
  return found
}

/** Undoes `x ^ (x >> bits)`. */
function unshift(mixed: bigint, bits: bigint): bigint {
  let found = mixed
  for (let round = 0; round < 64; round += Number(bits)) found = mixed ^ (found >> bits)
  return found
}

/** 64 bits whose hash in V8 has 5 for its lowest 30 bits: `ComputeLongHash`, step by step backwards. */
function bitsOfHash5(number: number): bigint {
  let bits = unshift((BigInt(number) << 30n) | 5n, 22n)
  bits = unshift((bits * inverse(65n)) & MASK, 11n)
  bits = unshift((bits * inverse(21n)) & MASK, 31n)
  return ((bits + 1n) * inverse((1n << 18n) - 1n)) & MASK
}

/** Bigints of at most 64 bits that V8 hashes alike. */
export function bigintsOfOneHash(count: number): bigint[] {
  return Array.from({ length: count }, (_, number) => bitsOfHash5(number + 1))
}

/** Floats that V8 hashes alike. */
export function floatsOfOneHash(count: number): number[] {
  const view = new DataView(new ArrayBuffer(8))
  const floats = bigintsOfOneHash(2 * count).map((bits) => {
    view.setBigUint64(0, bits)
    return view.getFloat64(0)
  })
  return floats.filter((float) => Number.isFinite(float)).slice(0, count)
}

/** Integers of 32 bits whose hashes in V8 (`ComputeUnseededHash`) agree in their lowest 15 bits. */
export function integersOfOneHash(count: number): number[] {
  const found: number[] = []
  for (let key = 0; found.length < count; key++) {
    let hash = (~key + (key << 15)) | 0
    hash ^= hash >>> 12
    hash = (hash + (hash << 2)) | 0
    hash ^= hash >>> 4
    hash = Math.imul(hash, 2_057)
    hash ^= hash >>> 16
    if ((hash & 0x7fff) === 5) found.push(key)
  }
  return found
}

/** Bigints that share their lowest 64 bits. */
export function bigintsOfOneEnd(count: number, sign: 1n | -1n): bigint[] {
  return Array.from({ length: count }, (_, number) => sign * ((BigInt(number + 1) << 64n) + 1n))
}
