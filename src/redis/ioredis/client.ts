import { CacheError } from '../../foundation/errors/cache-error.ts'
import { detailOf, disconnected, fromErrorReply } from '../port/redis-errors.ts'
import type { RedisArgument, RedisReply, ReplyForm } from '../port/redis-port.ts'

/** The part of an `ioredis` connection (5 or 6) that this library uses. */
export interface IoredisConnection {
  readonly status: string
  readonly options: {
    readonly connectTimeout?: number | undefined
    readonly db?: number | undefined
    readonly host?: string | undefined
    readonly keyPrefix?: string | undefined
    readonly monitor?: boolean | undefined
    readonly path?: string | undefined
    readonly port?: number | undefined
    readonly role?: string | undefined
  }
  /** Its present database; `null` before the first attempt to connect. */
  readonly condition?: { readonly select?: number | undefined } | null | undefined
  readonly stream?: { readonly writable: boolean } | undefined
  call(command: string, args: RedisArgument[]): Promise<unknown>
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>
  connect(): Promise<void>
  disconnect(reconnect?: boolean): void
  duplicate(override: object): IoredisConnection
  on(event: string, listener: (...details: unknown[]) => void): unknown
  off(event: string, listener: (...details: unknown[]) => void): unknown
}

/** The part of `new Redis()` of `ioredis` that this library uses. */
export interface IoredisClient extends IoredisConnection {}

/** The address at which `ioredis` reaches a node, by the `host:port` that the cluster reports for it. */
export type IoredisNatMap =
  | Readonly<Record<string, { readonly host: string; readonly port: number }>>
  | ((address: string) => { readonly host: string; readonly port: number } | null)

/** The part of `new Cluster()` of `ioredis` that this library uses. */
export interface IoredisCluster {
  readonly status: string
  readonly slots: readonly (readonly string[])[]
  connect(): Promise<void>
  refreshSlotsCache(callback: () => void): void
  call(command: string, args: RedisArgument[]): Promise<unknown>
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>
  readonly options: { readonly keyPrefix?: string | undefined; readonly natMap?: IoredisNatMap | undefined }
  readonly isCluster: boolean
  nodes(role: 'master'): IoredisConnection[]
  on(event: string, listener: (...details: unknown[]) => void): unknown
  off(event: string, listener: (...details: unknown[]) => void): unknown
}

/** Whether `client` is a `Redis` or a `Cluster` of `ioredis`. */
export function isIoredis(client: object): client is IoredisClient | IoredisCluster {
  return 'callBuffer' in client && 'status' in client
}

/** Whether `client` is a `Cluster` of `ioredis`. */
export function isIoredisCluster(client: IoredisClient | IoredisCluster): client is IoredisCluster {
  return 'isCluster' in client && client.isCluster === true
}

/** Sends a command on one connection. */
export function callIoredis(
  connection: IoredisConnection,
  [name, ...args]: readonly RedisArgument[],
  form: ReplyForm,
): Promise<RedisReply> {
  const commandName = String(name)
  const reply =
    form === 'bytes' ? connection.callBuffer(commandName, args) : connection.call(commandName, args)
  return reply as Promise<RedisReply>
}

/**
 * An error of `ioredis` as a {@link CacheError}. `ioredis` attaches the whole command to its errors, values included,
 * so the error itself is not kept as a cause.
 */
export function fromIoredis(error: unknown): CacheError {
  if (error instanceof CacheError) return error
  return isReplyError(error) ? fromErrorReply(error.message) : disconnected(detailOf(error))
}

/** Whether `error` is an error reply of the server. Compares names: every copy of `ioredis` has its own class. */
export function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** The `host:port` of a connection, or its socket's path. */
export function ioredisEndpoint({ options }: IoredisConnection): string {
  return options.path ?? `${options.host}:${options.port}`
}
