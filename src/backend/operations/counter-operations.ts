import type { CounterOptions } from '../../contract/cache-backend.ts'
import { COUNTER_OPTIONS, int64Text, negated, safeIntegerText } from './operation-arguments.ts'
import type { OperationScope } from './operation-scope.ts'

/** What sets an operation on counters apart from the others. */
interface CounterOperation<Count> {
  readonly name: string
  /** Whether the result must be a safe integer. */
  readonly safeOnly: boolean
  /** What is added, as decimal text; throws if the amount that the caller passed is invalid. */
  readonly addend: (amount: unknown) => string
  readonly countOf: (reply: number | string) => Count
}

const INCR: CounterOperation<number> = {
  name: 'incr',
  safeOnly: true,
  addend: (amount) => safeIntegerText(amount, 'amount'),
  countOf: Number,
}

const DECR: CounterOperation<number> = {
  name: 'decr',
  safeOnly: true,
  addend: (amount) => negated(safeIntegerText(amount, 'amount')),
  countOf: Number,
}

const INCR_BIG: CounterOperation<bigint> = {
  name: 'incrBig',
  safeOnly: false,
  addend: (amount) => int64Text(amount, 'amount'),
  countOf: BigInt,
}

const DECR_BIG: CounterOperation<bigint> = {
  name: 'decrBig',
  safeOnly: false,
  // -(-2^63) is outside the range, so the negated amount is checked too.
  addend: (amount) => int64Text(BigInt(negated(int64Text(amount, 'amount'))), 'amount'),
  countOf: BigInt,
}

/** The counters of a backend. No failure is absorbed: there is no honest number to answer with. */
export class CounterOperations {
  readonly #scope: OperationScope

  constructor(scope: OperationScope) {
    this.#scope = scope
  }

  incr(key: string, amount: number, options: CounterOptions): Promise<number> {
    return this.#count(INCR, key, amount, options)
  }

  decr(key: string, amount: number, options: CounterOptions): Promise<number> {
    return this.#count(DECR, key, amount, options)
  }

  incrBig(key: string, amount: bigint, options: CounterOptions): Promise<bigint> {
    return this.#count(INCR_BIG, key, amount, options)
  }

  decrBig(key: string, amount: bigint, options: CounterOptions): Promise<bigint> {
    return this.#count(DECR_BIG, key, amount, options)
  }

  /** Not an async function: counters share their commands, so promises would be most of what one costs. */
  #count<Count>(
    operation: CounterOperation<Count>,
    key: string,
    amount: unknown,
    options: CounterOptions,
  ): Promise<Count> {
    const scope = this.#scope
    const { addend, countOf, name, safeOnly } = operation
    try {
      scope.checkOptions(options, COUNTER_OPTIONS)
      const { default: start = 0, slide = false, ttl } = options
      const storedKey = scope.storedKey(key)
      const change = {
        amount: addend(amount),
        start: typeof start === 'bigint' ? int64Text(start, 'default') : safeIntegerText(start, 'default'),
        ttlMs: scope.ttlMs(ttl),
        slide,
        safeOnly,
      }
      return scope.store.count(storedKey, change).then(countOf, (error: unknown) => {
        throw scope.policy.tell(name, key, error)
      })
    } catch (error) {
      return Promise.reject(scope.policy.tell(name, key, error))
    }
  }
}
