import { brotliCompressSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { sealEnvelope } from '../../src/codec/envelope/envelope.ts'
import type { SerializerName } from '../../src/contract/serializer.ts'
import { encryptedCodec } from '../codec/encrypted-codec.ts'
import { isUndecodable } from '../codec/structures/sample-values.ts'
import { trials } from '../support/trials.ts'
import { Chance } from './fuzz/chance.ts'
import { KEY, payloadsOf } from './fuzz/payload-inputs.ts'

const MIB = 1024 * 1024
const MAX_VALUE_BYTES = 16 * MIB
/** Times the size of the largest value, the memory that a process may take for decoding one. */
const MEMORY_FACTOR = 80
/** Times the time of a plain text of that size, the time that a payload may take. */
const TIME_FACTOR = 100

/** The serializers with a format; text and bytes are as large as they were. */
type ParsedName = Exclude<SerializerName, 'text' | 'bytes'>

/** The beginning, the repeated middle and the end of payloads that grow when they are decoded. */
const BOMBS: Readonly<Record<ParsedName, readonly (readonly [head: string, unit: string, tail: string])[]>> =
  {
    json: [
      ['[', '{},', '0]'],
      ['[', '[],', '0]'],
      ['[', '0,', '0]'],
      ['[', '"",', '0]'],
      ['', '[', ''],
      ['[', '{"a":1},', '0]'],
    ],
    msgpack: [
      ['\xdd\x00\x0f\x42\x3f', '\x90', ''],
      ['\xdd\x00\xff\xff\x00', '\x80', ''],
      ['\xdd\x00\xff\xff\x00', '\x01', ''],
      ['\xdd\x00\xff\xff\x00', '\xa0', ''],
      ['', '\x91', ''],
      ['\xdd\x00\x03\xd0\x90', '\xd4\x65\x00\x93\xa5Error\xa0\xc0', ''],
      ['\xc9\x00\xff\xff\xf0\x42', '\x7f', ''],
    ],
    v8: [
      ['\xff\x0f', 'A\x01', ''],
      ['\xff\x0fA\x80\x80\x40', 'o{\x00', '$\x00\x80\x80\x40'],
      ['\xff\x0fA\x80\x80\x80\x04', '0', '$\x00\x80\x80\x80\x04'],
      ['\xff\x0fZ\xfe\xff\xff\x07', '\x7f', ''],
    ],
    pickle: [
      [']', '](', '.'],
      ['](', ']', 'e.'],
      ['](', 'K\x00', 'e.'],
      ['', '\x8c\x01a\x94', '.'],
      ['', '(', '.'],
      ['', '2', '.'],
    ],
  }

/** A bomb of at most `bytes`. */
function bomb([head, unit, tail]: readonly [string, string, string], bytes: number): Buffer {
  const count = Math.floor((bytes - head.length - tail.length) / unit.length)
  return Buffer.concat([
    Buffer.from(head, 'latin1'),
    Buffer.alloc(count * unit.length, unit, 'latin1'),
    Buffer.from(tail, 'latin1'),
  ])
}

describe('payloads that are mutated, nested, or grow when they are decoded take bounded time and memory', () => {
  test.each(Object.keys(BOMBS) as ParsedName[])('%s', { timeout: 300_000 }, async (serializer) => {
    const codec = await encryptedCodec(undefined, {
      serializer,
      decompressors: ['gzip', 'brotli'],
      maxValueBytes: MAX_VALUE_BYTES,
    })
    const chance = new Chance(20_261_127)
    const valid = (await payloadsOf()).get(serializer) as readonly Buffer[]
    const plainMs = await millisecondsOf(() => JSON.parse(JSON.stringify('x'.repeat(MAX_VALUE_BYTES - 2))))
    const before = process.resourceUsage().maxRSS * 1024
    const tally = { inputs: 0, undecodable: 0, slowestMs: 0 }
    const attempt = async (compressionId: string, payload: Buffer) => {
      const stored = sealEnvelope(KEY, { serializerId: serializer, compressionId }, payload)
      tally.inputs++
      const ms = await millisecondsOf(async () => {
        try {
          await codec.decode(KEY, stored)
        } catch (error) {
          expect(isUndecodable(error), String(error)).toBe(true)
          tally.undecodable++
        }
      })
      tally.slowestMs = Math.max(tally.slowestMs, ms)
    }
    for (let count = trials(90, 180, 900); count > 0; count--) {
      let payload = chance.pick(valid)
      for (let rounds = 1 + chance.below(8); rounds > 0; rounds--) payload = chance.mutateBytes(payload)
      await attempt('none', payload)
    }
    for (let count = trials(10, 20, 100); count > 0; count--) {
      const grown = bomb(
        chance.pick(BOMBS[serializer]),
        chance.happens(0.2) ? MAX_VALUE_BYTES : 1 + chance.below(MIB),
      )
      const form = chance.below(3)
      if (form === 0) await attempt('none', grown)
      else if (form === 1) await attempt('gzip', gzipSync(grown))
      else await attempt('brotli', brotliCompressSync(grown, { params: {} }))
    }
    const grownBytes = process.resourceUsage().maxRSS * 1024 - before
    const figures = `${serializer}: ${JSON.stringify(tally)}, ${Math.round(grownBytes / MIB)} MiB more, plain text ${plainMs.toFixed(1)} ms`
    console.info(figures)
    expect(tally.undecodable).toBeGreaterThan(tally.inputs / 10)
    expect(grownBytes, figures).toBeLessThan(MEMORY_FACTOR * MAX_VALUE_BYTES)
    expect(tally.slowestMs, figures).toBeLessThan(TIME_FACTOR * plainMs)
  })
})

async function millisecondsOf(work: () => unknown): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}
