import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { MAX_NESTING, MAX_PARTS } from '../../../src/codec/refusals/limits.ts'
import { CacheError } from '../../../src/foundation/errors/cache-error.ts'
import { encryptedCodec, KEY_2 } from '../../codec/encrypted-codec.ts'
import { HOSTILE_PAYLOADS } from './corpus/payloads.ts'
import { FUZZ_TIMEOUT_MS, fuzz } from './fuzz.ts'
import { allForms, type Form, KEY, type PayloadInput, payloadMutation, seedsOf } from './payload-inputs.ts'

const SECRET = 'plaintext of another cache'

test('mutated payloads of every serializer, compression and encryption', {
  timeout: FUZZ_TIMEOUT_MS,
}, async () => {
  const forms = await allForms()
  const decodeSecret = await secretReader(forms)
  const plainForm = (serializer: string) =>
    forms.find((form) => form.serializer === serializer && !form.compression && !form.isEncrypted) as Form
  const run = await fuzz<PayloadInput>({
    seeds: (await Promise.all(forms.map(seedsOf))).flat(),
    corpus: HOSTILE_PAYLOADS.map(({ bytes, serializer }) => ({
      form: plainForm(serializer),
      bytes,
      value: undefined,
      isSealed: true,
    })),
    mutate: await payloadMutation(),
    attempt: async (input) => {
      decodeSecret()
      const found = await decoded(input)
      if (found === undefined) return
      // Plain JSON and pickles have no checksum.
      const isBound = input.bytes[0] === 1 && (!input.isSealed || input.form.isEncrypted)
      if (isBound)
        expect(isDeepStrictEqual(found.value, input.value), 'the value that was written').toBe(true)
      assertOwnBytes(found.value, input.bytes.length)
    },
    show: ({ bytes, form }) => `${form.name} ${bytes.toString('hex')}`,
  })
  expect(run.inputs).toBeGreaterThan(100)
})

/** The value; `undefined` if the bytes are undecodable, as most are. */
async function decoded({ bytes, form }: PayloadInput): Promise<{ readonly value: unknown } | undefined> {
  try {
    return { value: await form.codec.decode(KEY, bytes) }
  } catch (error) {
    expect(error).toBeInstanceOf(CacheError)
    expect((error as CacheError).code).toBe('CACHE_UNDECODABLE')
    return undefined
  }
}

/** A function that decodes a secret in every form, as another cache in the process does. */
async function secretReader(forms: readonly Form[]): Promise<() => void> {
  const secrets: (() => unknown)[] = []
  for (const { compression, serializer } of forms) {
    const codec = await encryptedCodec({ keys: [KEY_2] }, { serializer, compression })
    const value = Array.from({ length: 60 }, (_, index) => `${'-'.repeat(index)}${SECRET}`)
    const bytes = Buffer.from(codec.encode(KEY, value) as string)
    secrets.push(() => codec.decode(KEY, bytes))
  }
  let next = 0
  return () => void secrets[next++ % secrets.length]?.()
}

/** Looks for foreign bytes, and counts depth and parts, whatever the value consists of. */
function assertOwnBytes(value: unknown, sourceBytes: number): void {
  const seen = new Set<unknown>()
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    expect(depth).toBeLessThanOrEqual(2 * MAX_NESTING)
    level = level.flatMap((part) => {
      if (typeof part === 'string' && part.includes(SECRET.slice(0, 9))) throw new Error('a foreign text')
      if (typeof part !== 'object' || part === null || seen.has(part)) return []
      seen.add(part)
      if (part instanceof ArrayBuffer || ArrayBuffer.isView(part)) {
        const memory = ArrayBuffer.isView(part) ? part.buffer : part
        // The result may keep the copy of its own payload alive, and nothing else.
        if (!Buffer.isBuffer(part)) expect(memory.byteLength).toBeLessThanOrEqual(1_000_000)
        if (Buffer.from(memory as ArrayBuffer).includes(SECRET.slice(0, 9))) throw new Error('foreign bytes')
        return []
      }
      if (part instanceof Map) return [...part].flat()
      if (part instanceof Set) return [...part]
      if (part instanceof Error) return [part.message, part.cause, part.name]
      return part instanceof RegExp ? [part.source] : Object.values(part)
    })
  }
  expect(seen.size).toBeLessThanOrEqual(MAX_PARTS)
  expect(sourceBytes).toBeGreaterThan(0)
}
