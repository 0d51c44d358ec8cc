import { serialize } from 'node:v8'
import { ElementStore } from '../refusals/element-store.ts'
import { HashSteps } from '../refusals/hash-steps.ts'
import { MAX_NESTING, MAX_PARTS, tooManyLevels, tooManyParts } from '../refusals/limits.ts'
import { hashOf, hashOfBigint, hashOfInteger } from '../refusals/member-hashes.ts'
import { NO_INDEX, V8Input } from './v8-input.ts'
import * as tags from './v8-tags.ts'

/** The version of the format that is checked here. */
const KNOWN_VERSION = 15
/** The version that this Node writes. */
const OWN_VERSION = serialize(null)[1]

/** The size of an item of each kind of view, by the number that Node writes; the last is the Float16Array of Node 24. */
const VIEW_ITEM_BYTES: readonly number[] = [1, 1, 1, 2, 2, 4, 4, 4, 8, 1, 1, 8, 8, 2]

/** What an object weighs as a part, by the memory that an empty one takes: some 100 bytes are one part. */
const WEIGHT_OF_COLLECTION = 3
const WEIGHT_OF_REGEXP = 2
const WEIGHT_OF_ERROR = 3
const WEIGHT_OF_BUFFER = 4
const WEIGHT_OF_VIEW = 6
/** A resizable buffer takes whole pages, and room in the tables of the operating system for those that it may take. */
const WEIGHT_OF_PAGE = 41
const PAGE_BYTES = 4_096

/**
 * Checks that bytes are what `v8.serialize` writes, and that they stay within the limits of a value, before V8 reads them.
 * V8 allocates what an array claims to need, and counts nothing.
 */
export class V8Check {
  readonly #input = new V8Input()
  readonly #steps = new HashSteps()
  #depth = 0
  #parts = 0

  /**
   * @throws LimitExceeded
   * @throws RangeError, SyntaxError if the bytes are no result of `v8.serialize`
   */
  assert(bytes: Uint8Array): void {
    this.#input.reset(bytes)
    this.#steps.reset()
    this.#depth = 0
    this.#parts = 0
    this.#header()
    this.#value()
    if (this.#input.left > 0) throw new SyntaxError('bytes after the value')
  }

  #header(): void {
    const isVersion = this.#input.byte() === tags.VERSION
    const version = this.#input.number()
    if (!isVersion || (version !== KNOWN_VERSION && version !== OWN_VERSION)) {
      throw new SyntaxError('a version of the format that is never written')
    }
  }

  #value(): void {
    if (this.#input.skipPlain(1) === 1) return
    const tag = this.#input.tag()
    switch (tag) {
      case tags.NULL:
      case tags.UNDEFINED:
      case tags.TRUE:
      case tags.FALSE:
        return
      case tags.OBJECT:
        this.#object()
        return
      case tags.DENSE_ARRAY:
        this.#denseArray()
        return
      case tags.ONE_BYTE_STRING:
      case tags.UTF8_STRING:
        this.#input.skip(this.#input.number())
        return
      case tags.TWO_BYTE_STRING:
        this.#input.twoByteString()
        return
      case tags.BIGINT:
        this.#input.bigint()
        return
      default:
        this.#rareValue(tag)
    }
  }

