import { createHash } from 'node:crypto'
import { types } from 'node:util'
import { abbreviate, CacheError } from '../../foundation/cache-error.ts'

/** Longest text that stands as it is, in UTF-16 units; a longer one is replaced by its hash. */
const LONGEST_TEXT = 200
/** How deep objects may stand in each other within one argument. */
const DEEPEST = 100

/**
 * Begins where a text was too long to be the key. No argument's text begins so, and hence no short key is ever
 * taken for a hash.
 */
const HASHED = 'sha256:'

/**
 * The text that stands for a list of arguments in a key: the same for equal arguments, in every process and
 * version of Node, and another one for arguments that differ.
 *
 * It reads like the arguments (`"ann",42,{"page":1}`), holds no control character and no lone surrogate, and is
 * at most 200 UTF-16 units long: a longer one becomes `sha256:` and its SHA-256 in base64url.
 *
 * | argument | told apart |
 * | --- | --- |
 * | `undefined`, `null`, booleans, numbers, bigints, strings | by value and type; `-0` from `0`, `NaN` equals itself |
 * | plain objects | by their own enumerable properties, whatever the order; a property that is `undefined` from none. Without a prototype they equal those that have one |
 * | arrays | by their items |
 * | `Map`, `Set` | by their entries, whatever the order |
 * | `Date`, `URL`, `RegExp` | by time (all invalid dates are equal), by `href`, by source, flags and `lastIndex` |
 * | `Buffer`, typed arrays, `DataView`, `ArrayBuffer` | by type and content; what was added as a property is not looked at |
 *
 * `f()` and `f(undefined)` have different keys. No accessor, `toJSON` or `valueOf` is called.
 *
 * @throws CacheError `CACHE_INVALID_ARGUMENT` for what has no content to tell it by, or content that is out of
 * sight: functions, symbols, instances of classes, `WeakMap`, `Promise`, proxies, cycles, arrays with holes,
 * accessors, properties named by symbols, and objects nested more than 100 deep. The message names the argument's
 * position and kind, never its value.
 */
export function argumentKey(args: readonly unknown[]): string {
  const texts: string[] = []
  for (let index = 0; index < args.length; index++) texts.push(argumentText(args, index))
  const text = texts.join(',')
  return text.length <= LONGEST_TEXT ? text : HASHED + createHash('sha256').update(text).digest('base64url')
}

function argumentText(args: readonly unknown[], index: number): string {
  try {
    if (!(index in args)) throw new Unkeyable('a hole')
    return new ArgumentWriter().write(args[index])
  } catch (error) {
    const isKnown = error instanceof Unkeyable
    // Else a built-in refused to be read: a detached buffer, an object that only inherits from `Map.prototype`.
    const kind = isKnown ? error.message : 'something that cannot be read'
    throw new CacheError(
      'CACHE_INVALID_ARGUMENT',
      `Argument ${index + 1} cannot be part of a key (${kind}): pass a \`key\` function that makes the key`,
      isKnown ? {} : { cause: error },
    )
  }
}

/** Tells which kind of thing no key can be made of. */
class Unkeyable extends Error {}

/** The types whose content is bytes. */
const BYTE_TYPES: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [Buffer.prototype, 'Buffer'],
  [Uint8Array.prototype, 'Uint8Array'],
  [Uint8ClampedArray.prototype, 'Uint8ClampedArray'],
  [Int8Array.prototype, 'Int8Array'],
  [DataView.prototype, 'DataView'],
])

/** The types whose bytes depend on the machine: they are told by their numbers. */
const NUMBER_TYPES: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [Int16Array.prototype, 'Int16Array'],
  [Uint16Array.prototype, 'Uint16Array'],
  [Int32Array.prototype, 'Int32Array'],
  [Uint32Array.prototype, 'Uint32Array'],
  [Float32Array.prototype, 'Float32Array'],
  [Float64Array.prototype, 'Float64Array'],
  [BigInt64Array.prototype, 'BigInt64Array'],
  [BigUint64Array.prototype, 'BigUint64Array'],
])

/**
 * Writes one argument.
 *
 * Every text tells where it ends: a string by its closing quote (quotes within are escaped), all else by a bracket,
 * a comma or the end, none of which can stand in a bare word or number. So a list of texts can be read in one way
 * only, and two arguments of the same text are equal.
 */
class ArgumentWriter {
  /** The objects that are being written, each within the one before it. */
  readonly #ancestors = new Set<object>()

  write(value: unknown): string {
    switch (typeof value) {
      case 'undefined':
      case 'boolean':
        return String(value)
      case 'number':
        return Object.is(value, -0) ? '-0' : String(value)
      case 'bigint':
        return `${value}n`
      case 'string':
        return quoted(value)
      case 'object':
        return value === null ? 'null' : this.#within(value)
      default:
        throw new Unkeyable(`a ${typeof value}`)
    }
  }

