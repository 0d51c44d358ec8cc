import { HashSteps } from '../refusals/hash-steps.ts'
import { MAX_PARTS, tooManyParts } from '../refusals/limits.ts'
import {
  PickleInput,
  parseFloatRepr,
  parseIntOrBool,
  parseLong,
  readLong,
  unreadable,
} from './pickle-input.ts'
import { Container, Foreign, findForeign, type Item, Tuple } from './pickle-objects.ts'
import { OP } from './pickle-opcodes.ts'
import { parseQuoted, parseRawUnicode } from './pickle-text.ts'

/**
 * The value in a Python pickle of protocol 0 to 5, if it is plain data (`createPickleSerializer` has the table).
 *
 * A pickle is a program for a stack machine. This machine has only the opcodes that build data, and it calls nothing. A
 * class or function that a pickle names is looked up among the few that stand for data, such as `builtins.set`, and its
 * result is built here. Time and memory are linear in the size of the input.
 *
 * @returns a value that shares no memory with `bytes`
 * @throws SyntaxError if the bytes are not such a pickle, are cut off or have a rest, or if the result could not equal
 * the value in Python: lone surrogates, microseconds, datetimes not in `timezone.utc`, cycles, and nesting of more than
 * 500 levels
 */
export function decodePickle(bytes: Buffer): unknown {
  return new PickleMachine(bytes).run()
}

/** A datetime with arguments of its own has more bytes than this. */
const BYTES_OF_DATE = 16
/** What a member of a set is charged: it takes two bytes at least, or there are few others in the set. */
const BYTES_OF_MEMBER = 4

type Operation = (machine: PickleMachine, input: PickleInput) => void

