import type { CacheError } from '../foundation/cache-error.ts'

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
  /** What an error of this client says, without anything of the command that it may quote. */
  translate(error: unknown): CacheError
}
