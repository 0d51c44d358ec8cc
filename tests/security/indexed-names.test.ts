import { describe, expect, test } from 'vitest'

import { decodePickle } from '../../src/codec/pickle/pickle-reader.ts'
import { encodePickle } from '../../src/codec/pickle/pickle-writer.ts'

const MIB = 1024 * 1024

/** The memory that a new value takes, with what was needed to make it. */
function memoryOf(make: () => readonly unknown[]): number {
  const before = process.memoryUsage().heapUsed
  const value = make()
  const taken = process.memoryUsage().heapUsed - before
  expect(value.length).toBeGreaterThan(0)
  return taken
}

describe('a name that V8 takes for an index makes no room for all the elements before it', () => {
  test('pickle', () => {
    const count = 50_000
    const bytes = Buffer.from(`](X\x04\0\0\x001000q\0${'0'}${'}h\0Ns'.repeat(count)}e.`, 'latin1')
    // With room for the elements they would take 600 MB.
    expect(memoryOf(() => decodePickle(bytes) as unknown[])).toBeLessThan(200 * MIB)
  })

  test('pickle brings objects with such names back, in the order of JavaScript', () => {
    for (const value of [
      { 1000: 'a', name: 'b', 3: 'c' },
      { '0123': 1, '-1': 2, 1023: 3, 4294967294: 4, 4294967295: 5 },
      JSON.parse('{"__proto__": 1, "1000": 2}'),
      Object.fromEntries(Array.from({ length: 300 }, (_, index) => [index, index])),
      Object.fromEntries(Array.from({ length: 30 }, (_, index) => [index * 100, index])),
    ]) {
      const read = decodePickle(encodePickle(value)) as object
      expect(read).toEqual(value)
      expect(Object.keys(read)).toEqual(Object.keys(value))
      expect(Object.getOwnPropertyDescriptors(read)).toEqual(Object.getOwnPropertyDescriptors(value))
    }
  })
})
