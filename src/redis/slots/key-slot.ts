/** CRC-16/XMODEM (polynomial 0x1021), one entry for each byte. */
const CRC16_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc & 0xffff
})

const SLOTS = 16_384
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d

/**
 * The hash slot of a key (Redis Cluster specification, "Key distribution model"): the CRC-16 of what stands
 * between the first `{` and the first `}` after it, or of the whole key where that is empty or missing.
 */
export function keySlot(key: string | Buffer): number {
  const bytes = typeof key === 'string' ? Buffer.from(key) : key
  const open = bytes.indexOf(OPENING_BRACE)
  const close = open === -1 ? -1 : bytes.indexOf(CLOSING_BRACE, open + 1)
  const isTagged = close > open + 1
  return crc16(bytes, isTagged ? open + 1 : 0, isTagged ? close : bytes.length) % SLOTS
}

function crc16(bytes: Buffer, start: number, end: number): number {
  let crc = 0
  for (let index = start; index < end; index++) {
    crc = ((crc << 8) & 0xffff) ^ (CRC16_TABLE[(crc >> 8) ^ (bytes[index] as number)] as number)
  }
  return crc
}
