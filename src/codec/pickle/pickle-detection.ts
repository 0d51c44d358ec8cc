/** The opcodes of protocols 0 and 1 with which plain data can begin; JSON text begins with none of them. */
const OPENINGS: ReadonlySet<number> = new Set(Buffer.from('()]}NIJKLMFGSTUVXc'))
const PROTO = 0x80
const STOP = 0x2e

/**
 * Whether the first and last bytes are those of a Python pickle, and not of JSON text. It is a cheap guess, and does
 * not look at the content.
 */
export function isPickle(bytes: Buffer): boolean {
  if (bytes.length < 2 || bytes[bytes.length - 1] !== STOP) return false
  const [first = 0, version = 0] = bytes
  return first === PROTO ? version >= 2 && version <= 5 : OPENINGS.has(first)
}
