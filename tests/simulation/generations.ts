import { GENERATION_BYTES } from '../../src/codec/envelope/entry-meta.ts'
import { openEnvelope, sealEnvelope } from '../../src/codec/envelope/envelope.ts'
import { COMPOSITE_KEY, type Defect } from './defect.ts'

/** Whether the server is wrong about the generations of an entry that it stores. */
export function isRebound(storedKey: string, has: (defect: Defect) => boolean): boolean {
  if (has('generations are captured at the fill')) return true
  return storedKey.endsWith(COMPOSITE_KEY) && has('what is inherited is captured at the fill')
}

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
    generation: generationAt(one.storedKey)?.toString('latin1', 0, GENERATION_BYTES) ?? one.generation,
  }))
  return sealEnvelope(storedKey, { ...header, entry: { ...entry, generations } }, payload)
}