  #rareValue(tag: number): void {
    switch (tag) {
      case tags.DATE:
      case tags.NUMBER_OBJECT:
        this.#count(1)
        this.#input.skip(8)
        return
      case tags.MAP:
        this.#map()
        return
      case tags.SET:
        this.#set()
        return
      case tags.HOST_OBJECT:
        this.#view()
        return
      case tags.SPARSE_ARRAY:
        this.#sparseArray()
        return
      case tags.ERROR:
        this.#error()
        return
      case tags.REGEXP:
        this.#count(WEIGHT_OF_REGEXP + this.#input.pattern())
        return
      case tags.ARRAY_BUFFER:
        this.#count(WEIGHT_OF_BUFFER)
        this.#input.skip(this.#input.number())
        return
      case tags.RESIZABLE_ARRAY_BUFFER:
        this.#resizable()
        return
      case tags.TRUE_OBJECT:
      case tags.FALSE_OBJECT:
        this.#count(1)
        return
      case tags.BIGINT_OBJECT:
        this.#count(1)
        this.#input.bigint()
        return
      case tags.STRING_OBJECT:
        this.#count(1)
        this.#input.string()
        return
      case tags.UINT32:
      case tags.INT32:
      case tags.REFERENCE:
        this.#input.number()
        return
      default:
        throw new SyntaxError('a tag that is never written')
    }
  }

  #count(parts: number): void {
    this.#parts += parts
    if (this.#parts > MAX_PARTS) throw tooManyParts()
  }

  #enter(weight: number): void {
    this.#count(weight)
    if (++this.#depth > MAX_NESTING) throw tooManyLevels()
  }

  #object(): void {
    this.#enter(1)
    let elements: ElementStore | undefined
    let properties = this.#input.skipPlainProperties()
    while (this.#input.nextTag() !== tags.OBJECT_END) {
      const index = this.#input.name()
      if (index !== NO_INDEX) {
        elements ??= new ElementStore()
        elements.add(index)
      }
      this.#value()
      properties += 1 + this.#input.skipPlainProperties()
    }
    if (elements !== undefined) this.#count(elements.parts)
    this.#end(properties)
  }

  #denseArray(): void {
    this.#enter(1)
    const length = this.#input.number()
    if (length > this.#input.left) throw new RangeError('more items than bytes')
    let left = length - this.#input.skipPlain(length)
    while (left > 0) {
      if (this.#input.nextTag() === tags.HOLE) this.#input.skip(1)
      else this.#value()
      left -= 1 + this.#input.skipPlain(left - 1)
    }
    let properties = 0
    for (; this.#input.nextTag() !== tags.DENSE_ARRAY_END; properties++) {
      if (this.#input.name() !== NO_INDEX) throw new SyntaxError('an item among the properties')
      this.#value()
    }
    this.#end(properties)
    this.#expect(length)
  }

  /** The items of an array with holes, by their indices. A hole takes memory as an item does. */
  #sparseArray(): void {
    this.#enter(1)
    const length = this.#input.number()
    let properties = 0
    let items = 0
    for (; this.#input.nextTag() !== tags.SPARSE_ARRAY_END; properties++) {
      const index = this.#input.name()
      if (index >= length) throw new SyntaxError('an item beyond the length')
      if (index !== NO_INDEX) items++
      this.#value()
    }
    this.#end(properties)
    this.#expect(length)
    this.#count(Math.max(0, length - items))
  }

  #map(): void {
    this.#enter(WEIGHT_OF_COLLECTION)
    const hashes: number[] = []
    let values = 0
    for (; this.#input.nextTag() !== tags.MAP_END; values += 2) {
      this.#key(hashes)
      this.#value()
    }
    this.#end(values)
    this.#steps.count(hashes, values / 2)
  }

  #set(): void {
    this.#enter(WEIGHT_OF_COLLECTION)
    const hashes: number[] = []
    let members = 0
    for (; this.#input.nextTag() !== tags.SET_END; members++) this.#key(hashes)
    this.#end(members)
    this.#steps.count(hashes, members)
  }

  /** The tag at the end of a container, and the number of its properties, members or values. */
  #end(count: number): void {
    this.#input.skip(1)
    this.#expect(count)
    this.#depth--
  }

  #expect(number: number): void {
    if (this.#input.number() !== number) throw new SyntaxError('a container of another size')
  }

  /** A member of a set, or a key of a map. @param hashes to which the hash of a number or bigint is added */
  #key(hashes: number[]): void {
    switch (this.#input.nextTag()) {
      case tags.INT32:
        this.#input.skip(1)
        hashes.push(hashOfInteger(this.#input.signedNumber()))
        return
      case tags.UINT32:
        this.#input.skip(1)
        hashes.push(hashOf(this.#input.number()))
        return
      case tags.DOUBLE:
        this.#input.skip(1)
        hashes.push(hashOf(this.#input.double()))
        return
      case tags.BIGINT:
        this.#input.skip(1)
        hashes.push(hashOfBigint(this.#input.lowest64()))
        return
      default:
        this.#value()
    }
  }

  #resizable(): void {
    const bytes = this.#input.number()
    const mostBytes = this.#input.number()
    this.#count(WEIGHT_OF_PAGE + mostBytes / PAGE_BYTES)
    this.#input.skip(bytes)
  }

  #view(): void {
    this.#count(WEIGHT_OF_VIEW)
    const itemBytes = VIEW_ITEM_BYTES[this.#input.number()]
    const bytes = this.#input.number()
    if (itemBytes === undefined || bytes % itemBytes > 0)
      throw new SyntaxError('a view that is never written')
    this.#input.skip(bytes)
  }

  /** Node 20 writes the cause before the stack, later versions after it. */
  #error(): void {
    this.#enter(WEIGHT_OF_ERROR)
    let tag = this.#input.byte()
    if (tags.ERROR_CLASSES.has(tag)) tag = this.#input.byte()
    if (tag === tags.MESSAGE) {
      this.#input.string()
      tag = this.#input.byte()
    }
    const open = new Set([tags.CAUSE, tags.STACK])
    while (open.delete(tag)) {
      if (tag === tags.STACK) this.#input.string()
      else this.#value()
      tag = this.#input.byte()
    }
    if (tag !== tags.ERROR_END) throw new SyntaxError('an error without its end')
    this.#depth--
  }
}
