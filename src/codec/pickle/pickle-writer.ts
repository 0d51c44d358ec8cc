import { types } from 'node:util'
import { HashSteps, UNCOUNTED } from '../refusals/hash-steps.ts'
import { MAX_NESTING, MAX_PARTS, NestedTooDeep, tooManyParts } from '../refusals/limits.ts'
import { hashOf, isNumeric } from '../refusals/member-hashes.ts'
import { assertNoProperties } from '../refusals/record-checks.ts'
import { kindOf, Refusal } from '../refusals/refusal.ts'
import { OP } from './pickle-opcodes.ts'
import { PickleOutput } from './pickle-output.ts'

/** The memo index of a container whose items are still being written; a reference to it is a cycle. */
const UNFINISHED = -1

/** The memo key of the time zone that every datetime refers to. */
const UTC = Symbol('datetime.timezone.utc')

/**
 * A value as a Python pickle of protocol 4. Equal strings and shared objects are written once.
 * @throws Refusal if the value or a part of it has no exact counterpart among the plain data of Python: `undefined`,
 * functions, symbols, class instances, cycles, lone surrogates, an invalid `Date`, keys and set members that Python
 * cannot hash or considers equal (`1` and `true`), and nesting of more than 500 levels
 */
export function encodePickle(value: unknown): Buffer {
  return new PickleWriter().write(value)
}

/** A container whose items are being written. */
interface Frame {
  readonly container: object
  readonly items: Iterator<unknown>
  readonly fill: number
}

/** Writes with a stack of its own and without recursion, so that no value can exhaust the call stack. */
class PickleWriter {
  readonly #output = new PickleOutput()
  readonly #frames: Frame[] = []
  readonly #steps = new HashSteps()
  /** The index in Python's memo of each value that has been written. */
  readonly #memo = new Map<unknown, number>()
  #memoized = 0
  #parts = 0

  write(root: unknown): Buffer {
    this.#output.opcodes(OP.PROTO, 4)
    this.#item(root)
    for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
      const next = frame.items.next()
      if (next.done === true) this.#leave(frame)
      else this.#item(next.value)
    }
    this.#output.byte(OP.STOP)
    return this.#output.written
  }

  #item(value: unknown): void {
    if (value === null) this.#output.byte(OP.NONE)
    else if (typeof value === 'string') this.#string(value)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'boolean') this.#output.byte(value ? OP.NEWTRUE : OP.NEWFALSE)
    else if (typeof value === 'object') this.#object(value)
    else if (typeof value === 'bigint') this.#long(value)
    else throw new Refusal(kindOf(value))
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.#output.byte(OP.BINFLOAT)
      this.#output.float64(value)
    } else if (value !== (value | 0)) {
      this.#long(BigInt(value))
    } else {
      // A negative number, converted to unsigned, is over 255 and has the bits of its two's complement.
      this.#output.sized(value >>> 0, OP.BININT1, OP.BININT)
    }
  }

  #long(value: bigint): void {
    // Half of the hex digits, rounded down, plus one byte: this always leaves room for the sign bit.
    const magnitude = value < 0n ? ~value : value
    const length = Math.floor(magnitude.toString(16).length / 2) + 1
    const hex = BigInt.asUintN(length * 8, value).toString(16)
    this.#output.sized(length, OP.LONG1, OP.LONG4)
    this.#output.append(Buffer.from(hex.padStart(length * 2, '0'), 'hex').reverse())
  }

  #string(value: string): void {
    if (this.#recall(value)) return
    if (!value.isWellFormed()) throw new Refusal('a string with a lone surrogate')
    this.#output.utf8(value)
    this.#memoize(value)
  }

  #object(value: object): void {
    if (this.#recall(value)) return
    if (isDate(value)) this.#date(value)
    else if (types.isUint8Array(value)) this.#byteString(value)
    else this.#enter(value)
  }

  #byteString(bytes: Uint8Array): void {
    this.#count(1)
    this.#output.sized(bytes.length, OP.SHORT_BINBYTES, OP.BINBYTES)
    this.#output.append(bytes)
    this.#memoize(bytes)
  }

  /** Writes `datetime(state, timezone.utc)` as Python does; `timezone.utc` is `timezone(timedelta(0, 0, 0))`. */
  #date(date: Date): void {
    assertNoProperties(date)
    // The tuples of the arguments count too.
    this.#count(1)
    this.#global('datetime')
    this.#byteString(datetimeState(date))
    if (!this.#recall(UTC)) {
      this.#count(2)
      this.#global('timezone')
      this.#global('timedelta')
      for (const part of [0, 0, 0]) this.#number(part)
      this.#output.opcodes(OP.TUPLE3, OP.REDUCE, OP.TUPLE1, OP.REDUCE)
      this.#memoize(UTC)
    }
    this.#output.opcodes(OP.TUPLE2, OP.REDUCE)
    this.#memoize(date)
  }

  #global(name: string): void {
    this.#string('datetime')
    this.#string(name)
    this.#output.byte(OP.STACK_GLOBAL)
  }

  #enter(value: object): void {
    if (this.#frames.length === MAX_NESTING) throw new NestedTooDeep()
    this.#count(1)
    const [empty, items, fill] = contentsOf(value, this.#steps)
    this.#memo.set(value, UNFINISHED)
    this.#output.opcodes(empty, OP.MARK)
    this.#frames.push({ container: value, items, fill })
  }

  #leave(frame: Frame): void {
    this.#frames.pop()
    this.#output.byte(frame.fill)
    this.#memoize(frame.container)
  }

  /** Parts as the reader counts them. */
  #count(parts: number): void {
    this.#parts += parts
    if (this.#parts > MAX_PARTS) throw tooManyParts()
  }

  #memoize(value: unknown): void {
    if (this.#memoized === MAX_PARTS) throw tooManyParts()
    this.#output.byte(OP.MEMOIZE)
    this.#memo.set(value, this.#memoized++)
  }

  /** Writes a reference to `value` if it was written before. */
  #recall(value: unknown): boolean {
    const index = this.#memo.get(value)
    if (index === undefined) return false
    if (index === UNFINISHED) throw new Refusal('a cycle')
    this.#output.sized(index, OP.BINGET, OP.LONG_BINGET)
    return true
  }
}

