/** The opcodes of protocols 0 and 1 that can open plain data; JSON text begins with none of them. */
const OPENINGS: ReadonlySet<number> = new Set(Buffer.from('()]}NIJKLMFGSTUVXc'))
const PROTO = 0x80
const STOP = 0x2e

/**
 * Whether `bytes` look like a Python pickle and not like JSON text, by their first and last bytes alone:
 * a cheap guess that says nothing about what the pickle holds.
 */
export function isPickle(bytes: Buffer): boolean {
  if (bytes.length < 2 || bytes[bytes.length - 1] !== STOP) return false
  const [first = 0, version = 0] = bytes
  return first === PROTO ? version >= 2 && version <= 5 : OPENINGS.has(first)
}
