/** A copy in memory of its own: `Buffer.from` cuts small ones from memory that the whole process shares. */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}
