import { InvalidationBus } from '../../src/redis/coherence/invalidation-bus.ts'
import type { ChannelListener, RedisPort } from '../../src/redis/port/redis-port.ts'

/** A bus on a channel of its own, whose clock stands still, and what it has reported. */
export class BusStandIn {
  static readonly TRUST_MS = 3_000
  static readonly PREFIX = 'p:'
  readonly bus: InvalidationBus
  readonly changed: string[] = []
  missed = 0
  lost = 0
  /** How many subscriptions were made, and how many connections were given up. */
  joined = 0
  abandoned = 0
  /** What is published does not arrive. */
  isSilent = false
  nowMs = 0
  #channel: ChannelListener | undefined

  constructor() {
    const port: Partial<RedisPort> = {
      subscribe: async (_channel, listener) => {
        this.#channel = listener
        this.joined++
        return { close: async () => {}, abandon: () => void this.abandoned++ }
      },
      send: async (_channel, [, , message]) => {
        if (!this.isSilent) this.receive(String(message))
        return 1
      },
    }
    const clock = { monotonicMs: () => this.nowMs }
    this.bus = new InvalidationBus(port as RedisPort, BusStandIn.PREFIX, BusStandIn.TRUST_MS, clock, {
      changed: (storedKeys) => this.changed.push(...storedKeys),
      joined() {},
      missed: () => this.missed++,
      lost: () => this.lost++,
    })
  }

  /** Subscribes. */
  async join(): Promise<this> {
    this.bus.join()
    await new Promise(setImmediate)
    return this
  }

  receive(text: string): void {
    this.#channel?.message(text)
  }

  /** Lets time pass until the next heartbeats. */
  pass(heartbeats = 1): void {
    for (let left = heartbeats; left > 0; left--) {
      this.nowMs += BusStandIn.TRUST_MS / 3
      this.bus.heartbeat()
    }
  }
}
