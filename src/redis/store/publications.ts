import type { BusMessage, InvalidationBus } from '../coherence/invalidation-bus.ts'
import { wasNotExecuted } from '../port/redis-errors.ts'
import { NO_PUBLICATION, type Publication } from '../scripts/script-arguments.ts'
import { mustSplit } from './send-splittable.ts'

/**
 * Publishes the changes of a store on the invalidation bus. Every write to a store that a cache uses goes through it,
 * whether the cache or its backend makes it.
 */
export class Publications {
  /** The bus to publish on; `undefined` while it surely has no subscribers. Set by the tier that uses the store. */
  bus: () => InvalidationBus | undefined = () => undefined

  /** Whether changes must be published at present. */
  get areWanted(): boolean {
    return this.bus() !== undefined
  }

  /**
   * Runs a change whose script also publishes the message it is given.
   *
   * Subscribers treat a missing number as a lost message, so a message that the script did not publish is published
   * here. If the keys surely were not changed, it names none, so that subscribers keep their valid copies. If the
   * outcome is unknown, it names them: a node may crash after the write and before it has passed on the script's
   * message.
   * @param change sends one command, since each message is published once; resolves to `false` if its script changed
   * nothing and so published nothing
   */
  async publishing<Result>(
    storedKeys: readonly (string | Buffer)[],
    change: (publication: Publication) => Promise<Result>,
  ): Promise<Result> {
    const bus = this.bus()
    if (bus === undefined) return change(NO_PUBLICATION)
    const message = bus.message(storedKeys.map(String))
    try {
      const result = await change([bus.channel, bus.encode(message)])
      if (result === false) bus.publish(withoutKeys(message)).catch(() => {})
      return result
    } catch (error) {
      // A script over several keys may have failed after the first of them.
      const keyCount = storedKeys.length
      const isUnchanged = mustSplit(error, keyCount) || (keyCount === 1 && wasNotExecuted(error))
      bus.publish(isUnchanged ? withoutKeys(message) : message).catch(() => {})
      throw error
    }
  }

  /** Publishes a change after it was made. If that fails, the missing number tells subscribers. @throws CacheError */
  async announce(storedKeys: readonly (string | Buffer)[]): Promise<void> {
    const bus = this.bus()
    if (bus !== undefined) await bus.publish(bus.message(storedKeys.map(String)))
  }
}

/** The same number, naming no key. */
function withoutKeys({ number }: BusMessage): BusMessage {
  return { number, storedKeys: [] }
}
