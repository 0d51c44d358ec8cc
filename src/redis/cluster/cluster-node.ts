import { clearTimeout, setTimeout } from '../../foundation/time/timers.ts'
import { NodeRedisConnection } from '../node-redis/connection.ts'
import type { NodeRedisOptions } from '../node-redis/options.ts'
import type { RedisAddress } from '../node-redis/redis-address.ts'
import { unavailable } from '../port/redis-errors.ts'
import type { RedisPortListener } from '../port/redis-port.ts'
import type { ResolvedTimeouts } from '../port/redis-timeouts.ts'

/** Settings that all nodes of a cluster share. */
export interface NodeSettings {
  readonly options: NodeRedisOptions
  readonly timeouts: ResolvedTimeouts
  readonly listener: RedisPortListener
  /** Called when the connection to a node is lost, and when the node is no longer a master. */
  readonly onLost: () => void
}

/** A node of a cluster, and the one connection to it. A connection that was made once is redialled when it is lost. */
export class ClusterNode {
  /** The `host:port` that the cluster reports for it. */
  readonly name: string
  /** The host at which it is reached. */
  readonly host: string
  readonly connection: NodeRedisConnection
  readonly #timeouts: ResolvedTimeouts
  #dialling: Promise<void> | undefined
  #isConnected = false
  #wasConnected = false

  constructor(
    name: string,
    locate: () => RedisAddress,
    { listener, onLost, options, timeouts }: NodeSettings,
  ) {
    this.name = name
    const { socket } = locate()
    this.host = 'host' in socket ? socket.host : 'localhost'
    this.#timeouts = timeouts
    this.connection = new NodeRedisConnection(
      { locate: async () => locate(), onDemoted: onLost, options, ...timeouts },
      {
        connected: (endpoint) => {
          this.#isConnected = true
          this.#wasConnected = true
          listener.connected(endpoint)
        },
        disconnected: (endpoint, reason) => {
          this.#isConnected = false
          listener.disconnected(endpoint, reason)
          onLost()
        },
      },
    )
  }

  get isConnected(): boolean {
    return this.#isConnected
  }

  /** Resolves when commands can be sent. Rejects at once while a lost connection is being redialled. */
  open(): Promise<void> {
    if (this.#isConnected) return Promise.resolve()
    if (this.#wasConnected) return Promise.reject(unavailable('not connected'))
    this.#dialling ??= this.#dial()
    return this.#dialling
  }

  /** Waits for outstanding replies, at most for the deadline of a command, and closes. Never rejects. */
  async close(): Promise<void> {
    this.#isConnected = false
    await within(this.connection.close(), this.#timeouts.commandTimeoutMs, () =>
      this.connection.drop(),
    ).catch(() => {})
  }

  drop(): void {
    this.#isConnected = false
    this.connection.drop()
  }

  async #dial(): Promise<void> {
    try {
      await within(this.connection.connect(), this.#timeouts.connectTimeoutMs, () => this.connection.drop())
    } finally {
      this.#dialling = undefined
    }
  }
}

/** Settles as `work` does, or rejects after `boundMs` and calls `giveUp`. */
export function within<Result>(
  work: Promise<Result>,
  boundMs: number,
  giveUp: () => void = () => {},
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(unavailable('no answer in time'))
      giveUp()
    }, boundMs).unref()
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
