import {
  PickleInput,
  parseFloatRepr,
  parseIntOrBool,
  parseLong,
  parseQuoted,
  parseRawUnicode,
  readLong,
  unreadable,
} from './pickle-input.ts'
import { Container, Foreign, findForeign, type Item, Tuple } from './pickle-objects.ts'

const STOP = 0x2e

/**
 * The value in a Python pickle of protocol 0 to 5, where it is plain data (`createPickleSerializer` has the
 * table).
 *
 * A pickle is a program for a stack machine. This machine has only the opcodes that build data, and it calls
 * nothing: a class or function named in the pickle is looked up among the few that stand for data, such as
 * `builtins.set`, and what it would have made is built here. Work and memory are linear in the input.
 *
 * @returns a value that shares no memory with `bytes`
 * @throws SyntaxError where the bytes are no such pickle, are cut off or run on, or where the result could not
 * equal what Python holds: lone surrogates, microseconds, datetimes not in `timezone.utc`, cycles, nesting
 * over 500 deep.
 */
export function decodePickle(bytes: Buffer): unknown {
  return new PickleMachine(bytes).run()
}

type Operation = (machine: PickleMachine, input: PickleInput) => void

/** The opcodes of plain data under the names that Python's `pickletools` gives them; no others are legal. */
const OPERATIONS: Readonly<Record<number, Operation>> = {
  // Structure
  128: (_, input) => void (input.byte() <= 5 || unreadable('an unknown protocol')), // PROTO
  149: (_, input) => input.frame(), // FRAME
  40: (machine) => machine.mark(), // MARK
  48: (machine) => machine.pop(), // POP
  49: (machine) => machine.popMark(), // POP_MARK
  50: (machine) => machine.push(machine.top()), // DUP

  // Memo
  112: (machine, input) => machine.put(input.index()), // PUT
  113: (machine, input) => machine.put(input.byte()), // BINPUT
  114: (machine, input) => machine.put(input.uint32()), // LONG_BINPUT
  148: (machine) => machine.memoize(), // MEMOIZE
  103: (machine, input) => machine.get(input.index()), // GET
  104: (machine, input) => machine.get(input.byte()), // BINGET
  106: (machine, input) => machine.get(input.uint32()), // LONG_BINGET

  // Constants and numbers
  78: (machine) => machine.push(null), // NONE
  136: (machine) => machine.push(true), // NEWTRUE
  137: (machine) => machine.push(false), // NEWFALSE
  73: (machine, input) => machine.push(parseIntOrBool(input.line())), // INT
  76: (machine, input) => machine.push(parseLong(input.line())), // LONG
  70: (machine, input) => machine.push(parseFloatRepr(input.line())), // FLOAT
  74: (machine, input) => machine.push(input.int32()), // BININT
  75: (machine, input) => machine.push(input.byte()), // BININT1
  77: (machine, input) => machine.push(input.uint16()), // BININT2
  138: (machine, input) => machine.push(readLong(input.view(input.byte()))), // LONG1
  139: (machine, input) => machine.push(readLong(input.view(input.uint32()))), // LONG4
  71: (machine, input) => machine.push(input.float64()), // BINFLOAT

  // Strings and bytes
  83: (machine, input) => machine.push(parseQuoted(input.line())), // STRING
  85: (machine, input) => machine.push(input.ascii(input.byte())), // SHORT_BINSTRING
  84: (machine, input) => machine.push(input.ascii(input.uint32())), // BINSTRING
  86: (machine, input) => machine.push(parseRawUnicode(input.line())), // UNICODE
  140: (machine, input) => machine.push(input.utf8(input.byte())), // SHORT_BINUNICODE
  88: (machine, input) => machine.push(input.utf8(input.uint32())), // BINUNICODE
  141: (machine, input) => machine.push(input.utf8(input.uint64())), // BINUNICODE8
  67: (machine, input) => machine.push(input.copy(input.byte())), // SHORT_BINBYTES
  66: (machine, input) => machine.push(input.copy(input.uint32())), // BINBYTES
  142: (machine, input) => machine.push(input.copy(input.uint64())), // BINBYTES8
  150: (machine, input) => machine.push(input.copy(input.uint64())), // BYTEARRAY8

  // Containers
  41: (machine) => machine.push(new Tuple([])), // EMPTY_TUPLE
  133: (machine) => machine.push(new Tuple(machine.popMany(1))), // TUPLE1
  134: (machine) => machine.push(new Tuple(machine.popMany(2))), // TUPLE2
  135: (machine) => machine.push(new Tuple(machine.popMany(3))), // TUPLE3
  116: (machine) => machine.push(new Tuple(machine.popMark())), // TUPLE
  93: (machine) => machine.push(new Container([])), // EMPTY_LIST
  108: (machine) => machine.push(new Container([]).append(machine.popMark())), // LIST
  97: (machine) => machine.append(machine.popMany(1)), // APPEND
  101: (machine) => machine.append(machine.popMark()), // APPENDS
  125: (machine) => machine.push(new Container(new Map())), // EMPTY_DICT
  100: (machine) => machine.push(new Container(new Map()).assign(machine.popMark())), // DICT
  115: (machine) => machine.assign(machine.popMany(2)), // SETITEM
  117: (machine) => machine.assign(machine.popMark()), // SETITEMS
  143: (machine) => machine.push(new Container(new Set())), // EMPTY_SET
  145: (machine) => machine.push(new Container(new Set()).add(machine.popMark()).freeze()), // FROZENSET
  144: (machine) => machine.add(machine.popMark()), // ADDITEMS

  // Names, and calls of the few that stand for data
  99: (machine, input) => machine.push(findForeign(input.line(), input.line())), // GLOBAL
  147: (machine) => machine.findForeign(), // STACK_GLOBAL
  82: (machine) => machine.reduce(), // REDUCE
}

