import type { CounterOptions } from '../../contract/cache-backend.ts'
import { COUNTER_OPTIONS, int64Text, negated, safeIntegerText } from './operation-arguments.ts'
import type { OperationScope } from './operation-scope.ts'

/** One change of a counter, as its public operation asks for it. */
interface CountRequest {
  readonly operation: string
  readonly key: string
  readonly options: CounterOptions
  /** Whether the result must be a safe integer. */
  readonly safeOnly: boolean
  /** The amount as decimal text; throws if it is invalid. */
  readonly amount: () => string
}

/** The counters of a backend. No failure is absorbed: there is no honest number to answer with. */
export class CounterOperations {
  readonly #scope: OperationScope

  constructor(scope: OperationScope) {
    this.#scope = scope
  }

  async incr(key: string, amount: number, options: CounterOptions): Promise<number> {
    const text = () => safeIntegerText(amount, 'amount')
    return Number(await this.#count({ operation: 'incr', key, options, safeOnly: true, amount: text }))
  }

  async decr(key: string, amount: number, options: CounterOptions): Promise<number> {
    const text = () => negated(safeIntegerText(amount, 'amount'))
    return Number(await this.#count({ operation: 'decr', key, options, safeOnly: true, amount: text }))
  }

  async incrBig(key: string, amount: bigint, options: CounterOptions): Promise<bigint> {
    const text = () => int64Text(amount, 'amount')
    return BigInt(await this.#count({ operation: 'incrBig', key, options, safeOnly: false, amount: text }))
  }

  async decrBig(key: string, amount: bigint, options: CounterOptions): Promise<bigint> {
    // -(-2^63) is outside the range, so the negated amount is checked too.
    const text = () => int64Text(BigInt(negated(int64Text(amount, 'amount'))), 'amount')
    return BigInt(await this.#count({ operation: 'decrBig', key, options, safeOnly: false, amount: text }))
  }

  #count({ amount, key, operation, options, safeOnly }: CountRequest): Promise<string> {
    return this.#scope.policy.insist(operation, key, async () => {
      this.#scope.checkOptions(options, COUNTER_OPTIONS)
      const { default: start = 0 } = options
      return this.#scope.store.count(this.#scope.storedKey(key), {
        ...this.#scope.expiry(options),
        amount: amount(),
        start: typeof start === 'bigint' ? int64Text(start, 'default') : safeIntegerText(start, 'default'),
        safeOnly,
      })
    })
  }
}
