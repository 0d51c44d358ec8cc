import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { CacheError } from '../../src/foundation/errors/cache-error.ts'
import { type Duration, parseDuration } from '../../src/foundation/time/duration.ts'

describe('a duration', () => {
  it.each<[Duration, number]>([
    [1, 1_000],
    [0.25, 250],
    [1.1, 1_100],
    [0.1 + 0.2, 300],
    [0.0001, 1],
    ['1ms', 1],
    ['250ms', 250],
    ['0.5s', 500],
    ['1.1s', 1_100],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1.5h', 5_400_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])('%s is %d ms', (duration, ms) => {
    assert.equal(parseDuration(duration), ms)
  })

  it.each([
    0,
    -0,
    -1,
    Number.NaN,
    Number.NEGATIVE_INFINITY,
    1e12,
    '',
    ' ',
    '5',
    '5 s',
    's',
    '-5s',
    '0s',
    '0ms',
    '1e3s',
    '5S',
    '5sec',
    '1h30m',
    '٥s',
    'Infinity',
    '9999999999999d',
    null,
    undefined,
    true,
    {},
    [],
    5n,
  ])('P12 %s is refused', (duration) => {
    assert.throws(
      () => parseDuration(duration as Duration),
      (error) => error instanceof CacheError && error.code === 'CACHE_INVALID_DURATION',
    )
  })

  it.each([
    ['1h30m', '"1h30m"'],
    ['5 m\n', '"5 m\\n"'],
    [-1, '-1'],
    [null, 'null'],
    [{}, 'an object'],
    ['a-secret-in-the-wrong-place', 'a string of 27 characters'],
  ])('the error of %s quotes it, unless it is too long to be a duration', (duration, shown) => {
    assert.throws(
      () => parseDuration(duration as Duration),
      (error) => (error as Error).message.startsWith(`Invalid duration: ${shown}. `),
    )
  })
})