class PickleMachine {
  readonly #input: PickleInput
  readonly #stack: Item[] = []
  /** Heights of the stack above which an operation takes its items, the innermost last. */
  readonly #marks: number[] = []
  readonly #memo = new Map<number, Item>()
  #callAllowance: number

  constructor(bytes: Buffer) {
    this.#input = new PickleInput(bytes)
    // What Python writes for a bytearray makes its content twice, and every other call once.
    this.#callAllowance = bytes.length * 2
  }

  run(): unknown {
    for (let opcode = this.#input.byte(); opcode !== STOP; opcode = this.#input.byte()) {
      const operation = OPERATIONS[opcode] ?? unreadable('an operation that is not for plain data')
      operation(this, this.#input)
    }
    const result = new Container([]).admit(this.pop())
    if (this.#stack.length > 0 || this.#marks.length > 0) unreadable('values left over')
    if (!this.#input.ended) unreadable('bytes after its end')
    return result
  }

  push(item: Item): void {
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

  popMany(count: number): Item[] {
    const height = this.#stack.length - count
    if (height < (this.#marks.at(-1) ?? 0)) unreadable('a missing operand')
    return this.#stack.splice(height)
  }

  mark(): void {
    this.#marks.push(this.#stack.length)
  }

  popMark(): Item[] {
    return this.#stack.splice(this.#marks.pop() ?? unreadable('a missing mark'))
  }

  append(items: readonly Item[]): void {
    this.#topContainer().append(items)
  }

  assign(items: readonly Item[]): void {
    this.#topContainer().assign(items)
  }

  add(items: readonly Item[]): void {
    this.#topContainer().add(items)
  }

  put(index: number): void {
    this.#memo.set(index, this.top())
  }

  memoize(): void {
    this.put(this.#memo.size)
  }

  get(index: number): void {
    const item = this.#memo.get(index)
    this.push(item === undefined ? unreadable('a reference to nothing') : item)
  }

  findForeign(): void {
    const [module, name] = this.popMany(2)
    this.push(findForeign(module, name))
  }

  reduce(): void {
    const [callee, tuple] = this.popMany(2)
    if (!(callee instanceof Foreign && tuple instanceof Tuple)) unreadable('a malformed call')
    const made = callee.call(tuple.args)
    this.#spend(made)
    this.push(made instanceof Set ? new Container(made, tuple.depth - 1).freeze() : made)
  }

  /** Arguments can be shared: without a bound, a small pickle could have them copied over and over. */
  #spend(made: unknown): void {
    if (made instanceof Set) this.#callAllowance -= made.size
    if (Buffer.isBuffer(made)) this.#callAllowance -= made.length
    if (this.#callAllowance < 0) unreadable('calls that make more than it holds')
  }

  #topContainer(): Container {
    const container = this.top()
    return container instanceof Container ? container : unreadable('no container to fill')
  }
}
