import type { CacheError } from '../../foundation/cache-error.ts'

/** A word of a command. */
export type RedisArgument = string | Buffer

/** How blob strings in a reply arrive: as bytes, or as text where they are known to be UTF-8. */
export type ReplyForm = 'bytes' | 'text'

/** What Redis answers; errors reject instead. */
export type RedisReply = null | number | string | Buffer | readonly RedisReply[]

/** One server that holds keys. */
export interface RedisNode {
  send(command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply>
  /** As {@link RedisPort.suspect}, for this node. */
  suspect(): void
}

/** Receives what a connection has to tell. */
export interface RedisPortListener {
  connected(endpoint: string): void
  disconnected(endpoint: string, reason: string): void
}

/** One connection to one server, from its handshake until it is lost; the next one is another object. */
export interface PortConnection {
  readonly endpoint: string
  /** Whether its pushes tell of every change to a key that was read on it. */
  readonly isTracked: boolean
  /** The version of the server, `''` where it may not be asked. */
  readonly version: string
  /** Tells one life of a server from the next; `undefined` where it may not be asked. */
  readonly runId: string | undefined
  /** Without a deadline. */
  send(command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply>
  /** As {@link RedisPort.suspect}, for this connection. */
  suspect(): void
}

/** Receives what the connections of a port have to tell to a cache that keeps copies of what it read on them. */
export interface PortWatch {
  /** Whether connections are to be tracked, where client and server can. */
  readonly wantsTracking: boolean
  /** Called before any command can be sent on it. */
  opened(connection: PortConnection): void
  /** Nothing more will be heard of it. */
  closed(connection: PortConnection, reason: string): void
  /** A key that was read has been changed; `null`: all have. */
  invalidated(storedKey: string | null): void
  /** Some keys have another owner than before. */
  rerouted(): void
}

/** Receives what arrives on a channel. */
export interface ChannelListener {
  message(text: string): void
  /** Messages may have been missed; nothing more will arrive. */
  lost(reason: string): void
}

/** A connection that listens to a channel. */
export interface ChannelSubscription {
  /** Never rejects; `lost` is not called for it. */
  close(): Promise<void>
}

/**
 * What a client library has to offer: send one command to the node that owns a key. Adapters keep the habits of
 * a library (timeouts, offline queues, resending) out of sight. They set no deadline and reject with whatever
 * the library rejects with, which `translate` turns into a {@link CacheError}: both are done once, in
 * {@link DeadlinePort}, since a promise for each would cost more than the command.
 */
export interface RedisPort {
  /** Whether keys of different hash slots may not meet in one command. */
  readonly isCluster: boolean
  /** Resolves once commands can be sent; rejects where the handshake fails. May be called again after either. */
  connect(): Promise<void>
  /** Waits for replies that are due, then closes what the adapter opened. Never rejects. */
  close(): Promise<void>
  /** Closes at once what the adapter opened, failing what is in flight and any attempt to connect. */
  drop(): void
  /** A command to the owner of this key has met its deadline: its connection may be dead, and is to be looked after. */
  suspect(storedKey: string): void
  /**
   * Replies came that answer no command that was sent: the connections they came on must not be read any
   * further. What the adapter opened is closed and dialled anew; a caller's client is made to reconnect, or not
   * used until it has.
   */
  outOfStep(): void
  /**
   * Sends a command to the node that owns `storedKey`, following redirects of a cluster. Never sends it twice
   * where the first may have been executed.
   */
  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply>
  /** Every node that owns keys: one, or the masters of a cluster. */
  masters(): Promise<readonly RedisNode[]>
  /**
   * Has every connection that is made from now on tell of itself, and tracked where client and server can; one
   * that is there is told at once, or replaced by one that is tracked.
   */
  watch(watch: PortWatch): void
  /** The connection that a command on this key would travel on; `undefined` where there is none. */
  connectionOf(storedKey: string): PortConnection | undefined
  /** Opens a connection of its own that listens to a channel. */
  subscribe(channel: string, listener: ChannelListener): Promise<ChannelSubscription>
  /** What an error of this client says, without anything of the command that it may quote. */
  translate(error: unknown): CacheError
}
