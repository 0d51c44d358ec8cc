import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** One client on its way to the server. */
interface Link {
  readonly client: Socket
  readonly server: Socket
  /** Bytes on their way that are held back. */
  readonly toServer: Buffer[]
  readonly toClient: Buffer[]
  isSilent: boolean
  /** The reply to what the client has sent is to be swallowed, and the link then cut. */
  isDoomed: boolean
  /** The client has sent something, and no reply has come back yet. */
  isOnTrip: boolean
}

/** How a proxy passes on what it is not told to hold, swallow or cut. */
export interface TcpProxyOptions {
  /** How long every reply is on its way. A latency far above a burst of commands lets `trips` be counted. @default 0 */
  readonly latencyMs?: number
}

/** Starts a proxy on 127.0.0.1 in front of a server there. */
export async function startTcpProxy(serverPort: number, options?: TcpProxyOptions): Promise<TcpProxy> {
  const proxy = new TcpProxy(serverPort, options)
  await proxy.listen()
  return proxy
}

/**
 * A TCP proxy that does to connections what networks do: it passes bytes on, late, garbled, in one piece, or never,
 * and it cuts. Until it is told otherwise it passes everything on at once.
 */
export class TcpProxy {
  /** Rewrites what the server sends; by default nothing. */
  garble: (reply: Buffer) => Buffer = (reply) => reply
  /** New connections are cut at once. */
  isRefusing = false
  /** How long every reply is on its way, in milliseconds. */
  latencyMs: number
  /** How often a client has connected. */
  dials = 0
  /** How many links were cut after their command had been answered. */
  cuts = 0
  /** Round trips that have begun since this was last set to 0: what is sent between two replies is one trip. */
  trips = 0
  readonly #serverPort: number
  readonly #listener: Server
  readonly #links = new Set<Link>()
  #isSilent = false
  #holdsReplies = false
  #holdsRequests = false
  #fatalText: string | undefined

  constructor(serverPort: number, { latencyMs = 0 }: TcpProxyOptions = {}) {
    this.#serverPort = serverPort
    this.latencyMs = latencyMs
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

  get heldRequestBytes(): number {
    return bytesOf([...this.#links].flatMap(({ toServer }) => toServer))
  }

  get heldReplyBytes(): number {
    return bytesOf([...this.#links].flatMap(({ toClient }) => toClient))
  }

  async listen(): Promise<void> {
    await once(this.#listener.listen(0, '127.0.0.1'), 'listening')
  }

  /** From now on a command that holds this text reaches the server, and its reply is swallowed. */
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

  /** New links pass freely from now on. What the present links hold stays held until the answer is called. */
  setAside(): () => void {
    const links = [...this.#links]
    this.#holdsReplies = false
    this.#holdsRequests = false
    return () => {
      for (const link of links) flush(link)
    }
  }

  /** Clients see their connections end. To the server they live on, with what is held back still to come. */
  cutClients(): void {
    for (const { client } of this.#links) client.destroy()
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
    client.on('error', () => {})
    this.dials++
    if (this.isRefusing) {
      client.destroy()
      return
    }
    const server = connect(this.#serverPort, '127.0.0.1')
    const flags = { isSilent: this.#isSilent, isDoomed: false, isOnTrip: false }
    const link: Link = { client, server, toServer: [], toClient: [], ...flags }
    this.#links.add(link)
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', (chunk) => this.#onRequest(link, chunk))
    server.on('data', (chunk) => {
      if (this.latencyMs === 0) this.#onReply(link, chunk)
      else setTimeout(() => this.#onReply(link, chunk), this.latencyMs)
    })
    server.on('error', () => {})
    client.on('close', () => {
      // The server is still to get what was held back.
      if (link.toServer.length === 0) this.#drop(link)
    })
    server.on('close', () => {
      // A silent link is one whose far end never learns that the near one is gone.
      if (!link.isSilent) this.#drop(link)
    })
  }

  #onRequest(link: Link, chunk: Buffer): void {
    if (link.isSilent) return
    if (!link.isOnTrip) this.trips++
    link.isOnTrip = true
    if (this.#fatalText !== undefined && chunk.includes(this.#fatalText)) link.isDoomed = true
    if (this.#holdsRequests) link.toServer.push(chunk)
    else link.server.write(chunk)
  }

  #onReply(link: Link, chunk: Buffer): void {
    if (link.isSilent) return
    link.isOnTrip = false
    if (link.isDoomed) {
      this.cuts++
      close(link)
    } else if (this.#holdsReplies) link.toClient.push(chunk)
    else link.client.write(this.garble(chunk))
  }

  #drop(link: Link): void {
    this.#links.delete(link)
    close(link)
  }
}

function close({ client, server }: Link): void {
  client.destroy()
  server.destroy()
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
