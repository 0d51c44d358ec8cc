import { randomFillSync } from 'node:crypto'

/** Random bytes in stock: a request for a few bytes costs as much as one for thousands. */
const POOL = Buffer.allocUnsafeSlow(4_096)
let usedBytes = POOL.length

/** Cryptographically random bytes as `latin1` text, for tokens, stamps and generations, which must never repeat. */
export function randomText(bytes: number): string {
  if (usedBytes + bytes > POOL.length) {
    randomFillSync(POOL)
    usedBytes = 0
  }
  usedBytes += bytes
  return POOL.toString('latin1', usedBytes - bytes, usedBytes)
}
