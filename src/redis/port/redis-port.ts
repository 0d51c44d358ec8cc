import type { CacheError } from '../../foundation/errors/cache-error.ts'

/** A word of a command. */
export type RedisArgument = string | Buffer

/** How bulk strings in a reply are delivered: as bytes, or as text if they are known to be UTF-8. */
export type ReplyForm = 'bytes' | 'text'

/** A reply of Redis. Error replies are not among them: they reject. */
export type RedisReply = null | number | string | Buffer | readonly RedisReply[]

/**
 * Sends a command to one server.
 * @param sinceMs as for {@link RedisPort.send}
 */
export type SendCommand = (
  command: readonly RedisArgument[],
  form: ReplyForm,
  sinceMs?: number,
) => Promise<RedisReply>

/** A server that holds keys. */
export interface RedisNode {
  readonly send: SendCommand
  /** As {@link RedisPort.suspect}, for this node. */
  suspect(): void
}

/** Receives the connection events of a port. */
export interface RedisPortListener {
  connected(endpoint: string): void
  disconnected(endpoint: string, reason: string): void
}

/** One connection to one server, from its handshake until it is lost. A reconnect makes a new object. */
export interface PortConnection {
  readonly endpoint: string
  /** Whether the server pushes an invalidation for every key that was read on this connection. */
  readonly isTracked: boolean
  /** The version of the server; `''` if the user may not ask for it. */
  readonly version: string
  /** The server's `run_id`, which changes with every restart; `undefined` if the user may not ask for it. */
  readonly runId: string | undefined
  /**
   * The server's `master_replid` when the connection was made: a new one whenever the server becomes a primary, the
   * primary's while it is a replica; `undefined` if the user may not ask for it.
   */
  readonly replicationId: string | undefined
  /** Sends a command without a deadline. */
  send(command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply>
  /** As {@link RedisPort.suspect}, for this connection. */
  suspect(): void
  /** Reports that the server is a replica: a port that can find out where the primary is turns there. */
  demoted(): void
  /**
   * Milliseconds since those who decide it (the sentinels) last confirmed that this server is the primary; 0 where
   * nobody else decides it.
   */
  unconfirmedMs(): number
}

/** Observes the connections of a port, for a cache that keeps copies of what it read on them. */
export interface PortWatch {
  /** Whether to track connections, if both the client and the server can. */
  readonly wantsTracking: boolean
  /** How long a server is believed to be the primary without being confirmed. */
  readonly trustMs: number
  /** Called before any command whose reply is to be trusted can be sent on the connection. */
  opened(connection: PortConnection): void
  /** Called when the connection is lost or closed: no more invalidations arrive on it. */
  closed(connection: PortConnection, reason: string): void
  /** Called when a key that was read has been changed; `null` means every key. */
  invalidated(storedKey: string | null): void
  /** Called when some slots have a new owner. */
  rerouted(): void
}

/** Receives the messages of a pub/sub channel. */
export interface ChannelListener {
  message(text: string): void
  /** Called when messages may have been missed. The subscription is over. */
  lost(reason: string): void
  /** Aborts when the subscription is not wanted any more, also while it is being made. */
  readonly signal?: AbortSignal | undefined
}

/** A connection that is subscribed to one pub/sub channel. */
export interface ChannelSubscription {
  /** Never rejects, and does not call `lost`. */
  close(): Promise<void>
  /**
   * Gives up the connection, which is silent: with all its subscriptions, also those of others. Each of them is told that
   * it is `lost`.
   */
  abandon(reason: string): void
}

/**
 * What a client library has to provide: send one command to the node that owns a key.
 *
 * Adapters hide the defaults of a library (timeouts, offline queues, resending). They set no deadline and reject with
 * whatever the library rejects with; `translate` turns that into a {@link CacheError}. {@link DeadlinePort} does both
 * for all of them, since a promise for each would cost more than the command.
 */
export interface RedisPort {
  /** Whether all keys of a command must be in the same hash slot. */
  readonly isCluster: boolean
  /** Resolves when commands can be sent; rejects if the handshake fails. May be called again after either. */
  connect(): Promise<void>
  /** Waits for outstanding replies, then closes what the adapter opened. Never rejects. */
  close(): Promise<void>
  /** Closes what the adapter opened at once: commands in flight and attempts to connect fail. */
  drop(): void
  /** Reports that a command to the owner of this key met its deadline, so that its connection gets probed. */
  suspect(storedKey: string): void
  /**
   * Reports a protocol desync: a reply came that cannot answer its command, so no further reply may be read from the
   * present connections. The adapter reconnects what it opened. A caller's client is made to reconnect, or is not
   * used until it has.
   */
  desynchronized(): void
  /**
   * Sends a command to the node that owns `storedKey`, and follows the redirects of a cluster. Never sends a command
   * twice if the first may have been executed.
   * @param sinceMs for a command that repeats one which was not executed: when that was sent, by `systemMs`. Both
   * together have one deadline. @default now
   */
  send(
    storedKey: string,
    command: readonly RedisArgument[],
    form: ReplyForm,
    sinceMs?: number,
  ): Promise<RedisReply>
  /** Every node that owns keys: the single server, or the masters of a cluster. */
  masters(): Promise<readonly RedisNode[]>
  /**
   * Reports every connection to `watch` from now on, and tracks it if client and server can. Existing connections stay,
   * with the commands that are in flight on them, and are reported as soon as they are tracked. `undefined` ends that.
   */
  watch(watch: PortWatch | undefined): void
  /** The connection on which a command for this key would be sent; `undefined` if there is none. */
  connectionOf(storedKey: string): PortConnection | undefined
  /**
   * Names the node that owns a hash slot, whether or not it is connected; `undefined` if that is unknown. A port that
   * is no cluster has one node, which is named `''`.
   */
  nodeOf(slot: number): string | undefined
  /**
   * Subscribes to a channel, on a connection of its own.
   * @param signal aborts an attempt that is not answered: its connection is given up, as by `abandon`
   */
  subscribe(channel: string, listener: ChannelListener, signal?: AbortSignal): Promise<ChannelSubscription>
  /** An error of this client as a {@link CacheError}, without any part of the command that the error may quote. */
  translate(error: unknown): CacheError
}

/** A port that sends what waits to be sent together before any other command. */
export interface BatchingPort extends RedisPort {
  /**
   * Calls back once, before the next command is sent or the connections are closed. Replaces a callback that has not
   * been called.
   */
  beforeNext(callback: () => void): void
}
