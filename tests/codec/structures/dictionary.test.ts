import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'vitest'
import { isShape, MOST_SHAPES, type Shape } from '../../../src/codec/msgpack/shape.ts'
import { Dictionary, MOST_DICTIONARY_BYTES } from '../../../src/codec/structures/dictionary.ts'

const SHAPES: Shape[] = [['id', 'name'], ['lat', 'lon'], []]

function digest(shapes: readonly Shape[]): Buffer {
  return shapes.reduce<Buffer>(
    (before, shape) =>
      createHash('sha256').update(before).update(JSON.stringify(shape)).digest().subarray(0, 16),
    Buffer.alloc(16),
  )
}

describe('a dictionary', () => {
  it('is named by its length and a digest of its content', () => {
    const dictionary = Dictionary.EMPTY.with(SHAPES)
    assert.deepEqual(dictionary.name, { count: 3, digest: digest(SHAPES) })
    assert.equal(Dictionary.EMPTY.name, undefined)
    for (let count = 1; count <= 3; count++) {
      assert.ok(dictionary.isNamed(count, digest(SHAPES.slice(0, count)), 0))
      assert.ok(!dictionary.isNamed(count, digest(SHAPES.slice(1)), 0))
    }
    assert.ok(!dictionary.isNamed(0, Buffer.alloc(16), 0))
    assert.ok(!dictionary.isNamed(4, Buffer.alloc(16), 0))
  })

  it('extends each of its prefixes and nothing else', () => {
    const dictionary = Dictionary.EMPTY.with(SHAPES)
    for (let count = 0; count <= 3; count++) {
      assert.ok(dictionary.extends(Dictionary.EMPTY.with(SHAPES.slice(0, count))))
    }
    assert.ok(!dictionary.extends(Dictionary.EMPTY.with(SHAPES.slice(1))))
    assert.ok(!dictionary.extends(dictionary.with([['more']])))
  })

  it('can be restored from its text', () => {
    const dictionary = Dictionary.EMPTY.with([...SHAPES, ['"', '\\', '\u2028', 'é', '\n']])
    assert.deepEqual(Dictionary.parse(dictionary.toText())?.name, dictionary.name)
  })

  it('accepts each shape once and none beyond its limits', () => {
    const dictionary = Dictionary.EMPTY.with([...SHAPES, ...SHAPES])
    assert.equal(dictionary.size, 3)
    assert.equal(dictionary.with(SHAPES), dictionary)
    const many = Dictionary.EMPTY.with(Array.from({ length: MOST_SHAPES + 1 }, (_, id) => [`n${id}`]))
    assert.equal(many.size, MOST_SHAPES)
    assert.ok(many.isFull)
    const long = Array.from({ length: 600 }, (_, id) => [String(id).padEnd(120, 'é')])
    const full = Dictionary.EMPTY.with(long)
    const bytes = Buffer.byteLength(full.toText())
    assert.ok(bytes <= MOST_DICTIONARY_BYTES && bytes > MOST_DICTIONARY_BYTES - 300)
    assert.notEqual(Dictionary.parse(full.toText()), undefined)
  })

  it.each([
    ['no list', '{"0":["a"]}'],
    ['no list of lists', '["a"]'],
    ['a name that is none', '[["a",1]]'],
    ['a name twice', '[["a","a"]]'],
    ['a shape twice', '[["a"],["b"],["a"]]'],
    ['a name that reaches for the prototype', '[["a","__proto__"]]'],
    ['a name that msgpackr keeps notes under', '[["__keys__"]]'],
    ['a lone surrogate', '[["\\ud800"]]'],
    ['a long name', JSON.stringify([['n'.repeat(129)]])],
    ['too many names', JSON.stringify([Array.from({ length: 65 }, (_, id) => `n${id}`)])],
    ['too many shapes', JSON.stringify(Array.from({ length: 513 }, (_, id) => [`n${id}`]))],
    ['too much text', JSON.stringify(Array.from({ length: 500 }, (_, id) => [String(id).padEnd(128, 'é')]))],
  ])('cannot be read from %s', (_, text) => {
    assert.equal(Dictionary.parse(text), undefined)
  })
})

it('a shape is a list of at most 64 distinct, well-formed names of at most 128 characters', () => {
  assert.ok(isShape([]))
  assert.ok(isShape(['', 'é', '\0', 'n'.repeat(128), 'constructor', '__proto_']))
  for (const other of [undefined, null, 'a', {}, { length: 0 }, [undefined], [Symbol('a')]]) {
    assert.ok(!isShape(other))
  }
})
