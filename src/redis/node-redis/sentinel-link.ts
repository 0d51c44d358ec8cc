import { clearImmediate, clearTimeout, setImmediate, setTimeout } from '../../foundation/time/timers.ts'
import { unavailable } from '../port/redis-errors.ts'
import { type ConnectionClient, connectionClient } from './connection-client.ts'
import type { RedisAddress } from './redis-address.ts'
import { commandOptions, isErrorReply } from './replies.ts'

/** Longest time to connect to a sentinel. */
const CONNECT_MS = 1_000

/** What a sentinel says of the primary. */
export interface NamedPrimary {
  readonly host: string
  readonly port: number
  /** The `config-epoch`, which grows with every failover; 0 if the user may not ask for it. */
  readonly epoch: number
}

/** A lasting connection to one sentinel. It is made by the first question, and again by the first after a loss. */
export class SentinelLink {
  readonly #address: RedisAddress
  readonly #socketOptions: object
  readonly #name: string
  readonly #onSwitch: () => void
  readonly #isUnref: boolean
  #client: ConnectionClient | undefined
  #connected: Promise<unknown> | undefined

  /**
   * @param socketOptions apply to a connection with TLS
   * @param onSwitch called when the sentinel announces a new primary of this name (`+switch-master`)
   * @param isUnref whether the connection lets the process end
   */
  constructor(
    address: RedisAddress,
    socketOptions: object,
    name: string,
    onSwitch: () => void,
    isUnref: boolean,
  ) {
    this.#address = address
    this.#socketOptions = socketOptions
    this.#name = name
    this.#onSwitch = onSwitch
    this.#isUnref = isUnref
  }

  get endpoint(): string {
    return this.#address.endpoint
  }

  /** Asks for the primary: `SENTINEL GET-MASTER-ADDR-BY-NAME` and `SENTINEL MASTER`, in one round trip. */
  async ask(boundMs: number): Promise<NamedPrimary> {
    const client = this.#client ?? this.#open()
    let expired: NodeJS.Immediate | undefined
    // setImmediate lets the event loop first read a reply that has arrived, should this process have been stalled.
    const timer = setTimeout(() => {
      expired = setImmediate(() => this.#lost(client))
    }, boundMs).unref()
    try {
      await this.#connected
      const [address, epoch] = await Promise.all([
        this.#send(client, 'GET-MASTER-ADDR-BY-NAME') as Promise<readonly [string, string] | null>,
        this.#send(client, 'MASTER').then(epochIn, zeroIfRefused),
      ])
      if (address === null) throw unavailable('the sentinel does not know this name')
      const [host, port] = address
      return { host, port: Number(port), epoch }
    } catch (error) {
      if (!isErrorReply(error)) this.#lost(client)
      throw error
    } finally {
      clearTimeout(timer)
      clearImmediate(expired)
    }
  }

  close(): void {
    if (this.#client !== undefined) this.#lost(this.#client)
  }

  #open(): ConnectionClient {
    const { password, socket, username } = this.#address
    const client = connectionClient('resp3', {
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      disableClientInfo: true,
      maintNotifications: 'disabled',
      socket: {
        ...this.#socketOptions,
        ...socket,
        connectTimeout: CONNECT_MS,
        reconnectStrategy: false,
      } as never,
    })
    if (this.#isUnref) client.unref()
    client.on('error', () => this.#lost(client))
    client.on('end', () => this.#lost(client))
    this.#client = client
    this.#connected = client.connect().then(() => {
      // Without the permission to subscribe, a switch is noticed by asking.
      client.subscribe('+switch-master', (event) => this.#heard(event)).catch(() => {})
    })
    return client
  }

  /** @param event `<name> <old ip> <old port> <new ip> <new port>` */
  #heard(event: string): void {
    if (event.startsWith(`${this.#name} `)) this.#onSwitch()
  }

  #lost(client: ConnectionClient): void {
    if (this.#client === client) this.#client = undefined
    try {
      client.destroy()
    } catch {
      // The client was closed already.
    }
  }

  #send(client: ConnectionClient, question: string): Promise<unknown> {
    return client.sendCommand(['SENTINEL', question, this.#name], commandOptions('text'))
  }
}

function epochIn(master: unknown): number {
  return Number((master as { readonly 'config-epoch'?: string })['config-epoch'] ?? 0)
}

function zeroIfRefused(error: unknown): number {
  if (isErrorReply(error)) return 0
  throw error
}