/** The operation of each opcode; the opcodes that are missing here do not build plain data. */
const OPERATIONS: Readonly<Record<number, Operation>> = {
  // Structure
  [OP.PROTO]: (_, input) => void (input.byte() <= 5 || unreadable('an unknown protocol')),
  [OP.FRAME]: (_, input) => input.frame(),
  [OP.MARK]: (machine) => machine.mark(),
  [OP.POP]: (machine) => machine.pop(),
  [OP.POP_MARK]: (machine) => machine.popMark(),
  [OP.DUP]: (machine) => machine.repeat(machine.top()),

  // Memo
  [OP.PUT]: (machine, input) => machine.put(input.index()),
  [OP.BINPUT]: (machine, input) => machine.put(input.byte()),
  [OP.LONG_BINPUT]: (machine, input) => machine.put(input.uint32()),
  [OP.MEMOIZE]: (machine) => machine.memoize(),
  [OP.GET]: (machine, input) => machine.get(input.index()),
  [OP.BINGET]: (machine, input) => machine.get(input.byte()),
  [OP.LONG_BINGET]: (machine, input) => machine.get(input.uint32()),

  // Constants and numbers
  [OP.NONE]: (machine) => machine.push(null),
  [OP.NEWTRUE]: (machine) => machine.push(true),
  [OP.NEWFALSE]: (machine) => machine.push(false),
  [OP.INT]: (machine, input) => machine.push(parseIntOrBool(input.line())),
  [OP.LONG]: (machine, input) => machine.push(parseLong(input.line())),
  [OP.FLOAT]: (machine, input) => machine.push(parseFloatRepr(input.line())),
  [OP.BININT]: (machine, input) => machine.push(input.int32()),
  [OP.BININT1]: (machine, input) => machine.push(input.byte()),
  [OP.BININT2]: (machine, input) => machine.push(input.uint16()),
  [OP.LONG1]: (machine, input) => machine.push(readLong(input.view(input.byte()))),
  [OP.LONG4]: (machine, input) => machine.push(readLong(input.view(input.uint32()))),
  [OP.BINFLOAT]: (machine, input) => machine.push(input.float64()),

  // Strings and bytes
  [OP.STRING]: (machine, input) => machine.push(parseQuoted(input.line())),
  [OP.SHORT_BINSTRING]: (machine, input) => machine.push(input.ascii(input.byte())),
  [OP.BINSTRING]: (machine, input) => machine.push(input.ascii(input.uint32())),
  [OP.UNICODE]: (machine, input) => machine.push(parseRawUnicode(input.line())),
  [OP.SHORT_BINUNICODE]: (machine, input) => machine.push(input.utf8(input.byte())),
  [OP.BINUNICODE]: (machine, input) => machine.push(input.utf8(input.uint32())),
  [OP.BINUNICODE8]: (machine, input) => machine.push(input.utf8(input.uint64())),
  [OP.SHORT_BINBYTES]: (machine, input) => machine.push(input.copy(input.byte())),
  [OP.BINBYTES]: (machine, input) => machine.push(input.copy(input.uint32())),
  [OP.BINBYTES8]: (machine, input) => machine.push(input.copy(input.uint64())),
  [OP.BYTEARRAY8]: (machine, input) => machine.push(input.copy(input.uint64())),

  // Containers
  [OP.EMPTY_TUPLE]: (machine) => machine.push(new Tuple([])),
  [OP.TUPLE1]: (machine) => machine.push(new Tuple(machine.popMany(1))),
  [OP.TUPLE2]: (machine) => machine.push(new Tuple(machine.popMany(2))),
  [OP.TUPLE3]: (machine) => machine.push(new Tuple(machine.popMany(3))),
  [OP.TUPLE]: (machine) => machine.push(new Tuple(machine.popMark())),
  [OP.EMPTY_LIST]: (machine) => machine.push(new Container([])),
  [OP.LIST]: (machine) => machine.make(new Container([]), 'append'),
  [OP.APPEND]: (machine) => machine.fill('append', machine.below(1)),
  [OP.APPENDS]: (machine) => machine.fill('append', machine.unmark()),
  [OP.EMPTY_DICT]: (machine) => machine.push(new Container(new Map())),
  [OP.DICT]: (machine) => machine.make(new Container(new Map()), 'assign'),
  [OP.SETITEM]: (machine) => machine.fill('assign', machine.below(2)),
  [OP.SETITEMS]: (machine) => machine.fill('assign', machine.unmark()),
  [OP.EMPTY_SET]: (machine) => machine.push(new Container(new Set())),
  [OP.FROZENSET]: (machine) => machine.make(new Container(new Set()), 'add').freeze(),
  [OP.ADDITEMS]: (machine) => machine.fill('add', machine.unmark()),

  // Names, and calls of those that stand for data
  [OP.GLOBAL]: (machine, input) => machine.push(findForeign(input.line(), input.line())),
  [OP.STACK_GLOBAL]: (machine) => machine.findForeign(),
  [OP.REDUCE]: (machine) => machine.reduce(),
}

class PickleMachine {
  readonly #input: PickleInput
  readonly #stack: Item[] = []
  /** The stack heights above which an operation takes its items; the innermost is the last. */
  readonly #marks: number[] = []
  readonly #steps = new HashSteps()
  /** Python numbers what it memoizes one after the other. */
  readonly #memo: Item[] = []
  /** What a pickle numbers otherwise. */
  readonly #farMemo = new Map<number, Item>()
  #parts = 0
  readonly #largestIndex: number
  #callAllowance: number

  constructor(bytes: Buffer) {
    this.#input = new PickleInput(bytes)
    this.#largestIndex = bytes.length
    // The calls that Python writes for a bytearray build its content twice; every other call builds it once.
    this.#callAllowance = bytes.length * 2
  }

