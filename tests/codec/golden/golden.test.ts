import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'vitest'
import { type EncryptionKey, resolveEncryption } from '../../../src/codec/envelope/encryption.ts'
import { SharedStructures } from '../../../src/codec/structures/shared-structures.ts'
import { ValueCodec } from '../../../src/codec/value-codec.ts'
import type { Serializer, SerializerName } from '../../../src/contract/serializer.ts'

/** Entries as a version of the format wrote them. Files are added with a version and never changed. */
interface GoldenFile {
  readonly key: string
  readonly value?: unknown
  /** The value in base64, where it is bytes. */
  readonly bytes?: string
  /** The serializer that is configured where they are read, which decides what is in no envelope. @default 'json' */
  readonly serializer?: SerializerName
  /** The dictionary that the entries refer to, as it is stored, where they do. */
  readonly structures?: string
  /** The keys that the entries are encrypted with, where they are. */
  readonly keys?: readonly EncryptionKey[]
  readonly entries: readonly {
    readonly serializer: string
    readonly compression: string
    readonly stored: string
  }[]
}

const base64: Serializer = {
  id: 'golden/base64',
  encode: (value) => Buffer.from(JSON.stringify(value)).toString('base64'),
  decode: (bytes) => JSON.parse(Buffer.from(bytes.toString(), 'base64').toString()),
}

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.json'))

describe.each(files)('%s', (name) => {
  const golden = JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')) as GoldenFile

  const expected = golden.bytes === undefined ? golden.value : Buffer.from(golden.bytes, 'base64')

  it.each(golden.entries)('$serializer with $compression stays readable for ever', async ({ stored }) => {
    const encryption = golden.keys && resolveEncryption({ keys: golden.keys })
    const structures = new SharedStructures({
      store: {
        storedKey: 'cache:\0structures',
        load: async () => Buffer.from(golden.structures ?? '', 'base64'),
        replace: async () => null,
      },
      encryption,
    })
    const codec = new ValueCodec(
      {
        serializer: golden.serializer ?? 'json',
        readers: [base64, 'v8', 'msgpack', 'pickle'],
        compression: undefined,
        decompressors: ['gzip', 'brotli', 'lz4', 'snappy'],
        maxValueBytes: 1_000_000,
        encryption,
      },
      structures,
    )
    await codec.prepare()
    assert.deepEqual(await codec.decode(golden.key, Buffer.from(stored, 'base64')), expected)
  })
})
