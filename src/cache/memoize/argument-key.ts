import { createHash } from 'node:crypto'
import { types } from 'node:util'
import { abbreviate, CacheError } from '../../foundation/errors/cache-error.ts'

/** The longest text of a key, in UTF-16 units; a longer one is replaced by its hash. */
const LONGEST_TEXT = 200
/** The deepest nesting of objects within one argument. */
const DEEPEST = 100

/**
 * The beginning of the key of a text that was too long. The text of no argument begins like this, so a short key is
 * never mistaken for a hash.
 */
const HASHED = 'sha256:'

/**
 * The text of a list of arguments, for a key. Equal arguments have the same text in every process and version of Node;
 * different arguments have different texts.
 *
 * It reads like the arguments (`"ann",42,{"page":1}`), contains no control character and no lone surrogate, and is at
 * most 200 UTF-16 units long. A longer text becomes `sha256:` and its SHA-256 in base64url.
 *
 * | argument | compared |
 * | --- | --- |
 * | `undefined`, `null`, booleans, numbers, bigints, strings | by value and type; `-0` from `0`, `NaN` equals itself |
 * | plain objects | by their own enumerable properties in any order; a property that is `undefined` differs from a missing one. An object without a prototype equals one that has it |
 * | arrays | by their items |
 * | `Map`, `Set` | by their entries in any order |
 * | `Date`, `URL`, `RegExp` | by time (all invalid dates are equal), by `href`, by source, flags and `lastIndex` |
 * | `Buffer`, typed arrays, `DataView`, `ArrayBuffer` | by type and content; added properties are ignored |
 *
 * `f()` and `f(undefined)` have different keys. No accessor, `toJSON` or `valueOf` is called.
 *
 * @throws CacheError `CACHE_INVALID_ARGUMENT` for arguments without comparable content: functions, symbols, instances
 * of classes, `WeakMap`, `Promise`, proxies, cycles, arrays with holes, accessors, properties named by symbols, and
 * objects nested more than 100 deep. The message names the position and the kind of the argument, never its value.
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
    // Any other error comes from a built-in: a detached buffer, or an object that only inherits from `Map.prototype`.
    const kind = isKnown ? error.message : 'something that cannot be read'
    throw new CacheError(
      'CACHE_INVALID_ARGUMENT',
      `Argument ${index + 1} cannot be part of a key (${kind}): pass a \`key\` function that makes the key`,
      isKnown ? {} : { cause: error },
    )
  }
}

/** Names a kind of value that cannot be part of a key. */
class Unkeyable extends Error {}

/** The types that are compared by their bytes. */
const BYTE_TYPES: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [Buffer.prototype, 'Buffer'],
  [Uint8Array.prototype, 'Uint8Array'],
  [Uint8ClampedArray.prototype, 'Uint8ClampedArray'],
  [Int8Array.prototype, 'Int8Array'],
  [DataView.prototype, 'DataView'],
])

/** The types that are compared by their numbers, since their bytes depend on the machine. */
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
 * Writes the text of one argument.
 *
 * The end of every text is unambiguous: a string ends with its closing quote (quotes within are escaped), everything
 * else with a bracket, a comma or the end of the text, none of which occurs in a bare word or number. So a list of
 * texts can be parsed in one way only, and two arguments with the same text are equal.
 */
class ArgumentWriter {
  /** The objects that are being written, from the outside in. */
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
    // The prototype is compared, and not `instanceof`, since an instance of a subclass may have private content.
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

  /** `lastIndex` is included, since a global or sticky pattern matches from there on. */
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

/** The text in quotes, with everything that is not well-formed, printable text escaped as in JSON. */
function quoted(text: string): string {
  // JSON escapes quotes, backslashes, lone surrogates and C0, but not DEL, C1 and the line separators.
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** The texts in the order of their UTF-16 units, which does not depend on the locale. */
function sorted<Item>(items: Iterable<Item>, write: (item: Item) => string): string {
  return Array.from(items, write).sort().join(',')
}

function namesOf(value: object): string[] {
  return Reflect.ownKeys(value).map((name) => {
    if (typeof name === 'symbol') throw new Unkeyable('a property named by a symbol')
    return name
  })
}

/** Refuses a built-in with added properties: they may distinguish two arguments, and are not part of the text. */
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
