import { HashSteps, SURELY_COUNTED, UNCOUNTED } from '../refusals/hash-steps.ts'
import { MAX_NESTING, MAX_PARTS, tooManyLevels, tooManyParts } from '../refusals/limits.ts'
import { weightOfPattern } from '../refusals/pattern-weight.ts'
import { PackedInput } from './packed-input.ts'
import { packedBigintHash, packedNumberHash } from './packed-number.ts'
import { type PackedNames, PackedShapes } from './packed-shapes.ts'
import { NO_HASH, PackedTargets } from './packed-targets.ts'
import {
  areFlags,
  ERROR_NAMES,
  EXTENSION,
  FIXED_BYTES,
  FIXEXT_1,
  FIXEXT_2,
  FIXEXT_4,
  FIXEXT_16,
  isArray,
  isExtension,
  isNumber,
  isTimestamp,
  isTypedArray,
  LAST_ARRAY,
  LAST_BINARY,
  LAST_EXTENSION,
  LAST_STRING,
  LENGTH_BYTES,
} from './packed-tokens.ts'
import type { Shape } from './shape.ts'

/** Making an error or a regular expression takes as long as making this many empty objects. */
const PARTS_OF_ERROR = 64
/** A part is about 100 bytes of memory. */
const PARTS_OF_BYTES = 2
const PARTS_OF_TYPED_ARRAY = 3

const ARRAY_OF_2 = 0x92
const ARRAY_OF_3 = 0x93
/**
 * Checks that bytes are what a {@link RecordPacker} writes, and that they stay within the limits of a value, before
 * msgpackr reads them. msgpackr also understands what it writes with other options, and reads some of that beyond the
 * end.
 *
 * It knows all tokens of MessagePack, the extensions of msgpackr, and the records: an id stands for the names of a
 * shape, and is followed by the values.
 */
export class PackedCheck {
  readonly #input: PackedInput
  readonly #targets = new PackedTargets((parts) => this.#count(parts))
  readonly #shapes: PackedShapes
  readonly #steps = new HashSteps()
  /** Whether the hashes of small maps and sets are counted, too. */
  #countsSmall = false
  #depth = 0
  #parts = 0

  /** @param losesMarks whether msgpackr reads strings without msgpackr-extract */
  constructor(shapes: readonly Shape[], losesMarks: boolean) {
    this.#input = new PackedInput(losesMarks)
    this.#shapes = new PackedShapes(shapes, this.#input, this.#targets)
  }

  /** Whether a payload with few bytes may be too large for its shapes. */
  get hasLargeShapes(): boolean {
    return this.#shapes.areLarge
  }

  /**
   * @throws LimitExceeded
   * @throws RangeError, SyntaxError if the bytes from `start` to their end are no result of a packer
   */
  assert(bytes: Uint8Array, start: number): void {
    this.#countsSmall = false
    this.#check(bytes, start)
    if (!this.#steps.areUnsure) return
    this.#countsSmall = true
    this.#check(bytes, start)
  }

  #check(bytes: Uint8Array, start: number): void {
    this.#input.reset(bytes, start)
    this.#targets.reset(bytes.length)
    this.#shapes.reset()
    this.#steps.reset()
    this.#depth = 0
    this.#parts = 0
    this.#value()
    if (this.#input.left > 0) throw new SyntaxError('bytes after the value')
  }

  #value(): void {
    const token = this.#input.byte()
    if (token < 0x40 || token >= 0xe0) return
    if (token < 0x80) this.#record(this.#shapes.used(token & 0x3f))
    else if (token < 0x90) this.#members(token & 0x0f, 2)
    else if (token < 0xa0) this.#items(token & 0x0f, 1)
    else if (token < 0xc0) this.#input.skip(token & 0x1f)
    else if (token >= FIXEXT_1 && token <= FIXEXT_16) this.#fixedExtension(token)
    else this.#sized(token)
  }

