import { randomBytes } from 'node:crypto'
import { GENERATION_BYTES } from '../../src/codec/envelope/entry-meta.ts'
import { openEnvelope, sealEnvelope } from '../../src/codec/envelope/envelope.ts'

/** An entry as if its generations had been read only now. */
export function reboundEntry(
  storedKey: string,
  bytes: Buffer,
  generationAt: (storedKey: string) => Buffer | undefined,
): Buffer {
  const { entry, payload, ...header } = openEnvelope(storedKey, bytes)
  if (entry === undefined) return bytes
  const generations = entry.generations.map((one) => ({
    storedKey: one.storedKey,
    generation: generationAt(one.storedKey)?.toString('latin1') ?? one.generation,
  }))
  return sealEnvelope(storedKey, { ...header, entry: { ...entry, generations } }, payload)
}

/** As the scripts draw it. */
export function newGeneration(): string {
  return randomBytes(GENERATION_BYTES).toString('latin1')
}
