import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type Pace, PacedPipe, unhinderedPace } from './paced-pipe.ts'

/** One client on its way to the server. */
interface Link {
  readonly client: Socket
  readonly server: Socket
  /** Bytes on their way that are held back. */
  readonly toServer: Buffer[]
  readonly toClient: Buffer[]
  isSilent: boolean
  /** The client has subscribed to a channel. */
  isSubscribed: boolean
  /** The reply to what the client has sent is to be swallowed, and the link then cut. */
  isDoomed: boolean
  /** The client has sent something, and no reply has come back yet. */
  isOnTrip: boolean
  /** How many bytes have come back. */
  replyBytes: number
}

const SUBSCRIBE = /^subscribe\r/im

/** How a proxy passes on what it is not told to hold, swallow or cut. */
export interface TcpProxyOptions {
  /** How long every reply is on its way. A latency far above a burst of commands lets `trips` be counted. @default 0 */
  readonly latencyMs?: number
  /** Where it listens. @default a free port of 127.0.0.1 */
  readonly host?: string
  readonly port?: number
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
  /** How replies and requests pass. */
  readonly replyPace: Pace = unhinderedPace()
  readonly requestPace: Pace = unhinderedPace()
  /** A link is cut as soon as this many bytes have come back on it. */
  cutAfterBytes = Number.POSITIVE_INFINITY
  /** How often a client has connected. */
  dials = 0
  /** How many links were cut after their command had been answered. */
  cuts = 0
  /** Round trips that have begun since this was last set to 0: what is sent between two replies is one trip. */
  trips = 0
  /** The address that it listens at. */
  readonly host: string
  #serverPort: number
  #port: number
  #listener = createServer()
  readonly #links = new Set<Link>()
  #isSilent = false
  #holdsReplies = false
  #holdsRequests = false
  #fatalText: string | undefined

  constructor(serverPort: number, { host = '127.0.0.1', latencyMs = 0, port = 0 }: TcpProxyOptions = {}) {
    this.#serverPort = serverPort
    this.host = host
    this.#port = port
    this.replyPace.latencyMs = latencyMs
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    return `redis://${this.host}:${this.#port}`
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

  /** Accepts connections: at the start, and again after {@link TcpProxy.stop}. */
  async listen(): Promise<void> {
    if (this.#listener.listening) return
    this.#listener = createServer((client) => this.#accept(client))
    await once(this.#listener.listen(this.#port, this.host), 'listening')
    this.#port = (this.#listener.address() as AddressInfo).port
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

  /** The same for the present connections that have subscribed to a channel; the others go on. */
  silenceSubscriptions(): void {
    for (const link of this.#links) link.isSilent ||= link.isSubscribed
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

  /** New links lead to this port. */
  leadTo(serverPort: number): void {
    this.#serverPort = serverPort
  }

  /** Cuts every link. */
  cut(): void {
    for (const link of this.#links) close(link)
  }

  /** From now on connections are refused. */
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
    const state = { isSubscribed: false, isDoomed: false, isOnTrip: false, replyBytes: 0 }
    const link: Link = { client, server, toServer: [], toClient: [], isSilent: this.#isSilent, ...state }
    const requests = new PacedPipe(this.requestPace, (chunk) => this.#onRequest(link, chunk))
    const replies = new PacedPipe(this.replyPace, (chunk) => this.#onReply(link, chunk))
    this.#links.add(link)
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', (chunk) => requests.push(chunk))
    server.on('data', (chunk) => replies.push(chunk))
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
    link.isSubscribed ||= SUBSCRIBE.test(chunk.toString('latin1'))
    if (this.#fatalText !== undefined && chunk.includes(this.#fatalText)) link.isDoomed = true
    if (this.#holdsRequests) link.toServer.push(chunk)
    else link.server.write(chunk)
  }

  #onReply(link: Link, chunk: Buffer): void {
    if (link.isSilent) return
    link.isOnTrip = false
    link.replyBytes += chunk.length
    if (link.isDoomed || link.replyBytes > this.cutAfterBytes) {
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
