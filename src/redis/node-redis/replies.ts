import { ErrorReply, RESP_TYPES } from '@redis/client'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { detailOf, disconnected, fromErrorReply, unavailable } from '../port/redis-errors.ts'
import type { ReplyForm } from '../port/redis-port.ts'

/**
 * Command options by reply form. The client's own timeout is off: it covers only commands that have not been written
 * yet, and costs more than the command itself.
 */
const COMMAND_OPTIONS: Readonly<Record<ReplyForm, NodeRedisCommandOptions>> = {
  bytes: { timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  text: { timeout: 0, typeMapping: {} },
}

/** Errors of commands that were not sent. */
const NOT_SENT = ['ClientOfflineError', 'ClientClosedError', 'RootNodesUnavailableError'] as const

/** The options of one command of `@redis/client` that are used. */
export interface NodeRedisCommandOptions {
  readonly timeout: 0
  readonly typeMapping: { readonly [RESP_TYPES.BLOB_STRING]?: typeof Buffer }
}

export function commandOptions(form: ReplyForm): NodeRedisCommandOptions {
  return COMMAND_OPTIONS[form]
}

/**
 * An error of `@redis/client` as a {@link CacheError}: an error reply, a command that was never sent
 * (`CACHE_UNAVAILABLE`), or one whose reply was lost (`CACHE_DISCONNECTED`).
 */
export function fromNodeRedis(error: unknown): CacheError {
  if (error instanceof CacheError) return error
  if (isErrorReply(error)) return fromErrorReply(error.message)
  if (NOT_SENT.some((className) => isKind(error, className))) return unavailable('not connected')
  // The client has no class for this error, by which it refuses a command (commandsQueueMaxLength).
  const isQueueFull = error instanceof Error && error.message === 'The queue is full'
  return isQueueFull ? unavailable('the queue of the client is full') : disconnected(detailOf(error))
}

/** Whether `error` is an error reply of the server, not a failure to reach it. */
export function isErrorReply(error: unknown): error is Error {
  return error instanceof ErrorReply || isKind(error, 'ErrorReply')
}

/** Compares class names: a caller's client may come from another copy of `@redis/client`, with other classes. */
function isKind(error: unknown, className: string): boolean {
  for (
    let kind: unknown = error;
    typeof kind === 'object' && kind !== null;
    kind = Object.getPrototypeOf(kind)
  ) {
    if ((kind.constructor as { name: string } | undefined)?.name === className) return true
  }
  return false
}