  run(): unknown {
    for (let opcode = this.#input.byte(); opcode !== OP.STOP; opcode = this.#input.byte()) {
      const operation = OPERATIONS[opcode] ?? unreadable('an operation that is not for plain data')
      operation(this, this.#input)
    }
    const result = new Container([]).admit(this.pop())
    if (this.#stack.length > 0 || this.#marks.length > 0) unreadable('values left over')
    if (!this.#input.ended) unreadable('bytes after its end')
    return result
  }

  /** A new item. */
  push(item: Item): void {
    const isPart = typeof item === 'object' && (item instanceof Container || Buffer.isBuffer(item))
    if (isPart && ++this.#parts > MAX_PARTS) throw tooManyParts()
    this.#stack.push(item)
  }

  /** An item that was there before. */
  repeat(item: Item): void {
    this.#stack.push(item)
  }

  top(): Item {
    const item = this.#stack.at(-1)
    if (item === undefined || this.#stack.length === this.#marks.at(-1)) unreadable('a missing operand')
    return item
  }

  pop(): Item {
    const item = this.top()
    this.#stack.pop()
    return item
  }

  /** The height below so many items. */
  below(count: number): number {
    const height = this.#stack.length - count
    return height < (this.#marks.at(-1) ?? 0) ? unreadable('a missing operand') : height
  }

  popMany(count: number): Item[] {
    return this.#stack.splice(this.below(count))
  }

  mark(): void {
    this.#marks.push(this.#stack.length)
  }

  /** The height of the innermost mark, which is removed. */
  unmark(): number {
    return this.#marks.pop() ?? unreadable('a missing mark')
  }

  popMark(): Item[] {
    return this.#stack.splice(this.unmark())
  }

  /** Moves the items from a height on into the container below them. */
  fill(how: 'append' | 'assign' | 'add', height: number): void {
    const isThere = height > (this.#marks.at(-1) ?? 0)
    const container = isThere ? this.#stack[height - 1] : unreadable('a missing operand')
    if (!(container instanceof Container)) unreadable('no container to fill')
    this.#move(container, how, height)
  }

  /** Moves the items above the innermost mark into a new container. */
  make(container: Container, how: 'append' | 'assign' | 'add'): Container {
    this.#move(container, how, this.unmark())
    this.push(container)
    return container
  }

  #move(container: Container, how: 'append' | 'assign' | 'add', height: number): void {
    container[how](this.#stack, height, this.#steps)
    // To set the length of an array to a little less takes longer.
    if (this.#stack.length === height + 1) this.#stack.pop()
    else if (this.#stack.length > height) this.#stack.length = height
  }

  put(index: number): void {
    // Python counts. An arbitrary number could be chosen for its hash.
    if (index > this.#largestIndex) unreadable('a memo index that is too large')
    if (index > this.#memo.length) {
      this.#farMemo.set(index, this.top())
    } else {
      this.#memo[index] = this.top()
      if (this.#farMemo.size > 0) this.#farMemo.delete(index)
    }
    if (this.#memoized > MAX_PARTS) throw tooManyParts()
  }

  memoize(): void {
    this.put(this.#memoized)
  }

  get #memoized(): number {
    return this.#memo.length + this.#farMemo.size
  }

  get(index: number): void {
    const item = index < this.#memo.length ? this.#memo[index] : this.#farMemo.get(index)
    this.repeat(item === undefined ? unreadable('a reference to nothing') : item)
  }

  findForeign(): void {
    const [module, name] = this.popMany(2)
    this.push(findForeign(module, name))
  }

  reduce(): void {
    const [callee, tuple] = this.popMany(2)
    if (!(callee instanceof Foreign && tuple instanceof Tuple)) unreadable('a malformed call')
    const made = callee.call(tuple.args, this.#steps)
    this.#spend(made)
    this.push(made instanceof Set ? new Container(made, tuple.depth - 1).freeze() : made)
  }

  /** Arguments can be shared, so without a bound a small pickle could copy them many times. */
  #spend(made: unknown): void {
    if (made instanceof Set) this.#callAllowance -= made.size * BYTES_OF_MEMBER
    if (Buffer.isBuffer(made)) this.#callAllowance -= made.length
    if (made instanceof Date) this.#callAllowance -= BYTES_OF_DATE
    if (this.#callAllowance < 0) unreadable('calls that make more than it holds')
  }
}
