import { types } from 'node:util'
import { MOST_PARTS_OF_ELEMENT, MOST_PARTS_OF_ELEMENTS } from './element-store.ts'
import { HashSteps, SURELY_COUNTED, type TableHashes } from './hash-steps.ts'
import { MAX_NESTING, MAX_PARTS, NestedTooDeep, tooManyParts } from './limits.ts'
import { hashOf, isNumeric } from './member-hashes.ts'
import { assertDataClass, assertEmptyRecord, assertNoProperties, isPlainObject } from './record-checks.ts'
import { kindOf, Refusal } from './refusal.ts'

/** What a serializer for structured clones carries beside primitives, arrays, records, Map and Set. */
export interface Cloning {
  /** Whether it brings this object back as it is; it is not looked into. */
  carries(value: object): boolean
  /** The own properties of an Error that it brings back. */
  readonly errorProperties: ReadonlySet<string | symbol>
  /** Whether it stores what `toJSON` yields in place of the object. */
  readonly callsToJson: boolean
  /** How many parts an object counts for that takes more memory than most, at most. */
  weightOf(value: object): number
  /** Whether it can carry a string with a lone surrogate. */
  readonly carriesLoneSurrogates: boolean
  /** Why it cannot carry a string that begins with U+FEFF and has so many bytes of UTF-8, if it cannot. */
  readonly refusalOfMark?: { readonly bytes: number; readonly kind: string } | undefined
}

/** Objects of a value that are visited before visited ones are remembered. Most values have fewer. */
const UNREMEMBERED = 1_000
const DIGIT_9 = 0x39
/** At the beginning of a text, it marks the order of bytes. */
const MARK = 0xfeff
/** The depth from which all are remembered, so that a cycle is not taken for deep nesting. */
const UNREMEMBERED_DEPTH = 100

/**
 * Refuses what a structured clone would silently change: `v8` and `msgpack` store `{}` for most classes that they do
 * not know, and leave out properties of errors.
 */
export class CloneCheck {
  readonly #cloning: Cloning
  #visited = 0
  #weight = 0
  #holes = 0
  /** The containers around the value that is being visited. */
  #depth = 0
  #seen: Set<object> | undefined
  #seenTables: Set<object> | undefined
  readonly #steps = new HashSteps()

  constructor(cloning: Cloning) {
    this.#cloning = cloning
  }

  /**
   * @returns how many parts the value has at most; infinitely many if too many of its numbers may have equal hashes
   * @throws Refusal, LimitExceeded
   */
  assert(value: unknown): number {
    this.#visited = 0
    this.#weight = 0
    this.#holes = 0
    this.#depth = 0
    this.#steps.reset()
    try {
      this.#value(value)
      return this.#steps.areUnsure ? Number.POSITIVE_INFINITY : this.#visited + this.#weight + this.#holes
    } finally {
      this.#seen = undefined
      this.#seenTables = undefined
    }
  }

  #value(value: unknown): void {
    if (typeof value === 'number') return
    if (typeof value === 'object') {
      if (value !== null && this.#isNew(value)) this.#object(value)
    } else if (typeof value === 'string') {
      this.#text(value)
    } else if (typeof value === 'function' || typeof value === 'symbol') {
      throw new Refusal(kindOf(value))
    }
  }

