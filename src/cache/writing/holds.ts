import { isReserved } from '../../foundation/reserved-keys.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { WritePath } from './write-path.ts'

/** A key or a generation that a change holds. */
export interface Hold {
  readonly storedKey: string
  /** What the shared tier needs to end it. */
  readonly ticket: string
}

/** The outcome of {@link Holds.place}. */
export interface Placed {
  readonly holds: readonly Hold[]
  /** Why the others could not be placed. */
  readonly failures: readonly unknown[]
}

/** Places and ends the holds of changes. While a key or a generation is held, nothing is stored under it. */
export class Holds {
  readonly #core: CacheCore
  readonly #writes: WritePath

  constructor(core: CacheCore, writes: WritePath) {
    this.#core = core
    this.#writes = writes
  }

  /** Never rejects. */
  async place(storedKeys: readonly string[], durationMs: number): Promise<Placed> {
    const { tier } = this.#core
    const outcomes = await this.#sendEach(storedKeys, async (storedKey) => ({
      storedKey,
      ticket: await tier.hold(storedKey, durationMs),
    }))
    return {
      holds: outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
      failures: outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : [])),
    }
  }

  /**
   * Ends holds, and invalidates what they held.
   * @returns whether each of them was there to the end
   * @throws CacheError if Redis does not acknowledge one; the outbox then keeps an invalidation
   */
  async end(holds: readonly Hold[]): Promise<boolean> {
    const tickets = new Map(holds.map(({ storedKey, ticket }) => [storedKey, ticket]))
    const outcomes = await this.#sendEach([...tickets.keys()], (storedKey) =>
      this.#core.tier.endHold(storedKey, tickets.get(storedKey) as string),
    )
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    return outcomes.every((outcome) => outcome.status === 'fulfilled' && outcome.value)
  }

  /**
   * Sends a command for each. Those of keys take their turn among the writes of these keys, which are sent after their
   * generations were captured. So those of generations wait for nobody.
   */
  async #sendEach<Result>(
    storedKeys: readonly string[],
    send: (storedKey: string) => Promise<Result>,
  ): Promise<readonly PromiseSettledResult<Result>[]> {
    const [keys, generationKeys] = [storedKeys.filter(isOrdinary), storedKeys.filter(isReserved)]
    const all = await Promise.all([
      this.#writes.inTurnDropping(keys, async (turn) => {
        if (turn.earlier !== undefined) await turn.earlier
        const sending = keys.map(send)
        turn.pass()
        return Promise.allSettled(sending)
      }),
      this.#writes.dropping(generationKeys, () => Promise.allSettled(generationKeys.map(send))),
    ])
    return all.flat()
  }
}

function isOrdinary(storedKey: string): boolean {
  return !isReserved(storedKey)
}
