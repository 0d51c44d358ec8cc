import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** How long every reply is on its way: much longer than what is said in one go takes. */
const LATENCY_MS = 20

/**
 * A slow line to a server on 127.0.0.1, on which round trips can be told apart: replies come late, and whatever is
 * sent between one reply and the next belongs to one trip.
 */
export class CountingProxy {
  /** Trips that have begun since it was last set to 0. */
  trips = 0
  readonly #listener: Server
  readonly #sockets = new Set<Socket>()

  constructor(serverPort: number) {
    this.#listener = createServer((client) => this.#accept(client, connect(serverPort, '127.0.0.1')))
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`
  }

  async listen(): Promise<void> {
    await once(this.#listener.listen(0, '127.0.0.1'), 'listening')
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#listener.close(), 'close')
  }

  #accept(client: Socket, server: Socket): void {
    let isUnderWay = false
    client.on('data', (chunk) => {
      if (!isUnderWay) this.trips++
      isUnderWay = true
      server.write(chunk)
    })
    server.on('data', async (chunk) => {
      await pause(LATENCY_MS)
      isUnderWay = false
      client.write(chunk)
    })
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        server.destroy()
      })
    }
  }
}