/**
 * The opcode of the empty container, its items in the order in which they are written, and the opcode that adds them.
 */
function contentsOf(value: object, steps: HashSteps): readonly [number, Iterator<unknown>, number] {
  switch (Object.getPrototypeOf(value)) {
    case Array.prototype:
      return [OP.EMPTY_LIST, (value as unknown[]).values(), OP.APPENDS]
    case Map.prototype:
      assertNoProperties(value)
      checkKeys(value as Map<unknown, unknown>, steps)
      return [OP.EMPTY_DICT, pairwise(value as Map<unknown, unknown>), OP.SETITEMS]
    case Set.prototype:
      assertNoProperties(value)
      checkKeys(value as Set<unknown>, steps)
      return [OP.EMPTY_SET, (value as Set<unknown>).values(), OP.ADDITEMS]
    case Object.prototype:
    case null:
      if (Object.getOwnPropertySymbols(value).length > 0) throw new Refusal('a property named by a symbol')
      return [OP.EMPTY_DICT, pairwise(Object.entries(value)), OP.SETITEMS]
    default:
      throw new Refusal(kindOf(value))
  }
}

function* pairwise(entries: Iterable<readonly [unknown, unknown]>): Generator<unknown, void> {
  for (const [key, value] of entries) {
    yield key
    yield value
  }
}

/** Throws if Python cannot hash a key, or considers two of them equal and so would lose an entry. */
function checkKeys(table: Map<unknown, unknown> | Set<unknown>, steps: HashSteps): void {
  const identities = new Set<unknown>()
  const hashes = table.size > UNCOUNTED ? steps.begin(table.size) : undefined
  for (const key of table.keys()) {
    // In both languages these are equal only to themselves.
    if (typeof key === 'string' || key === null) continue
    if (hashes !== undefined && isNumeric(key)) hashes.add(hashOf(asRead(key)))
    const identity = pythonIdentity(key)
    if (identities.has(identity)) throw new Refusal('two keys that are equal in Python')
    identities.add(identity)
  }
  if (hashes !== undefined) steps.end()
}

/**
 * A value that two keys share if Python considers them equal: there `1 == 1.0 == True`. It is no bigint, since V8 hashes all
 * multiples of 2^64 alike.
 */
function pythonIdentity(key: unknown): number | string {
  if (typeof key === 'boolean') return Number(key)
  if (typeof key === 'number') return Number.isInteger(key) ? integerIdentity(key) : key
  if (typeof key === 'bigint') return integerIdentity(key)
  if (types.isUint8Array(key)) return `bytes ${Buffer.from(key).toString('latin1')}`
  if (isDate(key)) return `datetime ${key.getTime()}`
  throw new Refusal('a key or set member that Python cannot hash')
}

/** A bigint is read as a number if it is safe. */
function asRead(key: number | bigint): number | bigint {
  return typeof key === 'bigint' && Number.isSafeInteger(Number(key)) ? Number(key) : key
}

function integerIdentity(key: number | bigint): number | string {
  return Number.isSafeInteger(Number(key)) ? Number(key) : `int ${BigInt(key).toString(16)}`
}

function isDate(value: unknown): value is Date {
  return types.isDate(value) && Object.getPrototypeOf(value) === Date.prototype
}

/** The ten bytes of a pickled datetime: year (big-endian), month, day, hour, minute, second, microseconds. */
function datetimeState(date: Date): Buffer {
  const year = date.getUTCFullYear()
  if (!(year >= 1 && year <= 9999)) throw new Refusal('an invalid Date, or one outside the years 1 to 9999')
  const state = Buffer.alloc(10)
  state.writeUInt16BE(year, 0)
  state[2] = date.getUTCMonth() + 1
  state[3] = date.getUTCDate()
  state[4] = date.getUTCHours()
  state[5] = date.getUTCMinutes()
  state[6] = date.getUTCSeconds()
  state.writeUIntBE(date.getUTCMilliseconds() * 1_000, 7, 3)
  return state
}