  #text(text: string): void {
    if (!this.#cloning.carriesLoneSurrogates && !text.isWellFormed()) {
      throw new Refusal('a string with a lone surrogate')
    }
    const { refusalOfMark } = this.#cloning
    if (refusalOfMark === undefined || text.charCodeAt(0) !== MARK) return
    if (Buffer.byteLength(text) >= refusalOfMark.bytes) throw new Refusal(refusalOfMark.kind)
  }

  /** `false` for an object that was visited before, so that cycles and shared references end. */
  #isNew(value: object): boolean {
    if (++this.#visited <= UNREMEMBERED && this.#depth < UNREMEMBERED_DEPTH) return true
    this.#seen ??= new Set()
    return this.#seen.size !== this.#seen.add(value).size
  }

  #object(value: object): void {
    if (++this.#depth > MAX_NESTING) throw new NestedTooDeep()
    if (Array.isArray(value)) {
      this.#array(value)
    } else if (isPlainObject(value)) {
      this.#record(value, true)
    } else {
      this.#instance(value)
    }
    this.#depth--
  }

  #array(value: readonly unknown[]): void {
    for (let index = 0; index < value.length; index++) {
      const item = value[index]
      if (item !== undefined) this.#value(item)
      else if (!(index in value) && ++this.#holes > MAX_PARTS) throw tooManyParts()
    }
  }

  #instance(value: object): void {
    const { callsToJson, carries } = this.#cloning
    // The most frequent class needs no more than this.
    if (value.constructor === Date && isDate(value)) {
      assertNoProperties(value)
      return
    }
    this.#weight += this.#cloning.weightOf(value)
    if (carries(value)) this.#carried(value)
    else if (types.isNativeError(value)) this.#error(value)
    else if (callsToJson && 'toJSON' in value && typeof value.toJSON === 'function')
      this.#value(value.toJSON())
    else {
      assertDataClass(value)
      this.#record(value, false)
    }
  }

  #carried(value: object): void {
    // To list those of a view or a String object takes long, since items and characters are among them.
    if (!ArrayBuffer.isView(value) && !types.isStringObject(value)) assertNoProperties(value)
    if (types.isMap(value)) {
      if (this.#isNewTable(value)) this.#map(value)
    } else if (types.isSet(value)) {
      if (this.#isNewTable(value)) this.#set(value)
    } else if (types.isRegExp(value)) this.#text(value.source)
  }

  /** As {@link #isNew}, for one whose hashes are counted. */
  #isNewTable(table: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>): boolean {
    if (table.size < SURELY_COUNTED) return true
    this.#seenTables ??= new Set()
    return this.#seenTables.size !== this.#seenTables.add(table).size
  }

  #map(map: ReadonlyMap<unknown, unknown>): void {
    const hashes = this.#hashesFor(map.size)
    let numbers = 0
    for (const [key, item] of map) {
      this.#value(key)
      if (isNumeric(key)) {
        numbers++
        hashes?.add(hashOf(key))
      }
      this.#value(item)
    }
    this.#endTable(hashes, numbers)
  }

  #set(set: ReadonlySet<unknown>): void {
    const hashes = this.#hashesFor(set.size)
    let numbers = 0
    for (const item of set) {
      this.#value(item)
      if (isNumeric(item)) {
        numbers++
        hashes?.add(hashOf(item))
      }
    }
    this.#endTable(hashes, numbers)
  }

  #hashesFor(members: number): TableHashes | undefined {
    return members >= SURELY_COUNTED ? this.#steps.begin(members) : undefined
  }

  #endTable(hashes: TableHashes | undefined, numbers: number): void {
    if (hashes === undefined) this.#steps.assume(numbers)
    else this.#steps.end()
  }

  #record(value: object, isPlain: boolean): void {
    let isEmpty = true
    let indexWeight = 0
    for (const name in value) {
      if (!isPlain && !Object.hasOwn(value, name)) continue
      // Names that are indices come first.
      if (isEmpty && name.charCodeAt(0) <= DIGIT_9) {
        this.#weight += MOST_PARTS_OF_ELEMENTS
        indexWeight = MOST_PARTS_OF_ELEMENT
      }
      this.#weight += indexWeight
      isEmpty = false
      this.#text(name)
      this.#value((value as Record<string, unknown>)[name])
    }
    if (isEmpty) assertEmptyRecord(value, isPlain)
  }

  #error(error: Error): void {
    const { errorProperties } = this.#cloning
    const isNative = NATIVE_ERRORS.has(Object.getPrototypeOf(error))
    if (!isNative || !Reflect.ownKeys(error).every((key) => errorProperties.has(key))) {
      throw new Refusal(`${kindOf(error)} with more than a message`)
    }
    if (typeof error.message !== 'string') throw new Refusal(`${kindOf(error)} whose message is no string`)
    this.#text(error.message)
    if (errorProperties.has('cause')) this.#value(error.cause)
  }
}

/** As `types.isDate`, which takes several times as long for a date. */
function isDate(value: object): boolean {
  try {
    Date.prototype.getTime.call(value)
    return true
  } catch {
    return false
  }
}

/** An AggregateError has errors of its own, which neither serializer stores. */
const NATIVE_ERRORS: ReadonlySet<unknown> = new Set(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map(
    ({ prototype }) => prototype,
  ),
)
