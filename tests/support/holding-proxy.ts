import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

interface Link {
  readonly client: Socket
  readonly server: Socket
  /** What is on its way, and held back. */
  readonly toServer: Buffer[]
  readonly toClient: Buffer[]
}

/** Starts a proxy on 127.0.0.1 in front of a server there. */
export async function startHoldingProxy(serverPort: number): Promise<HoldingProxy> {
  const proxy = new HoldingProxy(serverPort)
  await proxy.listen()
  return proxy
}

/** A TCP proxy that holds bytes back, and lets them go at once and in one piece. */
export class HoldingProxy {
  /** New connections are cut at once. */
  isRefusing = false
  readonly #serverPort: number
  readonly #listener: Server
  readonly #links = new Set<Link>()
  #holdsReplies = false
  #holdsRequests = false

  constructor(serverPort: number) {
    this.#serverPort = serverPort
    this.#listener = createServer((client) => this.#accept(client))
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`
  }

  get heldRequestBytes(): number {
    return bytesOf([...this.#links].flatMap(({ toServer }) => toServer))
  }

  get heldReplyBytes(): number {
    return bytesOf([...this.#links].flatMap(({ toClient }) => toClient))
  }

  async listen(): Promise<void> {
    await once(this.#listener.listen(0, '127.0.0.1'), 'listening')
  }

  holdReplies(): void {
    this.#holdsReplies = true
  }

  holdRequests(): void {
    this.#holdsRequests = true
  }

  /** What was held back arrives, each direction of a link in one chunk. */
  release(): void {
    this.#holdsReplies = false
    this.#holdsRequests = false
    for (const link of this.#links) flush(link)
  }

  /** From now on new links pass freely; what the present ones hold stays held until it is let go by the answer. */
  setAside(): () => void {
    const links = [...this.#links]
    this.#holdsReplies = false
    this.#holdsRequests = false
    return () => {
      for (const link of links) flush(link)
    }
  }

  /** Clients see their connections end; to the server they live on, with what is held back still to come. */
  cutClients(): void {
    for (const { client } of this.#links) client.destroy()
  }

  async stop(): Promise<void> {
    for (const { client, server } of this.#links) {
      client.destroy()
      server.destroy()
    }
    if (this.#listener.listening) await once(this.#listener.close(), 'close')
  }

  #accept(client: Socket): void {
    client.on('error', () => {})
    if (this.isRefusing) {
      client.destroy()
      return
    }
    const server = connect(this.#serverPort, '127.0.0.1')
    const link: Link = { client, server, toServer: [], toClient: [] }
    this.#links.add(link)
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', (chunk) => {
      if (this.#holdsRequests) link.toServer.push(chunk)
      else server.write(chunk)
    })
    server.on('data', (chunk) => {
      if (this.#holdsReplies) link.toClient.push(chunk)
      else client.write(chunk)
    })
    server.on('error', () => {})
    server.on('close', () => {
      client.destroy()
      this.#links.delete(link)
    })
    client.on('close', () => {
      if (link.toServer.length === 0) server.destroy()
    })
  }
}

function flush({ client, server, toClient, toServer }: Link): void {
  const requests = toServer.splice(0)
  const replies = toClient.splice(0)
  if (requests.length > 0 && server.writable) server.write(Buffer.concat(requests))
  if (replies.length > 0 && client.writable) client.write(Buffer.concat(replies))
}

function bytesOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0)
}
