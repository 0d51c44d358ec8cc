import type { CompressionName } from '../../../src/codec/compression.ts'
import { loadCompressor } from '../../../src/codec/compression.ts'
import { sealEnvelope } from '../../../src/codec/envelope/envelope.ts'
import type { ValueCodec } from '../../../src/codec/value-codec.ts'
import type { SerializerName } from '../../../src/contract/serializer.ts'
import { encryptedCodec, KEY_1, META, withChecksum } from '../../codec/encrypted-codec.ts'
import type { Chance } from './chance.ts'

export const KEY = 'cache:key'
const SERIALIZERS: readonly SerializerName[] = ['json', 'msgpack', 'v8', 'pickle']
const COMPRESSIONS: readonly CompressionName[] = ['gzip', 'brotli', 'lz4', 'snappy']

/** A way to write a value, and a codec that reads it. */
export interface Form {
  readonly name: string
  readonly serializer: SerializerName
  readonly compression: CompressionName | undefined
  readonly isEncrypted: boolean
  readonly codec: ValueCodec
}

/** Stored bytes in a form. */
export interface PayloadInput {
  readonly form: Form
  readonly bytes: Buffer
  /** The value that these bytes held before they were changed. */
  readonly value: unknown
  /** Whether the attacker has made the checksum fit. Otherwise every change has to be noticed. */
  readonly isSealed: boolean
}

export async function allForms(): Promise<readonly Form[]> {
  const forms: Form[] = []
  for (const serializer of SERIALIZERS) {
    for (const compression of [undefined, ...COMPRESSIONS]) {
      for (const isEncrypted of [false, true]) {
        const encryption = isEncrypted ? { keys: [KEY_1] } : undefined
        const codec = await encryptedCodec(encryption, { serializer, compression, maxValueBytes: 1_000_000 })
        const name = `${serializer} ${compression ?? 'plain'} ${isEncrypted ? 'encrypted' : ''}`
        forms.push({ name, serializer, compression, isEncrypted, codec })
      }
    }
  }
  return forms
}

/** Values that use what a serializer has tokens for. */
function valuesOf(serializer: SerializerName): readonly unknown[] {
  const shared = { city: 'Zürich', tags: ['a', 'b'] }
  const plain = [
    null,
    'text',
    -1.5,
    { id: 7, name: 'Ada', nested: { list: [1, 300, 70_000, -5, true, null], empty: {}, none: [] } },
    Array.from({ length: 40 }, (_, id) => ({ id, [`n${id % 35}`]: 'x'.repeat(id * 3) })),
  ]
  if (serializer === 'json') return plain
  const rich = [
    new Date(1_700_000_000_123),
    new Uint8Array([1, 2, 3]),
    2n ** 70n,
    new Map([['k', 1]]),
    new Set([1, 2]),
  ]
  if (serializer === 'pickle') return [...plain, rich, [shared, shared]]
  const cycle: Record<string, unknown> = { shared, again: shared }
  cycle.self = cycle
  return [
    ...plain,
    [...rich, /x+/gi, new RangeError('wrong'), new Float64Array([0.5])],
    [shared, shared],
    cycle,
  ]
}

export async function seedsOf(form: Form): Promise<readonly PayloadInput[]> {
  const { codec } = form
  const stored = valuesOf(form.serializer).flatMap((value) => [
    Buffer.from(codec.encode(KEY, value) as string),
    codec.encodeEntry(KEY, value, META),
  ])
  const seed = async (bytes: Buffer) => ({
    form,
    bytes,
    value: await codec.decode(KEY, bytes),
    isSealed: false,
  })
  return Promise.all(stored.map(seed))
}

/** The payloads of the seeds before compression, by serializer: an attacker without keys may write them. */
export async function payloadsOf(): Promise<ReadonlyMap<SerializerName, readonly Buffer[]>> {
  const payloads = new Map<SerializerName, readonly Buffer[]>()
  for (const serializer of SERIALIZERS) {
    const codec = await encryptedCodec(undefined, { serializer })
    payloads.set(
      serializer,
      valuesOf(serializer).map((value) => Buffer.from(codec.serialize(value).payload as string)),
    )
  }
  return payloads
}

/** Changes stored bytes in place, with a checksum that fits or not, or a payload before it is compressed and sealed. */
export async function payloadMutation(): Promise<(input: PayloadInput, chance: Chance) => PayloadInput> {
  const payloads = await payloadsOf()
  const compressors = new Map(
    await Promise.all(COMPRESSIONS.map(async (name) => [name, await loadCompressor(name)] as const)),
  )
  return (input, chance) => {
    const { form } = input
    if (input.isSealed || chance.happens(0.5)) {
      const bytes = chance.mutateBytes(input.bytes)
      const isSealed = input.isSealed || chance.happens(0.6)
      return { ...input, isSealed, bytes: isSealed ? withChecksum(KEY, bytes) : bytes }
    }
    let payload = chance.pick(payloads.get(form.serializer) ?? [])
    for (let rounds = 1 + chance.below(6); rounds > 0; rounds--) payload = chance.mutateBytes(payload)
    const compressor = form.compression && compressors.get(form.compression)
    const header = { serializerId: form.serializer, compressionId: form.compression ?? 'none' }
    return {
      ...input,
      isSealed: true,
      bytes: sealEnvelope(KEY, header, compressor?.compress(payload) ?? payload),
    }
  }
}
