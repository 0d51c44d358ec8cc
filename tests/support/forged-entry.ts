import {
  type BoundGeneration,
  ENTRY_SECTION_BYTES,
  type EntryMeta,
  generationsBytes,
  writeEntrySection,
  writeGenerations,
} from '../../src/codec/envelope/entry-meta.ts'
import { checksum } from '../../src/codec/envelope/envelope-binding.ts'
import { FIXED_BYTES, SECTIONS_OF_ENTRY, VERSION } from '../../src/codec/envelope/envelope-format.ts'

const JSON_CODE = 1

/** What an attacker writes into an entry; the rest is as a cache would write it. */
export interface Forgery extends Partial<EntryMeta> {
  readonly generations: readonly BoundGeneration[]
}

/** An entry with a right checksum, which anybody who may write to Redis can make. The library's own limits do not apply. */
export function forgedEntry(storedKey: string, value: unknown, forgery: Forgery): Buffer {
  const meta = {
    ...{ stamp: 'stampfor', createdAtMs: Date.now(), ttlMs: 60_000, loadCostMs: 1 },
    ...{ staleWhileRevalidateMs: 0, staleIfErrorMs: 0, ...forgery },
  }
  const generationsAt = FIXED_BYTES + ENTRY_SECTION_BYTES
  const header = Buffer.alloc(generationsAt + generationsBytes(meta))
  header.set([1, VERSION, JSON_CODE, 0])
  header.writeUInt16BE(header.length, 4)
  header.writeUInt16BE(SECTIONS_OF_ENTRY, 6)
  writeEntrySection(header, FIXED_BYTES, meta)
  writeGenerations(header, generationsAt, meta.generations)
  const bytes = Buffer.concat([header, Buffer.from(JSON.stringify(value))])
  bytes.writeUInt32BE(checksum(storedKey, bytes, true), 8)
  return bytes
}
