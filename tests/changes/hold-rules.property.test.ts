import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { HOLD_WINDOW_MS } from '../../src/backend/seams/shared-tier.ts'
import { placeholder } from '../../src/codec/envelope/entry-meta.ts'
import { type HoldMark, holdPlaceholder, readHold } from '../../src/codec/envelope/hold-mark.ts'
import { endHold, holdKey } from '../../src/memory/hold-rules.ts'
import type { Keyspace } from '../../src/memory/keyspace.ts'
import { END_HOLD, HOLD_KEY } from '../../src/redis/scripts/embedded-scripts.ts'
import { useScene } from '../support/scene.ts'
import { trials } from '../support/trials.ts'

const KEY = 'shop:key'
const DURATION_MS = 20_000

/** What a key holds: nothing, something else, or a hold that changes joined in windows around the present one. */
type Content =
  | undefined
  | 'text'
  | 'placeholder'
  | (Omit<HoldMark, 'id' | 'window'> & { readonly windowsAgo: number })
const anyContent: fc.Arbitrary<Content> = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom('text' as const, 'placeholder' as const),
  fc.record({
    windowsAgo: fc.integer({ min: -1, max: 3 }),
    inWindow: fc.constantFrom(0, 1, 2, 0xffff),
    before: fc.constantFrom(0, 1, 2),
  }),
)
/** What a change does: hold the key, or end its hold, which it joined some windows ago. */
const anyStep = fc.oneof(
  fc.constant('hold' as const),
  fc.record({ windowsAgo: fc.integer({ min: -1, max: 3 }), isOurs: fc.boolean() }),
)
const ID = 'abc'
const HEX = `local value = redis.call('GET', KEYS[1]) or ''
return (string.gsub(value, '.', function(byte) return string.format('%02x', string.byte(byte)) end))`

function bytesOf(content: Content, window: number, nowMs: number): Buffer | undefined {
  if (content === undefined) return undefined
  if (content === 'text') return Buffer.from('"text"')
  if (content === 'placeholder') return placeholder('t'.repeat(16), nowMs + DURATION_MS)
  return holdPlaceholder({ ...content, id: ID, window: window - content.windowsAgo }, nowMs + DURATION_MS)
}

/** A store of one key. */
function keyspaceOf(before: Buffer | undefined): Keyspace {
  let bytes = before
  const put = (_storedKey: string, stored: Buffer) => {
    bytes = stored
  }
  return {
    ...{ put, putLease: put, get: () => bytes, remainingMs: () => DURATION_MS, keys: () => [KEY] },
    remove: () => {
      bytes = undefined
      return true
    },
  }
}

/** What the hold of a change that joined in this window is ended with. */
function ticket(window: number, id: string): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(window)
  return bytes.toString('latin1') + id
}

describe('the rules of holds', () => {
  const scene = useScene()
  const ask = (...command: readonly (string | number | Buffer)[]) => scene.redis.ask(...command)

  it('are the same in Redis and in memory', async () => {
    await fc.assert(
      fc.asyncProperty(anyContent, anyStep, async (content, step) => {
        const [seconds, microseconds] = (await ask('TIME')) as [string, string]
        const nowMs = Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000)
        const window = Math.floor(nowMs / HOLD_WINDOW_MS)
        // The next window may begin before the script runs.
        fc.pre(nowMs % HOLD_WINDOW_MS < HOLD_WINDOW_MS - 1_000)
        const before = bytesOf(content, window, nowMs)
        await ask('DEL', KEY)
        if (before !== undefined) await ask('SET', KEY, before, 'PX', DURATION_MS)

        const keyspace = keyspaceOf(before)
        if (step === 'hold') {
          const id = Buffer.from(holdKey(keyspace, KEY, DURATION_MS, nowMs).slice(4), 'latin1')
          await ask('EVAL', HOLD_KEY, 1, KEY, id, DURATION_MS, HOLD_WINDOW_MS, '', '')
        } else {
          const hold = ticket(window - step.windowsAgo, step.isOurs ? ID : 'xyz')
          const isHeld = endHold(keyspace, KEY, hold, nowMs)
          const args = [Buffer.from(hold, 'latin1'), HOLD_WINDOW_MS, '', '']
          assert.equal(await ask('EVAL', END_HOLD, 1, KEY, ...args), isHeld ? 1 : 0)
        }
        const bytes = keyspace.get(KEY)
        assert.equal(await ask('EXISTS', KEY), bytes === undefined ? 0 : 1)
        assert.deepEqual(await holdInRedis(), Buffer.isBuffer(bytes) ? readHold(bytes) : undefined)
      }),
      { numRuns: trials(200, 600, 4_000) },
    )
  })

  /** The hold under the key, read as hexadecimal text. */
  async function holdInRedis() {
    const hex = await ask('EVAL', HEX, 1, KEY)
    return readHold(Buffer.from(String(hex), 'hex'))
  }
})
