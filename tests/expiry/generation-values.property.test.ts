import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import type { Renewal } from '../../src/backend/seams/shared-tier.ts'
import {
  causeBytes,
  type GenerationValue,
  isExpired,
  newGenerationValue,
  readGenerationValue,
  renewedGenerationValue,
  staleFromMs,
} from '../../src/codec/envelope/generation-value.ts'
import { BUMP_GENERATION } from '../../src/redis/scripts/embedded-scripts.ts'
import { useScene } from '../support/scene.ts'
import { trials } from '../support/trials.ts'

const KEY = 'shop:\u0000tag:a'
const IDENTITY = 'abcdefgh'
const CAUSE = { process: 'api-3', by: 'order.paid' }
const CAUSE_BYTES = causeBytes(CAUSE)
const HEX = `local value = redis.call('GET', KEYS[1]) or ''
return (string.gsub(value, '.', function(byte) return string.format('%02x', string.byte(byte)) end))`

const anyRenewal: fc.Arbitrary<Renewal> = fc.record({
  staleOverMs: fc.constantFrom(undefined, 0, 0, 1_000, 300_000),
  cause: fc.constantFrom(undefined, CAUSE_BYTES),
})
/** Milliseconds before the next renewal. */
const anyPause = fc.constantFrom(0, 1, 500, 20_000, 59_999, 60_001, 250_000, 400_000, 3_600_000)

function parsed(bytes: Buffer): GenerationValue {
  return readGenerationValue(bytes) as GenerationValue
}

describe('the value of a generation', () => {
  it('keeps time, series and cause, and is 16 bytes long without them', () => {
    const plain = newGenerationValue(1_700_000_000_123_456, IDENTITY)
    assert.equal(plain.length, 16)
    assert.deepEqual(readGenerationValue(plain), {
      generation: plain.toString('latin1'),
      timeUs: 1_700_000_000_123_456,
      series: undefined,
      cause: undefined,
    })
    const expired = renewedGenerationValue(
      plain,
      { staleOverMs: 5_000, cause: CAUSE_BYTES },
      1_700_000_001_000_000,
      'x',
    )
    assert.deepEqual(readGenerationValue(expired), {
      generation: expired.toString('latin1', 0, 16),
      timeUs: 1_700_000_001_000_000,
      series: { startUs: 1_700_000_001_000_000, beforeUs: 1_700_000_000_123_456, overMs: 5_000 },
      cause: CAUSE,
    })
    assert.equal(readGenerationValue(Buffer.alloc(17)), undefined)
    assert.equal(readGenerationValue(null), undefined)
  })

  it('has another time after each renewal, even if the clock goes back', () => {
    const first = renewedGenerationValue(
      newGenerationValue(9_000_000, IDENTITY),
      { staleOverMs: 0 },
      5_000_000,
      'x',
    )
    assert.equal(parsed(first).timeUs, 9_000_001)
    assert.equal(parsed(renewedGenerationValue(first, { staleOverMs: 0 }, 0, 'x')).timeUs, 9_000_002)
  })

  it('tells of every entry when it becomes stale: in time, and never later than it told before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyPause, anyRenewal), { minLength: 1, maxLength: 12 }),
        fc.webUrl(),
        (renewals, storedKey) => {
          let nowUs = 1_700_000_000_000_000
          let bytes = newGenerationValue(nowUs, IDENTITY)
          /** Entries that were bound to the generation, and the first expiry after that. */
          const entries: { generation: string; dueMs: number; toldMs: number; isValid: boolean }[] = []
          for (const [pauseMs, renewal] of renewals) {
            entries.push({
              generation: parsed(bytes).generation,
              dueMs: Number.POSITIVE_INFINITY,
              toldMs: Number.POSITIVE_INFINITY,
              isValid: true,
            })
            nowUs += pauseMs * 1_000 + 1
            bytes = renewedGenerationValue(bytes, renewal, nowUs, `${nowUs}`.slice(-8))
            const value = parsed(bytes)
            for (const entry of entries) {
              if (renewal.staleOverMs === undefined) {
                entry.isValid = false
                assert.equal(isExpired(value, entry.generation), false)
              }
              if (!entry.isValid) continue
              assert.ok(isExpired(value, entry.generation))
              entry.dueMs = Math.min(entry.dueMs, nowUs / 1_000 + (renewal.staleOverMs ?? 0))
              const toldMs = staleFromMs(value, entry.generation, storedKey)
              assert.ok(toldMs <= entry.dueMs, `told ${toldMs}, due ${entry.dueMs}`)
              assert.ok(toldMs <= entry.toldMs, `told ${toldMs}, before that ${entry.toldMs}`)
              entry.toldMs = toldMs
            }
          }
        },
      ),
      { numRuns: trials(500, 1_500, 100_000) },
    )
  })

  it('counts the stale windows from the expiry itself, if no other one has come for a minute', () => {
    const bound = newGenerationValue(1_000_000_000, IDENTITY)
    const { generation } = parsed(bound)
    const first = renewedGenerationValue(bound, { staleOverMs: 0 }, 5_000_000_000, 'x')
    assert.equal(staleFromMs(parsed(first), generation, 'key'), 5_000_000)
    const second = renewedGenerationValue(first, { staleOverMs: 0 }, 5_059_000_000, 'x')
    assert.equal(staleFromMs(parsed(second), generation, 'key'), 5_000_000)
    assert.equal(staleFromMs(parsed(second), parsed(first).generation, 'key'), 5_000_000)
  })

  it('spreads the entries of a tag that is expired every second evenly, each time anew', () => {
    const overMs = 300_000
    let bytes = newGenerationValue(1_000_000_000, IDENTITY)
    const old = parsed(bytes).generation
    for (let second = 0; second < 120; second++) {
      bytes = renewedGenerationValue(bytes, { staleOverMs: overMs }, 2_000_000_000 + second * 1_000_000, 'x')
    }
    const value = parsed(bytes)
    const minuteOld = newGenerationValue(2_060_000_000, IDENTITY).toString('latin1')
    const dues = (generation: string) =>
      Array.from({ length: 2_000 }, (_, n) => staleFromMs(value, generation, `shop:product:${n}`))
    const isSpread = (all: readonly number[], fromMs: number) => {
      for (let part = 0; part < 10; part++) {
        const among = all.filter(
          (ms) => ms >= fromMs + (part * overMs) / 10 && ms < fromMs + ((part + 1) * overMs) / 10,
        )
        assert.ok(among.length > 120 && among.length < 280, `${among.length} of 2,000 in part ${part}`)
      }
    }
    isSpread(dues(old), 2_000_000)
    isSpread(dues(minuteOld), 2_060_000)
  })
})

