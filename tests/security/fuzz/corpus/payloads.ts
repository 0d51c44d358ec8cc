import { sealEnvelope } from '../../../../src/codec/envelope/envelope.ts'

/** Payloads that once crashed or stalled a process, or read what is not theirs. */
const PAYLOADS: readonly (readonly [serializer: string, hex: string])[] = [
  // Strings that are read from beyond the payload.
  ['msgpack', '92d6620000004ec120d6620000000e00000000000000000000a0a0'],
  // Arrays that claim more items than there are bytes, within one another.
  ['msgpack', `${'dd00ffffff'.repeat(12)}01`],
  // Shared references that double at each of 28 levels, and a trailing byte.
  ['msgpack', sharedReferences(28)],
  // Lists within one another.
  ['pickle', Buffer.from(`${']'.repeat(2_000)}${'a'.repeat(1_999)}.`).toString('hex')],
  // A host object that lies about its length.
  ['v8', 'ff0f5c01ffffff7f'],
]

export const HOSTILE_PAYLOADS: readonly { readonly serializer: string; readonly bytes: Buffer }[] =
  PAYLOADS.map(([serializer, hex]) => ({
    serializer,
    bytes: sealEnvelope(
      'cache:key',
      { serializerId: serializer, compressionId: 'none' },
      Buffer.from(hex, 'hex'),
    ),
  }))

function sharedReferences(levels: number): string {
  const id = (level: number) => level.toString(16).padStart(8, '0')
  let hex = ''
  for (let level = 1; level <= levels; level++) hex += `d669${id(level)}92`
  hex += '0101'
  for (let level = levels; level > 1; level--) hex += `d670${id(level)}`
  return `${hex}00`
}
