import { nextTick } from '../../foundation/time/timers.ts'
import type { RedisPort } from '../port/redis-port.ts'
import { timeMsIn } from '../port/time-reply.ts'
import { keySlot } from '../slots/key-slot.ts'

/** The clocks of the servers. Those who ask for the time of one node in one tick share a `TIME`. */
export class ServerTimes {
  readonly #port: RedisPort
  /** The commands of this tick, by the name of the node. */
  readonly #asked = new Map<string, Promise<number>>()

  constructor(port: RedisPort) {
    this.#port = port
  }

  /** The time of the server that owns the key, in milliseconds since 1970. One round trip. */
  ask(storedKey: string): Promise<number> {
    const node = this.#port.isCluster ? this.#port.nodeOf(keySlot(storedKey)) : ''
    if (node === undefined) return this.#send(storedKey)
    const asked = this.#asked.get(node)
    if (asked !== undefined) return asked
    if (this.#asked.size === 0) nextTick(() => this.#asked.clear())
    const asking = this.#send(storedKey)
    this.#asked.set(node, asking)
    return asking
  }

  async #send(storedKey: string): Promise<number> {
    return timeMsIn(await this.#port.send(storedKey, ['TIME'], 'text'))
  }
}
