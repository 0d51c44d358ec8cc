import { randomText } from '../../foundation/random-text.ts'

/** Eight random bytes as `latin1` text that identify one write of one entry. */
export function newStamp(): string {
  return randomText(8)
}
