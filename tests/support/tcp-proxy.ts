import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** One client on its way to the server. */
interface Link {
  readonly client: Socket
  readonly server: Socket
  isSilent: boolean
  /** The reply to what it has sent is to be swallowed, and the link then cut. */
  isDoomed: boolean
}

/** Starts a proxy on 127.0.0.1 in front of a server there. */
export async function startTcpProxy(serverPort: number): Promise<TcpProxy> {
  const proxy = new TcpProxy(serverPort)
  await proxy.listen()
  return proxy
}

/** A TCP proxy that does to a connection what networks do: swallow, cut, fall silent, garble. */
export class TcpProxy {
  /** Rewrites what the server sends; by default nothing. */
  garble: (reply: Buffer) => Buffer = (reply) => reply
  /** How many links were cut after their command had been answered. */
  cuts = 0
  readonly #serverPort: number
  readonly #listener: Server
  readonly #links = new Set<Link>()
  #isSilent = false
  #fatalText: string | undefined

  constructor(serverPort: number) {
    this.#serverPort = serverPort
    this.#listener = createServer((client) => this.#accept(client))
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** How many clients are connected. */
  get links(): number {
    return this.#links.size
  }

  async listen(): Promise<void> {
    await once(this.#listener.listen(0, '127.0.0.1'), 'listening')
  }

  /** From now on a command that holds this text reaches the server, and its reply reaches nobody. */
  cutReplyTo(text: string): void {
    this.#fatalText = text
  }

  /** Every command is answered again. */
  cutNothing(): void {
    this.#fatalText = undefined
  }

  /** Sockets stay open, new ones too, and nothing passes any more, in either direction. */
  goSilent(): void {
    this.#isSilent = true
    for (const link of this.#links) link.isSilent = true
  }

  /** New connections work again; those that fell silent stay so. */
  healForNewConnections(): void {
    this.#isSilent = false
  }

  /** Cuts every link. */
  cut(): void {
    for (const link of this.#links) close(link)
  }

  async stop(): Promise<void> {
    this.cut()
    if (this.#listener.listening) await once(this.#listener.close(), 'close')
  }

  #accept(client: Socket): void {
    const server = connect(this.#serverPort, '127.0.0.1')
    const link: Link = { client, server, isSilent: this.#isSilent, isDoomed: false }
    this.#links.add(link)
    client.setNoDelay(true)
    client.on('data', (chunk) => {
      if (link.isSilent) return
      if (this.#fatalText !== undefined && chunk.includes(this.#fatalText)) link.isDoomed = true
      server.write(chunk)
    })
    server.on('data', (chunk) => {
      if (link.isSilent) return
      if (!link.isDoomed) {
        client.write(this.garble(chunk))
        return
      }
      this.cuts++
      close(link)
    })
    for (const socket of [client, server]) {
      socket.on('error', () => {})
      socket.on('close', () => {
        // A silent link is one whose far end never learns that the near one is gone.
        if (socket === client || !link.isSilent) {
          this.#links.delete(link)
          close(link)
        }
      })
    }
  }
}

function close({ client, server }: Link): void {
  client.destroy()
  server.destroy()
}
