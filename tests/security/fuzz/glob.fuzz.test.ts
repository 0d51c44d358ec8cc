import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { globMatcher } from '../../../src/foundation/glob-matcher.ts'
import { useScene } from '../../support/scene.ts'
import { Chance } from './chance.ts'
import { FUZZ_TIMEOUT_MS, fuzz } from './fuzz.ts'
import { redisMatches } from './reference-glob.ts'

/** A pattern, and a key that it may match. */
type Pair = readonly [pattern: string, key: string]

const SYNTAX = [
  '*',
  '?',
  '[',
  ']',
  '^',
  '-',
  '\\',
  '[a-c]',
  '[^b]',
  '[c-a]',
  '[a',
  '[^',
  '\\*',
  'a',
  'b',
  'é',
]
const LETTERS = ['a', 'b', 'c', '*', '?', '[', ']', '^', '-', '\\', 'é', '\u007f', '\u0000']
/** The keys that Redis holds while patterns are sent to it. */
const STORED = 300
/** Older versions of Redis try every place of every star. */
const MOST_STARS = 6
const LONGEST = 200

const SEEDS: readonly Pair[] = [
  ['user:*', 'user:42'],
  ['*:profile', 'user:42:profile'],
  ['a*b*c', 'aabbcc'],
  ['h[a-e]llo', 'hello'],
  ['h[^e]llo', 'hallo'],
  ['\\*\\?\\[', '*?['],
  ['??é', 'aé'],
  ['[]a]', 'a]'],
  ['[a-', 'a'],
  // Longer than a word of bits, with a match that begins within another one.
  [`*${'ab'.repeat(20)}c*`, `${'ab'.repeat(30)}c`],
  [`*${'?'.repeat(33)}[ab]*c`, `${'a'.repeat(60)}c`],
]

function mutate([pattern, key]: Pair, chance: Chance): Pair {
  return chance.happens(0.6)
    ? [shortened(chance.mutateText(pattern, SYNTAX)), key]
    : [pattern, shortened(chance.mutateText(key, LETTERS)) || 'a']
}

/** The text as UTF-8 can carry it, with few stars. */
function shortened(text: string): string {
  let stars = 0
  return text
    .slice(0, LONGEST)
    .toWellFormed()
    .replaceAll(/\*+/g, (run) => (++stars > MOST_STARS ? '?' : run))
}

const show = (pair: Pair): string => JSON.stringify(pair)

const scene = useScene({ flush: false })

describe('a pattern', () => {
  it(
    'matches what the algorithm of Redis matches',
    async () => {
      let matched = 0
      const run = await fuzz<Pair>({
        share: 1 / 2,
        seeds: SEEDS,
        mutate,
        attempt: ([pattern, key]) => {
          const expected = redisMatches(Buffer.from(pattern), Buffer.from(key))
          assert.equal(globMatcher(pattern)(key), expected)
          matched += Number(expected)
        },
        show,
      })
      assert.ok(run.inputs > 10)
      assert.ok(matched > 10)
    },
    FUZZ_TIMEOUT_MS,
  )

  it(
    'matches what Redis matches',
    async () => {
      const chance = new Chance(STORED)
      const keys = new Set<string>(SEEDS.map(([, key]) => key))
      while (keys.size < STORED) {
        const letters = Array.from({ length: 1 + chance.below(8) }, () => chance.pick(LETTERS))
        keys.add(chance.happens(0.2) ? mutate(chance.pick(SEEDS), chance)[1] : letters.join(''))
      }
      await scene.redis.ask('MSET', ...[...keys].flatMap((key) => [key, '1']))
      let matched = 0
      const run = await fuzz<Pair>({
        share: 1 / 2,
        seeds: SEEDS,
        mutate: ([pattern, key], by) => [shortened(by.mutateText(pattern, SYNTAX)), key],
        attempt: async ([pattern]) => {
          const reply = (await scene.redis.ask('KEYS', pattern)) as unknown[]
          const own = [...keys].filter(globMatcher(pattern))
          assert.deepEqual(reply.map(String).sort(), own.sort())
          matched += own.length
        },
        show,
      })
      assert.ok(run.inputs > 10)
      assert.ok(matched > 10)
    },
    FUZZ_TIMEOUT_MS,
  )
})