  #sized(token: number): void {
    const fixedBytes = FIXED_BYTES[token]
    if (fixedBytes !== undefined) {
      this.#input.skip(fixedBytes)
      return
    }
    const lengthBytes = LENGTH_BYTES[token]
    if (lengthBytes === undefined) throw new SyntaxError('a token that is never written')
    const length = this.#input.number(lengthBytes)
    if (token <= LAST_BINARY) this.#bytes(length)
    else if (token <= LAST_EXTENSION) this.#extension(length)
    else if (token <= LAST_STRING) this.#input.skipText(length)
    else if (token <= LAST_ARRAY) this.#items(length, 1)
    else this.#members(length, 2)
  }

  #count(parts: number): void {
    this.#parts += parts
    if (this.#parts > MAX_PARTS) throw tooManyParts()
  }

  #bytes(length: number): void {
    this.#count(PARTS_OF_BYTES)
    this.#input.skip(length)
  }

  #enter(items: number, parts: number): void {
    this.#count(parts)
    if (items > this.#input.left) throw new RangeError('more items than bytes')
    if (++this.#depth > MAX_NESTING) throw tooManyLevels()
  }

  /** The items of a container that counts as so many parts. */
  #items(count: number, parts: number): void {
    this.#enter(count, parts)
    for (let left = count; left > 0; left--) this.#value()
    this.#depth--
  }

  /** The members of a set, or the keys and values of a map. */
  #members(count: number, itemsOfMember: 1 | 2): void {
    if (count <= UNCOUNTED) this.#items(count * itemsOfMember, 1)
    else if (count < SURELY_COUNTED && !this.#countsSmall) this.#uncounted(count, itemsOfMember)
    else this.#counted(count, itemsOfMember)
  }

  #uncounted(count: number, itemsOfMember: 1 | 2): void {
    this.#enter(count * itemsOfMember, 1)
    let numbers = 0
    for (let left = count; left > 0; left--) {
      const token = this.#input.next
      if (isNumber(token) || isExtension(token)) numbers++
      this.#value()
      if (itemsOfMember === 2) this.#value()
    }
    this.#steps.assume(numbers)
    this.#depth--
  }

  #counted(count: number, itemsOfMember: 1 | 2): void {
    this.#enter(count * itemsOfMember, 1)
    const hashes = this.#steps.begin(count)
    for (let left = count; left > 0; left--) {
      const hash = this.#hashedValue()
      if (hash !== NO_HASH) hashes.add(hash)
      if (itemsOfMember === 2) this.#value()
    }
    this.#steps.end()
    this.#depth--
  }

  /** As {@link #value}, and returns the hash of a number or bigint. */
  #hashedValue(): number {
    const token = this.#input.next
    if (isExtension(token)) return this.#hashedExtension(this.#input.byte())
    if (isNumber(token)) return packedNumberHash(this.#input.byte(), this.#input)
    this.#value()
    return NO_HASH
  }

  #hashedExtension(token: number): number {
    const isFixed = token >= FIXEXT_1
    const length = isFixed ? 2 ** (token - FIXEXT_1) : this.#input.number(LENGTH_BYTES[token] as number)
    const type = this.#input.next
    if (token === FIXEXT_4 && (type === EXTENSION.ID || type === EXTENSION.POINTER)) {
      return this.#reference(type)
    }
    if (!isFixed || type === EXTENSION.BIGINT) return this.#bigintOrExtension(length)
    this.#fixedExtension(token)
    return NO_HASH
  }

  #bigintOrExtension(bytes: number): number {
    if (this.#input.next !== EXTENSION.BIGINT || bytes === 0) {
      this.#extension(bytes)
      return NO_HASH
    }
    this.#input.skip(1)
    return packedBigintHash(bytes, this.#input)
  }

  #record(names: PackedNames): void {
    this.#items(names.count, names.parts)
  }

  #fixedExtension(token: number): void {
    const type = this.#input.next
    if (token === FIXEXT_1) this.#tag(type)
    else if (token === FIXEXT_2 && type === EXTENSION.RECORD) this.#record(this.#shapes.defined(token))
    else if (token === FIXEXT_4 && (type === EXTENSION.ID || type === EXTENSION.POINTER))
      this.#reference(type)
    else this.#extension(2 ** (token - FIXEXT_1))
  }

  /** An extension of one byte, which may stand before another token. */
  #tag(type: number): void {
    if (type === EXTENSION.RECORD) {
      this.#record(this.#shapes.defined(FIXEXT_1))
    } else if (type === EXTENSION.SET || type === EXTENSION.ERROR || type === EXTENSION.REGEXP) {
      this.#input.skip(2)
      const token = this.#input.byte()
      if (!isArray(token)) throw new SyntaxError('an extension without its array')
      if (type !== EXTENSION.SET) this.#array(type, token)
      else if (token < 0xa0) this.#members(token & 0x0f, 1)
      else this.#members(this.#input.number(LENGTH_BYTES[token] as number), 1)
    } else if (type === EXTENSION.UNDEFINED) {
      this.#input.skip(2)
    } else {
      this.#extension(1)
    }
  }

  /**
   * The array of an error (name, message, cause) or of a regular expression (source, flags). msgpackr makes strings of the
   * first two: of an array whose parts are shared, that can take for ever. And the name chooses what it calls.
   */
  #array(type: number, token: number): void {
    if (token !== (type === EXTENSION.ERROR ? ARRAY_OF_3 : ARRAY_OF_2)) {
      throw new SyntaxError('an extension of another length')
    }
    this.#enter(token & 0x0f, 1 + PARTS_OF_ERROR)
    const first = this.#input.text()
    const second = this.#input.text()
    if (type === EXTENSION.ERROR) {
      if (!ERROR_NAMES.has(first)) throw new SyntaxError('an error of an unknown class')
      this.#value()
    } else this.#pattern(first, second)
    this.#depth--
  }

  #pattern(source: string, flags: string): void {
    if (!areFlags(flags)) {
      throw new SyntaxError('a regular expression with unknown flags')
    }
    this.#count(source.length + weightOfPattern(source, flags.includes('v')))
  }

  /**
   * A value that others point to, or a pointer to one.
   * @returns the hash of that value, if it is a number
   */
  #reference(type: number): number {
    this.#input.skip(1)
    const id = this.#input.number(4)
    if (type === EXTENSION.POINTER) {
      return this.#targets.hashOf(id)
    }
    this.#targets.add(id)
    const hash = this.#target()
    this.#targets.setHash(id, hash)
    return hash
  }

  /** A value that has an id, which is neither another id nor a pointer. As {@link #hashedValue}. */
  #target(): number {
    if (this.#input.next !== FIXEXT_4) return this.#hashedValue()
    this.#input.skip(1)
    return this.#bigintOrExtension(4)
  }

  /** An extension whose content has no tokens. */
  #extension(bytes: number): void {
    const type = this.#input.byte()
    let isWritten = bytes > 0
    if (type === EXTENSION.TYPED_ARRAY) {
      this.#count(PARTS_OF_TYPED_ARRAY)
      isWritten &&= isTypedArray(this.#input.next, bytes - 1)
    } else if (type === EXTENSION.TIMESTAMP) isWritten = isTimestamp(bytes)
    else isWritten &&= type === EXTENSION.BIGINT
    if (!isWritten) throw new SyntaxError('an extension that is never written')
    this.#input.skip(bytes)
  }
}
