import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { KEY_1, withChecksum } from '../../codec/encrypted-codec.ts'
import { isUndecodable, ORDER, USER } from '../../codec/structures/sample-values.ts'
import { Process, SharedPlace } from '../../codec/structures/shared-codec.ts'
import type { Chance } from './chance.ts'
import { FUZZ_TIMEOUT_MS, fuzz } from './fuzz.ts'

const KEY = 'cache:user:1'
const PLACE = 'cache:\u0000structures'

/** A stored dictionary, and entries that refer to it. */
interface Scene {
  readonly dictionary: Buffer
  readonly entries: readonly { readonly bytes: Buffer; readonly value: unknown }[]
  readonly encryption: { readonly keys: readonly (typeof KEY_1)[] } | undefined
}

async function sceneWith(encryption: Scene['encryption']): Promise<Scene> {
  const place = new SharedPlace()
  const writer = await Process.start(place, {}, encryption)
  const entries: { bytes: Buffer; value: unknown }[] = []
  for (const value of [USER, ORDER]) {
    await writer.learn(value)
    entries.push({ bytes: writer.encode(KEY, value), value })
  }
  return { dictionary: place.stored as Buffer, entries, encryption }
}

/** Changes the bytes, or the names within them. */
function mutate({ dictionary, ...scene }: Scene, chance: Chance): Scene {
  const text = dictionary.toString('latin1')
  const bytes = chance.happens(0.5)
    ? chance.mutateBytes(dictionary)
    : Buffer.concat([
        dictionary.subarray(0, 12),
        Buffer.from(
          chance.mutateText(text.slice(12), ['"', '[', ']', ',', '__proto__', '__keys__', '\\u0000']),
          'latin1',
        ),
      ])
  return { ...scene, dictionary: chance.happens(0.8) ? withChecksum(PLACE, bytes) : bytes }
}

test('mutated dictionaries of record structures', { timeout: FUZZ_TIMEOUT_MS }, async () => {
  const run = await fuzz<Scene>({
    seeds: [await sceneWith(undefined), await sceneWith({ keys: [KEY_1] })],
    mutate,
    attempt: async ({ dictionary, encryption, entries }) => {
      const place = new SharedPlace()
      place.stored = dictionary
      const reader = await Process.start(place, {}, encryption)
      for (const { bytes, value } of entries) {
        const found = await Promise.resolve()
          .then(() => reader.codec.decode(KEY, bytes))
          .catch((error: unknown) => {
            if (!isUndecodable(error)) throw error
          })
        expect(found === undefined || isDeepStrictEqual(found, value)).toBe(true)
      }
      // Whatever was found, values are written and read.
      const own = reader.encode(KEY, USER)
      expect(await reader.codec.decode(KEY, own)).toEqual(USER)
      await reader.structures.close()
    },
    show: ({ dictionary, encryption }) => `${encryption ? 'encrypted ' : ''}${dictionary.toString('hex')}`,
  })
  expect(run.inputs).toBeGreaterThan(20)
})
