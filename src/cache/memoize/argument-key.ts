import { createHash } from 'node:crypto'
import { types } from 'node:util'
import { abbreviate, CacheError } from '../../foundation/errors/cache-error.ts'
import { isPlainObject, viewKindOf } from './argument-kinds.ts'

/** The longest text of a key, in UTF-16 units; a longer one is replaced by its hash. */
const LONGEST_TEXT = 200
/** The deepest nesting of objects within one argument. */
const DEEPEST = 100
/**
 * The most characters and bytes that a list of arguments may contain; what is shared counts once for each place. It
 * bounds the time and the memory that the text takes, which grows exponentially with shared references.
 */
const MOST_CONTENT = 4_194_304
/** What an item of an array or a property counts, which takes that much longer to read than a character. */
const ITEM_CONTENT = 16
/** A bigint below this is written in decimal, which takes time that grows with almost the square of its length. */
const LONG_BIGINT = 2n ** 1_024n
/** The bits of the longest bigint, of which a hexadecimal digit has four. */
const MOST_BITS = 4 * MOST_CONTENT
/** The most objects, each of which takes much longer to read than a character. */
const MOST_OBJECTS = 100_000

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
 * A bigint of more than 1,024 bits is written in hexadecimal.
 *
 * `f()` and `f(undefined)` have different keys. No accessor, `toJSON` or `valueOf` is called.
 *
 * @throws CacheError `CACHE_INVALID_ARGUMENT` for arguments without comparable content: functions, symbols, instances
 * of classes, `WeakMap`, `Promise`, proxies, cycles, arrays with holes, accessors, properties named by symbols, and
 * built-ins with another prototype, as far as they can be told from plain objects; for objects nested more than 100
 * deep; for more than 100,000 objects; and for more than 4,194,304 characters and bytes, where an object in several
 * places counts each time, and each item of an array and each property counts 16 more. The message names the position
 * and the kind of the argument, never its value.
 */
export function argumentKey(args: readonly unknown[]): string {
  const writer = new ArgumentWriter()
  const texts: string[] = []
  for (let index = 0; index < args.length; index++) texts.push(argumentText(args, index, writer))
  const text = texts.join(',')
  return text.length <= LONGEST_TEXT ? text : HASHED + createHash('sha256').update(text).digest('base64url')
}

