import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { splitFrames, wordsOf } from './resp-frames.ts'

const PUSH = '>'.charCodeAt(0)

/** Starts a server on 127.0.0.1 that answers as the real one at this port does, unless it lies. */
export async function startLyingServer(realPort: number): Promise<LyingServer> {
  const server = new LyingServer(realPort)
  await server.listen()
  return server
}

/** A server that knows which command each reply answers, and sends any other reply in its place. */
export class LyingServer {
  /** Makes the reply to a command; by default the true one. */
  lie: (command: readonly Buffer[], reply: Buffer) => Buffer = (_command, reply) => reply
  readonly #realPort: number
  readonly #listener: Server
  readonly #clients = new Set<Socket>()

  constructor(realPort: number) {
    this.#realPort = realPort
    this.#listener = createServer((client) => this.#accept(client))
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async listen(): Promise<void> {
    await once(this.#listener.listen(0, '127.0.0.1'), 'listening')
  }

  /** Sends to every client what it has not asked for. */
  push(bytes: Buffer): void {
    for (const client of this.#clients) client.write(bytes)
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy()
    await once(this.#listener.close(), 'close')
  }

  #accept(client: Socket): void {
    const server = connect(this.#realPort, '127.0.0.1')
    const asked: (readonly Buffer[])[] = []
    let fromClient: Buffer = Buffer.alloc(0)
    let fromServer: Buffer = Buffer.alloc(0)
    this.#clients.add(client)
    client.setNoDelay(true)
    client.on('data', (chunk) => {
      const { frames, rest } = splitFrames(Buffer.concat([fromClient, chunk]))
      fromClient = rest
      for (const frame of frames) asked.push(wordsOf(frame))
      for (const frame of frames) server.write(frame)
    })
    server.on('data', (chunk) => {
      const { frames, rest } = splitFrames(Buffer.concat([fromServer, chunk]))
      fromServer = rest
      for (const frame of frames) {
        const command = frame[0] === PUSH ? undefined : asked.shift()
        client.write(command === undefined ? frame : this.lie(command, frame))
      }
    })
    const end = () => {
      this.#clients.delete(client)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) socket.on('error', end).on('close', end)
  }
}
