import { hashElements, hasSparseIndices } from '../../foundation/indexed-names.ts'
import { ownCopy } from '../../foundation/own-copy.ts'
import { type HashSteps, TableHashes, UNCOUNTED } from '../refusals/hash-steps.ts'
import { MAX_NESTING, tooManyLevels } from '../refusals/limits.ts'
import { hashOf, isNumeric } from '../refusals/member-hashes.ts'
import { unreadable } from './pickle-input.ts'

/** What is filled bit by bit is counted again whenever it has so many times the members. */
const GROWTH = 4

/** An item on the stack of a pickle machine. */
export type Item = null | boolean | number | bigint | string | Buffer | Date | Foreign | Container

/** A class, a function or a time zone: it may be called or be an argument, but is never part of a result. */
export class Foreign {
  /** The result of a call; throws if that is not plain data. */
  readonly call: (args: readonly unknown[], steps: HashSteps) => Scalar | Foreign | Set<unknown>

  constructor(call: Foreign['call']) {
    this.call = call
  }
}

type Scalar = Exclude<Item, Foreign | Container>

/**
 * A list, dict or set under construction. Its first use inside another container closes it, so that no container can
 * contain itself, and its depth is known. Python fills a container before it uses it, except in a cycle.
 */
export class Container {
  protected content: unknown[] | Map<unknown, unknown> | Set<unknown> | Record<string, unknown>
  protected open = true
  depth: number
  /** The hashes of the numbers among its members, if it is filled bit by bit, and how many members they are for. */
  #hashes: TableHashes | undefined
  #countedFor = 0

  constructor(content: unknown[] | Map<unknown, unknown> | Set<unknown>, depth = 1) {
    this.content = content
    this.depth = depth
  }

  /** Appends the items of a stack from a height on to a list. */
  append(stack: Item[], height: number): this {
    if (!Array.isArray(this.content)) unreadable('an append to what is no list')
    // Most lists are filled at once: the items need no second array.
    if (this.content.length === 0 && stack.length > height + 1) return this.#adopt(stack.splice(height))
    for (let at = height; at < stack.length; at++) this.content.push(this.#admitOpen(stack[at] as Item))
    return this
  }

  /** Adds the items of a stack from a height on to a set. */
  add(stack: readonly Item[], height: number, steps: HashSteps): this {
    if (!(this.content instanceof Set)) unreadable('an addition to what is no set')
    this.#countHashes(this.content, stack, height, 1, steps)
    let size = this.content.size
    for (let at = height; at < stack.length; at++) {
      this.content.add(this.#admitOpen(stack[at] as Item))
      if (this.content.size !== ++size) unreadable('two equal members in a set')
    }
    return this
  }

  /** Adds entries to a dict; the items of a stack from a height on are keys and values in turn. */
  assign(stack: readonly Item[], height: number, steps: HashSteps): this {
    if (!(this.content instanceof Map)) unreadable('an assignment to what is no dict')
    if ((stack.length - height) % 2 === 1) unreadable('a key without a value')
    this.#countHashes(this.content, stack, height, 2, steps)
    let size = this.content.size
    for (let at = height; at < stack.length; at += 2) {
      const key = this.#admitOpen(stack[at] as Item)
      const value = this.#admitOpen(stack[at + 1] as Item)
      this.content.set(key, value)
      if (this.content.size !== ++size) unreadable('two equal keys in a dict')
    }
    return this
  }

  /** Returns the value of an item that becomes part of this container. */
  admit(item: Item): unknown {
    if (typeof item !== 'object') return item
    if (item instanceof Foreign) unreadable('a class or function as a value')
    if (!(item instanceof Container)) return item
    if (item.depth > MAX_NESTING) throw tooManyLevels()
    this.depth = Math.max(this.depth, item.depth + 1)
    return item.close()
  }

  /** Closes it before its first use, since a frozenset cannot be changed. */
  freeze(): this {
    this.close()
    return this
  }

  /** Returns its value, which does not change any more. */
  close(): unknown {
    if (this.open && this.content instanceof Map) this.content = objectOrMap(this.content)
    this.open = false
    return this.content
  }

  #adopt(items: unknown[]): this {
    for (let at = 0; at < items.length; at++) {
      const item = items[at] as Item
      if (typeof item === 'object') items[at] = this.#admitOpen(item)
    }
    // Checked again, since a list that is not open may have no items.
    if (!this.open) unreadable('a container that is filled after its use')
    this.content = items
    return this
  }

  #admitOpen(item: Item): unknown {
    const value = this.admit(item)
    // Checked after the item was admitted, since it may be this container itself.
    if (!this.open) unreadable('a container that is filled after its use')
    return value
  }