function argumentText(args: readonly unknown[], index: number, writer: ArgumentWriter): string {
  try {
    if (!(index in args)) throw new Unkeyable('a hole')
    return writer.write(args[index])
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

/**
 * Writes the texts of arguments.
 *
 * The end of every text is unambiguous: a string ends with its closing quote (quotes within are escaped), everything
 * else with a bracket, a comma or the end of the text, none of which occurs in a bare word or number. So a list of
 * texts can be parsed in one way only, and two arguments with the same text are equal.
 */
class ArgumentWriter {
  /** The texts of the objects so far, so that each is written once; `undefined` for those that are being written. */
  readonly #texts = new Map<object, string | undefined>()
  #depth = 0
  #content = 0

  write(value: unknown): string {
    switch (typeof value) {
      case 'undefined':
      case 'boolean':
        return this.#bare(String(value))
      case 'number':
        return this.#bare(Object.is(value, -0) ? '-0' : String(value))
      case 'bigint':
        return this.#bigint(value)
      case 'string':
        return this.#quoted(value)
      case 'object':
        return value === null ? this.#bare('null') : this.#within(value)
      default:
        throw new Unkeyable(`a ${typeof value}`)
    }
  }

  #within(value: object): string {
    const known = this.#texts.get(value)
    if (known !== undefined) return this.#bare(known)
    if (this.#texts.has(value)) throw new Unkeyable('a cycle')
    if (this.#depth === DEEPEST) throw new Unkeyable(`objects nested more than ${DEEPEST} deep`)
    if (this.#texts.size === MOST_OBJECTS) throw new Unkeyable('more than 100,000 objects')
    this.#texts.set(value, undefined)
    this.#depth++
    this.#count(2)
    const text = this.#object(value)
    this.#depth--
    this.#texts.set(value, text)
    return text
  }

  /** Counts what is about to be written. */
  #count(content: number): void {
    this.#content += content
    if (this.#content > MOST_CONTENT) throw new Unkeyable('content of more than 4,194,304 characters')
  }

  #bare(text: string): string {
    this.#count(text.length)
    return text
  }

  /** Both forms take time in proportion to the bound, however long the bigint is. */
  #bigint(value: bigint): string {
    if (value < LONG_BIGINT && value > -LONG_BIGINT) return this.#bare(`${value}n`)
    if (BigInt.asIntN(MOST_BITS, value) !== value) this.#count(MOST_CONTENT + 1)
    return this.#bare(`0x${value.toString(16)}n`)
  }

  #quoted(text: string): string {
    this.#count(text.length + 2)
    return quoted(text)
  }

  #bytes(bytes: Buffer): string {
    this.#count(bytes.length)
    return bytes.toString('base64url')
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
    const names = namesOf(value)
    this.#count(ITEM_CONTENT * names.length)
    if (!isPlainObject(value)) throw new Unkeyable('a built-in object with another prototype')
    let text = ''
    for (const name of names.sort()) {
      const property = Object.getOwnPropertyDescriptor(value, name)
      if (property?.enumerable !== true) continue
      text += `${text === '' ? '' : ','}${this.#quoted(name)}:${this.#property(property)}`
    }
    return `{${text}}`
  }

  #list(value: readonly unknown[]): string {
    const { length } = value
    if (length > 0 && !Object.hasOwn(value, length - 1)) throw new Unkeyable('an array with holes')
    this.#count(ITEM_CONTENT * length)
    const surplus = Reflect.ownKeys(value).length - 1 - length
    if (surplus > 0) throw new Unkeyable('an array with named properties')
    if (surplus < 0) throw new Unkeyable('an array with holes')
    let text = ''
    for (let index = 0; index < length; index++) {
      if (index > 0) text += ','
      text += this.#property(Object.getOwnPropertyDescriptor(value, index))
    }
    return `[${text}]`
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
        return `URL(${this.#quoted((value as URL).href)})`
      case RegExp.prototype:
        return this.#pattern(value as RegExp)
      case ArrayBuffer.prototype:
        if (!types.isArrayBuffer(value)) break
        assertBare(value, 'ArrayBuffer')
        return `ArrayBuffer(${this.#bytes(Buffer.from(value))})`
    }
    throw new Unkeyable(instanceOf(prototype))
  }

  /** `lastIndex` is included, since a global or sticky pattern matches from there on. */
  #pattern(value: RegExp): string {
    if (Reflect.ownKeys(value).length > 1) throw new Unkeyable('a RegExp with added properties')
    return `RegExp(${this.#quoted(value.source)},${this.#quoted(value.flags)},${this.write(value.lastIndex)})`
  }

  #view(value: ArrayBufferView, prototype: unknown): string {
    const kind = viewKindOf(value)
    if (kind === undefined) throw new Unkeyable(instanceOf(prototype))
    if (kind.isNumeric) {
      const numbers = value as unknown as Iterable<number | bigint>
      return `${kind.name}(${Array.from(numbers, (number) => this.write(number)).join(',')})`
    }
    return `${kind.name}(${this.#bytes(Buffer.from(value.buffer, value.byteOffset, value.byteLength))})`
  }
}

/** What JSON writes without an escape, and is printable: no quote, backslash, control, line separator or surrogate. */
const PLAIN_TEXT = /^[ !#-[\]-~\u00a0-\u2027\u202a-\ud7ff\ue000-\uffff]*$/

/** The text in quotes, with everything that is not well-formed, printable text escaped as in JSON. */
function quoted(text: string): string {
  if (PLAIN_TEXT.test(text)) return `"${text}"`
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