describe('bump-generation.lua', () => {
  const scene = useScene()
  const ask = (...command: readonly (string | number | Buffer)[]) => scene.redis.ask(...command)

  const anyBefore = fc.option(
    fc.record({
      agoMs: fc.constantFrom(-5_000, 0, 100, 59_000, 61_000, 400_000),
      renewals: fc.array(fc.tuple(anyPause, anyRenewal), { maxLength: 3 }),
    }),
    { nil: undefined },
  )

  it('does what the library computes', async () => {
    await fc.assert(
      fc.asyncProperty(anyBefore, anyRenewal, async (before, renewal) => {
        const [seconds, microseconds] = (await ask('TIME')) as [string, string]
        const nowUs = Number(seconds) * 1_000_000 + Number(microseconds)
        const current = before && history(before.renewals, nowUs - before.agoMs * 1_000)
        await ask('DEL', KEY)
        if (current !== undefined) await ask('SET', KEY, current, 'PX', 60_000)
        const { cause, staleOverMs } = renewal
        const args = [IDENTITY, 60_000, staleOverMs ?? '', cause ?? '', '', '']
        await ask('EVAL', BUMP_GENERATION, 1, KEY, ...args)
        const stored = Buffer.from(String(await ask('EVAL', HEX, 1, KEY)), 'hex')
        const value = parsed(stored)
        // The script asks for the time a little later. The time of the one before counts if it is later still.
        const expected = renewedGenerationValue(current, renewal, value.timeUs, IDENTITY)
        assert.deepEqual(value, parsed(expected))
        assert.equal(stored.toString('hex'), expected.toString('hex'))
        const isAhead = current !== undefined && parsed(current).timeUs >= value.timeUs
        assert.ok(value.timeUs >= nowUs && !(isAhead && staleOverMs !== undefined))
      }),
      { numRuns: trials(200, 1_000, 10_000) },
    )
  })

  /** A value with this past, whose last renewal was at that time. */
  function history(renewals: readonly (readonly [number, Renewal])[], lastUs: number): Buffer {
    let atUs = lastUs - renewals.reduce((sum, [pauseMs]) => sum + pauseMs * 1_000, 0)
    let bytes = newGenerationValue(atUs, 'ABCDEFGH')
    for (const [pauseMs, renewal] of renewals) {
      atUs += pauseMs * 1_000
      bytes = renewedGenerationValue(bytes, renewal, atUs, 'ABCDEFGH')
    }
    return bytes
  }
})