  /**
   * Counts the hashes of items that will become members or keys: each `stride`th of a stack from a height on.
   * @throws LimitExceeded
   */
  #countHashes(
    content: ReadonlySet<unknown> | ReadonlyMap<unknown, unknown>,
    stack: readonly Item[],
    height: number,
    stride: 1 | 2,
    steps: HashSteps,
  ): void {
    const count = content.size + (stack.length - height) / stride
    if (count <= UNCOUNTED) return
    const isFirst = content.size === 0
    const hashes = isFirst ? steps.begin(count) : this.#hashesFor(content, count, steps)
    for (let at = height; at < stack.length; at += stride) {
      const item = stack[at]
      if (isNumeric(item)) hashes.add(hashOf(item))
    }
    if (isFirst) steps.end()
  }

  /** The hashes of the members that there are, of which there will be so many at least. */
  #hashesFor(
    content: ReadonlySet<unknown> | ReadonlyMap<unknown, unknown>,
    count: number,
    steps: HashSteps,
  ): TableHashes {
    if (this.#hashes === undefined || count > this.#countedFor) {
      this.#countedFor = count * GROWTH
      this.#hashes = new TableHashes(steps, this.#countedFor)
      addNumbers(this.#hashes, content.keys())
    }
    return this.#hashes
  }
}

/** The only container that may have foreign items, as the arguments of a call; it is not a value then. */
export class Tuple extends Container {
  readonly args: readonly unknown[]
  readonly #isValue: boolean

  constructor(items: readonly Item[]) {
    const args: unknown[] = []
    super(args)
    this.open = false
    for (const item of items) args.push(item instanceof Foreign ? item : this.admit(item))
    this.args = args
    this.#isValue = !items.some((item) => item instanceof Foreign)
  }

  override close(): unknown {
    return this.#isValue ? this.args : unreadable('a class or function as a value')
  }
}

/** It defines properties and does not assign them, so `__proto__` is a key like any other. */
function objectOrMap(map: ReadonlyMap<unknown, unknown>): Map<unknown, unknown> | Record<string, unknown> {
  for (const key of map.keys()) if (typeof key !== 'string') return map as Map<unknown, unknown>
  const properties = map as ReadonlyMap<string, unknown>
  if (!hasSparseIndices(properties.keys())) return Object.fromEntries(properties)
  const object: Record<string, unknown> = hashElements({})
  for (const [name, value] of properties) {
    Object.defineProperty(object, name, { value, configurable: true, enumerable: true, writable: true })
  }
  return object
}

function addNumbers(hashes: TableHashes, members: Iterable<unknown>): void {
  for (const member of members) if (isNumeric(member)) hashes.add(hashOf(member))
}

const ZERO = new Foreign(() => unreadable('a call of a timedelta'))
const UTC = new Foreign(() => unreadable('a call of a timezone'))

const setOf = new Foreign(([items = [], ...rest], steps) => {
  if (!Array.isArray(items) || rest.length > 0) unreadable('a malformed set')
  if (items.length > UNCOUNTED) {
    addNumbers(steps.begin(items.length), items)
    steps.end()
  }
  const set = new Set<unknown>(items)
  return set.size === items.length ? set : unreadable('two equal members in a set')
})

