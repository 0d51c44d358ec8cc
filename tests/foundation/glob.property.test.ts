import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { escapeGlob } from '../../src/foundation/glob.ts'
import { globMatcher } from '../../src/foundation/glob-matcher.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { trials } from '../support/trials.ts'

let redis: Standalone

beforeAll(async () => {
  redis = await startStandalone()
})

afterAll(() => redis.stop())

const piece = fc.constantFrom(
  'a',
  'b',
  'c',
  '*',
  '?',
  '[',
  ']',
  '^',
  '-',
  '\\',
  'é',
  '[a-c]',
  '[^a]',
  '[c-a]',
  '\\*',
)

const patternOf = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join(''))

const keyOf = fc
  .array(fc.constantFrom('a', 'b', 'c', '*', '[', ']', '^', '-', '\\', 'é'), { minLength: 1, maxLength: 6 })
  .map((letters) => letters.join(''))

/** What Redis itself matches: the only key of its database, or none. */
async function redisMatches(pattern: string, key: string): Promise<boolean> {
  await redis.ask('FLUSHALL')
  await redis.ask('SET', key, '1')
  const reply = await redis.ask('KEYS', pattern)
  return Array.isArray(reply) && reply.length === 1
}

describe('globs', () => {
  it('match what Redis matches', async () => {
    await fc.assert(
      fc.asyncProperty(patternOf, keyOf, async (pattern, key) => {
        assert.equal(globMatcher(pattern)(key), await redisMatches(pattern, key), `${pattern} ${key}`)
      }),
      { numRuns: trials(500, 5_000) },
    )
  })

  it('P36 an escaped string matches itself and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(keyOf, keyOf, async (literal, key) => {
        assert.equal(await redisMatches(escapeGlob(literal), literal), true, literal)
        assert.equal(await redisMatches(escapeGlob(literal), key), literal === key, `${literal} ${key}`)
      }),
      { numRuns: trials(300, 3_000) },
    )
  })
})
