/** CRC-16/XMODEM (polynomial 0x1021): the table entry of each byte. */
const CRC16_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc & 0xffff
})

/** Hash slots of a cluster. */
export const SLOT_COUNT = 16_384

const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d

/**
 * The hash slot of a key (Redis Cluster specification, "Key distribution model"): the CRC-16 of its hash tag, modulo
 * 16,384. The hash tag is the text between the first `{` and the first `}` after it; a key without one, or with an
 * empty one, is hashed as a whole.
 */
export function keySlot(key: string | Buffer): number {
  const bytes = typeof key === 'string' ? Buffer.from(key) : key
  const open = bytes.indexOf(OPENING_BRACE)
  const close = open === -1 ? -1 : bytes.indexOf(CLOSING_BRACE, open + 1)
  const isTagged = close > open + 1
  return crc16(bytes, isTagged ? open + 1 : 0, isTagged ? close : bytes.length) % SLOT_COUNT
}

function crc16(bytes: Buffer, start: number, end: number): number {
  let crc = 0
  for (let index = start; index < end; index++) {
    crc = ((crc << 8) & 0xffff) ^ (CRC16_TABLE[(crc >> 8) ^ (bytes[index] as number)] as number)
  }
  return crc
}