const bytesOf = new Foreign((args) => {
  const [content, encoding] = args
  if (args.length === 0) return Buffer.alloc(0)
  if (args.length === 1 && Buffer.isBuffer(content)) return ownCopy(content)
  if (args.length !== 2 || typeof content !== 'string' || !isLatin1(encoding)) unreadable('malformed bytes')
  if (/[^\0-\xff]/.test(content)) unreadable('malformed bytes')
  return ownCopy(Buffer.from(content, 'latin1'))
})

/** As `bytesOf`, which also accepts fewer arguments, as the classes `bytes` and `bytearray` do. */
const encodeOf = new Foreign((args, steps) =>
  args.length === 2 ? bytesOf.call(args, steps) : unreadable('malformed bytes'),
)

function isLatin1(encoding: unknown): boolean {
  return encoding === 'latin1' || encoding === 'latin-1'
}

const timedeltaOf = new Foreign((args) =>
  args.length === 3 && args.every((part) => part === 0) ? ZERO : unreadable('a timedelta'),
)

const timezoneOf = new Foreign((args) =>
  args.length === 1 && args[0] === ZERO ? UTC : unreadable('a time zone other than timezone.utc'),
)

/** A naive datetime is refused, since it is not a moment in time; so is one with a fraction of a millisecond. */
const datetimeOf = new Foreign((args) => {
  const [state, zone] = args
  if (args.length !== 2 || !Buffer.isBuffer(state) || state.length !== 10) unreadable('a malformed datetime')
  if (zone !== UTC) unreadable('a datetime that is not in timezone.utc')
  const micros = state.readUIntBE(7, 3)
  if (micros % 1_000 !== 0) unreadable('a datetime with microseconds')
  const year = state.readUInt16BE(0)
  const month = state.readUInt8(2)
  const day = state.readUInt8(3)
  const hours = state.readUInt8(4)
  const minutes = state.readUInt8(5)
  const seconds = state.readUInt8(6)
  const isClock = hours < 24 && minutes < 60 && seconds < 60 && micros < 1_000_000
  if (!isClock || year < 1 || year > 9999 || month < 1 || month > 12) unreadable('a malformed datetime')
  // `Date.UTC` takes the years below 100 for those of the last century.
  const later = Date.UTC(year + 400, month - 1, day, hours, minutes, seconds, micros / 1_000)
  const date = new Date(later - MS_OF_400_YEARS)
  // The 30th of February gives a day of March.
  return date.getUTCDate() === day ? date : unreadable('a malformed datetime')
})

/** After so many years the calendar repeats itself. */
const MS_OF_400_YEARS = Date.UTC(2400) - Date.UTC(2000)

const BUILTINS: ReadonlyMap<string, Foreign> = new Map([
  ['set', setOf],
  ['frozenset', setOf],
  ['bytes', bytesOf],
  ['bytearray', bytesOf],
])

/** What each module has. */
const FOREIGN: ReadonlyMap<string, ReadonlyMap<string, Foreign>> = new Map([
  ['builtins', BUILTINS],
  // The name of the module in Python 2, which protocols below 3 still use.
  ['__builtin__', BUILTINS],
  ['_codecs', new Map([['encode', encodeOf]])],
  [
    'datetime',
    new Map([
      ['timedelta', timedeltaOf],
      ['timezone', timezoneOf],
      ['datetime', datetimeOf],
    ]),
  ],
])

/** The object that a module and a name refer to. Only names that stand for plain data are known. */
export function findForeign(module: unknown, name: unknown): Foreign {
  if (typeof module !== 'string' || typeof name !== 'string') unreadable('a malformed name')
  return FOREIGN.get(module)?.get(name) ?? unreadable('a class or function that is no plain data')
}
