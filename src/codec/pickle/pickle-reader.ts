import { MAX_PARTS, tooManyParts } from '../refusals/limits.ts'
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
import { OP } from './pickle-opcodes.ts'

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

type Operation = (machine: PickleMachine, input: PickleInput) => void

/** The operation of each opcode; the opcodes that are missing here do not build plain data. */
const OPERATIONS: Readonly<Record<number, Operation>> = {
  // Structure
  [OP.PROTO]: (_, input) => void (input.byte() <= 5 || unreadable('an unknown protocol')),
  [OP.FRAME]: (_, input) => input.frame(),
  [OP.MARK]: (machine) => machine.mark(),
  [OP.POP]: (machine) => machine.pop(),
  [OP.POP_MARK]: (machine) => machine.popMark(),
  [OP.DUP]: (machine) => machine.push(machine.top()),

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
  [OP.LIST]: (machine) => machine.push(new Container([]).append(machine.popMark())),
  [OP.APPEND]: (machine) => machine.append(machine.popMany(1)),
  [OP.APPENDS]: (machine) => machine.append(machine.popMark()),
  [OP.EMPTY_DICT]: (machine) => machine.push(new Container(new Map())),
  [OP.DICT]: (machine) => machine.push(new Container(new Map()).assign(machine.popMark())),
  [OP.SETITEM]: (machine) => machine.assign(machine.popMany(2)),
  [OP.SETITEMS]: (machine) => machine.assign(machine.popMark()),
  [OP.EMPTY_SET]: (machine) => machine.push(new Container(new Set())),
  [OP.FROZENSET]: (machine) => machine.push(new Container(new Set()).add(machine.popMark()).freeze()),
  [OP.ADDITEMS]: (machine) => machine.add(machine.popMark()),

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
  readonly #memo = new Map<number, Item>()
  #containers = 0
  #callAllowance: number

  constructor(bytes: Buffer) {
    this.#input = new PickleInput(bytes)
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

  push(item: Item): void {
    if (item instanceof Container && ++this.#containers > MAX_PARTS) throw tooManyParts()
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
    if (this.#memo.size > MAX_PARTS) throw tooManyParts()
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

  /** Arguments can be shared, so without a bound a small pickle could copy them many times. */
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
