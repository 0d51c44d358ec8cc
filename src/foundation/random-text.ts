import { randomFillSync } from 'node:crypto'

/** Filled at once, since to ask for a few bytes costs as much as to ask for thousands. */
const POOL = Buffer.allocUnsafeSlow(4_096)
let usedBytes = POOL.length

/** Random bytes as `latin1` text: what must never occur twice, at the rate of loads and writes. */
export function randomText(bytes: number): string {
  if (usedBytes + bytes > POOL.length) {
    randomFillSync(POOL)
    usedBytes = 0
  }
  usedBytes += bytes
  return POOL.toString('latin1', usedBytes - bytes, usedBytes)
}
