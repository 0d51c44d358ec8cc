import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodePickle } from '../../../src/codec/pickle/pickle-reader.ts'
import { encodePickle } from '../../../src/codec/pickle/pickle-writer.ts'
import { bytes, Python } from './python.ts'

let python: Python

beforeAll(async () => {
  python = new Python()
  await python.ask('dump', 'None')
})

afterAll(() => python.close())

/** What Python reads, or `null` if it refuses the pickle. */
async function readByPython(pickles: readonly Buffer[]): Promise<unknown[]> {
  const texts = pickles.map((pickle) => pickle.toString('hex'))
  const read = await python.ask<(string | null)[]>('repickle-damaged', texts)
  return read.map((hex) => hex && attempt(Buffer.from(hex, 'hex')))
}

function attempt(pickle: Buffer): unknown {
  try {
    return decodePickle(pickle)
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError)
    return null
  }
}

const PIECES = [
  ...['\\', '\\\\', '\\n', '\\r', '\\t', "\\'", '\\"', '\\x41', '\\x7F', '\\xff', '\\x4', '\\a', "'", '"'],
  ...['\\u0041', '\\u20AC', '\\u00e9', '\\ud83d', '\\u12', '\\U0001f600', '\\U0010ffff', '\\U00110000'],
  ...['\\uu', '\\U', 'a', 'bc', 'x'.repeat(63), 'y'.repeat(64), 'z'.repeat(5_000), '\\n'.repeat(4_100)],
]
const bodies = fc
  .sample(fc.array(fc.constantFrom(...PIECES), { maxLength: 8 }), { numRuns: 1_500, seed: 7 })
  .map((pieces) => pieces.join(''))

describe('lines with escapes are read as Python reads them, or refused', () => {
  it('UNICODE', async () => {
    const pickles = [...bodies, 'é\\u00ff\x80'].map((body) => bytes(`V${body}\n.`))
    const read = await readByPython(pickles)
    deepStrictEqual(pickles.map(attempt), read)
    expect(read.filter((text) => text === null).length).toBeLessThan(read.length * 0.8)
  })

  it('STRING', async () => {
    const pickles = bodies.flatMap((body) => [bytes(`S'${body}'\n.`), bytes(`S"${body}"\n.`)])
    const read = await readByPython(pickles)
    const own = pickles.map(attempt)
    const accepted = own.flatMap((text, at) => (text === null ? [] : [at]))
    deepStrictEqual(
      accepted.map((at) => own[at]),
      accepted.map((at) => read[at]),
    )
    expect(accepted.length).toBeGreaterThan(pickles.length / 10)
  })
})

describe('datetimes are read as Python reads them', () => {
  it('of any year', async () => {
    const dates = fc.sample(
      fc.date({
        min: new Date('0001-01-01'),
        max: new Date('9999-12-31T23:59:59.999Z'),
        noInvalidDate: true,
      }),
      { numRuns: 1_000, seed: 7 },
    )
    for (const pickle of await python.echo(dates)) deepStrictEqual(decodePickle(pickle), dates)
  })

  it('with damaged fields', async () => {
    const damaged: Buffer[] = []
    for (const moment of [
      '2024-02-29T12:00:00.000Z',
      '1900-02-28T12:00:00.000Z',
      '0099-12-31T23:59:59.999Z',
    ]) {
      const pickle = encodePickle(new Date(moment))
      const state = pickle.indexOf(Buffer.from([0x43, 10])) + 2
      for (let field = 0; field < 10; field++) {
        for (const value of [0, 1, 12, 13, 23, 24, 28, 29, 30, 31, 32, 38, 39, 59, 60, 128, 255]) {
          const changed = Buffer.from(pickle)
          changed[state + field] = value
          damaged.push(changed)
        }
      }
    }
    deepStrictEqual(damaged.map(attempt), await readByPython(damaged))
  })
})

describe('references are read as Python reads them', () => {
  it.each([
    ['None', '(Np0\ng0\nl.'],
    ['numbers in another order', '(I1\np3\nI2\np0\nI3\np1\nI4\np2\ng3\ng2\ng1\ng0\nl.'],
    ['a number that is used again', '(I1\np1\nI2\np0\nI3\np1\ng1\nI4\np1\ng1\ng0\nl.'],
    ['a number that was far at first', '(I1\np2\nI2\np0\nI3\np1\nI4\np2\ng2\ng1\nl.'],
    ['counted ones among others', '(I1\np5\nI2\n\x94I3\n\x94h\x01h\x05l.'],
    ['nothing', '(I1\np1\ng0\nl.'],
  ])('%s', async (_, text) => {
    const pickle = bytes(text)
    deepStrictEqual([attempt(pickle)], await readByPython([pickle]))
  })
})

describe('a pickle with many small things is read in a time that suits its size', () => {
  const filled = (piece: string) => piece.repeat((2 * 1_024 * 1_024) / piece.length)

  it.each([
    ['a STRING of escapes', bytes(`S'${filled('\\n')}'\n.`)],
    ['a STRING of hexadecimal escapes', bytes(`S'${filled('\\x41')}'\n.`)],
    ['a UNICODE of backslashes', bytes(`V${filled('\\')}\n.`)],
    ['a UNICODE of escapes', bytes(`V${filled('\\u20ac')}\n.`)],
  ])('%s', (_, pickle) => {
    // As long as Node takes to visit each byte a few times by itself.
    const fewest = (work: () => unknown) =>
      Math.min(
        ...[1, 2, 3].map(() => {
          const started = performance.now()
          work()
          return performance.now() - started
        }),
      )
    const visit = () => {
      let sum = 0
      for (let round = 0; round < 10; round++) for (const byte of pickle) sum += byte
      return sum
    }
    expect(fewest(() => decodePickle(pickle))).toBeLessThan(fewest(visit) + 100)
  })
})
