import { readHold } from '../../src/codec/envelope/hold-mark.ts'
import { isReserved } from '../../src/foundation/reserved-keys.ts'
import type { Fleet } from './fleet.ts'
import type { Invalidation, KnownValue } from './history.ts'
import { printable, Violation } from './oracle.ts'
import { type Place, TAGS } from './setting.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** The work of a `change` under way: it commits, and then ends, when it is told to. */
interface Transaction {
  readonly process: SimulatedProcess
  readonly label: string
  readonly concerns: Invalidation['concerns']
  /** The stored keys that it holds. */
  readonly held: readonly string[]
  /** That what it holds is held. */
  readonly assertHeld: () => void
  readonly end: () => void
  committed: Invalidation | undefined
}

/**
 * Changes of the source that take their time. Once one has ended, nothing older than its commit is served or stored. If it
 * held what it changes when it was committed, nothing older is stored from then on, whatever becomes of its process.
 */
export class Transactions {
  readonly #fleet: Fleet
  readonly #open = new Set<Transaction>()

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  /** Those whose processes are alive: the others were rolled back. */
  get all(): readonly Transaction[] {
    return [...this.#open].filter(({ process }) => process.isAlive)
  }

  begin(process: SimulatedProcess, at: Place): void {
    const { choices } = this.#fleet
    const tag = choices.of(TAGS)
    const concern = choices.of(['key', 'tag', 'both'] as const)
    const keys = concern === 'tag' ? [] : [at.key]
    const tags = concern === 'key' ? [] : [tag]
    const hold = choices.of(['30s', '30s', '2s', false] as const)
    const isCollected = hold === false && choices.rarely(2)
    const storedKeys = [...keys.map(() => at.storedKey), ...tags.map((one) => at.space.tagKey(one))]
    const concerns = (value: KnownValue) =>
      (keys.length > 0 && value.storedKey === at.storedKey) ||
      (tags.length > 0 && value.tagKeys.has(at.space.tagKey(tag)))
    const label = `${process.id} change ${printable(storedKeys.join())} ${isCollected ? 'collected' : `hold ${hold}`}`
    this.#fleet.call(process, label, async () => {
      const cache = this.#fleet.cacheOf(process, at)
      const { setting, time, written } = this.#fleet
      const beganMs = time.monotonicMs()
      const failures = process.changeFailures
      const writes = written.get(at.storedKey)
      let transaction: Transaction | undefined
      const work = () =>
        new Promise<void>((end) => {
          const held = hold === false ? [] : storedKeys
          const mayHaveEnded = () => time.monotonicMs() - beganMs >= (hold === '2s' ? 2_000 : 30_000)
          const isPlaced = process.changeFailures === failures
          // A write of the key takes the place of its hold; nothing but time and faults ends it otherwise.
          const assertHeld = () => {
            const lost = held.find(
              (one) => !this.#isHeld(one) && (isReserved(one) || written.get(one) === writes),
            )
            if (lost === undefined || !isPlaced || mayHaveEnded() || setting.faults) return
            this.#fleet.violation ??= new Violation(`${label} does not hold ${printable(lost)}`)
          }
          assertHeld()
          transaction = { process, label, concerns, held, assertHeld, end, committed: undefined }
          this.#open.add(transaction)
        })
      if (isCollected) {
        await cache.change({}, async () => {
          await Promise.all([
            ...keys.map((key) => cache.delete(key)),
            tags.length > 0 && cache.invalidateTags(tags),
          ])
          await work()
        })
      } else {
        await cache.change({ keys, tags, hold }, work)
      }
      const { committed } = transaction as unknown as Transaction
      const isAcknowledged = process.changeFailures === failures && process.isAlive
      this.#fleet.oracle.settled(
        committed as Invalidation,
        isAcknowledged,
        time.monotonicMs(),
        this.#fleet.marks(),
      )
    })
  }

  goOn(transaction: Transaction): void {
    const { assertHeld, held, label, process } = transaction
    if (transaction.committed === undefined) {
      this.#fleet.do('commit', label, () => {
        assertHeld()
        transaction.committed = this.#fleet.oracle.began(
          `commit of ${label}`,
          process.id,
          transaction.concerns,
        )
        transaction.committed.isHeld = held.length > 0 && held.every((storedKey) => this.#isHeld(storedKey))
        if (transaction.committed.isHeld) this.#fleet.note('commit under a hold', label)
      })
      return
    }
    this.#fleet.do('transaction ends', label, () => {
      this.#open.delete(transaction)
      transaction.end()
    })
  }

  #isHeld(storedKey: string): boolean {
    const bytes = this.#fleet.redis.peek(storedKey)
    return bytes !== undefined && readHold(bytes) !== undefined
  }
}