  #within(value: object): string {
    if (this.#ancestors.has(value)) throw new Unkeyable('a cycle')
    if (this.#ancestors.size === DEEPEST) throw new Unkeyable(`objects nested more than ${DEEPEST} deep`)
    this.#ancestors.add(value)
    const text = this.#object(value)
    this.#ancestors.delete(value)
    return text
  }

  #object(value: object): string {
    if (types.isProxy(value)) throw new Unkeyable('a Proxy')
    // The prototype itself is compared, not `instanceof` asked: a subclass may hold what cannot be seen from here.
    const prototype: unknown = Object.getPrototypeOf(value)
    if (ArrayBuffer.isView(value)) return this.#view(value, prototype)
    if (prototype === null || prototype === Object.prototype) return this.#record(value)
    if (prototype === Array.prototype && Array.isArray(value)) return this.#list(value)
    return this.#builtIn(value, prototype)
  }

  #record(value: object): string {
    const texts: string[] = []
    for (const name of namesOf(value).sort()) {
      const property = Object.getOwnPropertyDescriptor(value, name)
      if (property?.enumerable === true) texts.push(`${quoted(name)}:${this.#property(property)}`)
    }
    return `{${texts.join(',')}}`
  }

  #list(value: readonly unknown[]): string {
    const surplus = Reflect.ownKeys(value).length - 1 - value.length
    if (surplus > 0) throw new Unkeyable('an array with named properties')
    if (surplus < 0) throw new Unkeyable('an array with holes')
    const texts: string[] = []
    for (let index = 0; index < value.length; index++) {
      texts.push(this.#property(Object.getOwnPropertyDescriptor(value, index)))
    }
    return `[${texts.join(',')}]`
  }

  #property(property: PropertyDescriptor | undefined): string {
    if (property === undefined) throw new Unkeyable('an array with holes')
    if (!Object.hasOwn(property, 'value')) throw new Unkeyable('a property with an accessor')
    return this.write(property.value)
  }

  #builtIn(value: object, prototype: unknown): string {
    switch (prototype) {
      case Map.prototype:
        assertBare(value, 'Map')
        return `Map{${sorted(value as Map<unknown, unknown>, ([key, item]) => `${this.write(key)}=>${this.write(item)}`)}}`
      case Set.prototype:
        assertBare(value, 'Set')
        return `Set{${sorted(value as Set<unknown>, (item) => this.write(item))}}`
      case Date.prototype:
        assertBare(value, 'Date')
        return `Date(${(value as Date).getTime()})`
      case URL.prototype:
        assertBare(value, 'URL')
        return `URL(${quoted((value as URL).href)})`
      case RegExp.prototype:
        return this.#pattern(value as RegExp)
      case ArrayBuffer.prototype:
        if (!types.isArrayBuffer(value)) break
        assertBare(value, 'ArrayBuffer')
        return `ArrayBuffer(${Buffer.from(value).toString('base64url')})`
    }
    throw new Unkeyable(instanceOf(prototype))
  }

  /** `lastIndex` is part of it, for a global or sticky pattern matches from there on. */
  #pattern(value: RegExp): string {
    if (Reflect.ownKeys(value).length > 1) throw new Unkeyable('a RegExp with added properties')
    return `RegExp(${quoted(value.source)},${quoted(value.flags)},${this.write(value.lastIndex)})`
  }

  #view(value: ArrayBufferView, prototype: unknown): string {
    const byteType = BYTE_TYPES.get(prototype)
    if (byteType !== undefined) {
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      return `${byteType}(${bytes.toString('base64url')})`
    }
    const numberType = NUMBER_TYPES.get(prototype)
    if (numberType === undefined) throw new Unkeyable(instanceOf(prototype))
    const numbers = value as unknown as Iterable<number | bigint>
    return `${numberType}(${Array.from(numbers, (number) => this.write(number)).join(',')})`
  }
}

/** The text in quotes, where all that is no well-formed, printable text is escaped as JSON escapes it. */
function quoted(text: string): string {
  // JSON escapes quotes, backslashes, lone surrogates and C0; DEL, C1 and the line separators it leaves as they are.
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Texts in the order of their UTF-16 units, which no locale changes. */
function sorted<Item>(items: Iterable<Item>, write: (item: Item) => string): string {
  return Array.from(items, write).sort().join(',')
}

function namesOf(value: object): string[] {
  return Reflect.ownKeys(value).map((name) => {
    if (typeof name === 'symbol') throw new Unkeyable('a property named by a symbol')
    return name
  })
}

/** Refuses a built-in that somebody gave a property: it may tell two of them apart, and is no part of the text. */
function assertBare(value: object, type: string): void {
  if (Reflect.ownKeys(value).length > 0) throw new Unkeyable(`a ${type} with added properties`)
}

function instanceOf(prototype: unknown): string {
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  const name: unknown =
    typeof maker === 'function' ? Object.getOwnPropertyDescriptor(maker, 'name')?.value : undefined
  return typeof name === 'string' && name !== ''
    ? `an instance of ${abbreviate(name)}`
    : 'an instance of a class'
}
