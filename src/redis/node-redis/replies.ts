import { ErrorReply, RESP_TYPES } from '@redis/client'
import { CacheError } from '../../foundation/cache-error.ts'
import { detailOf, disconnected, fromErrorReply, unavailable } from '../port/redis-errors.ts'
import type { ReplyForm } from '../port/redis-port.ts'

/**
 * How a command is sent. The client's own timeout is off: it covers only commands that are not yet written,
 * and costs more than the command does.
 */
const COMMAND_OPTIONS: Readonly<Record<ReplyForm, NodeRedisCommandOptions>> = {
  bytes: { timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  text: { timeout: 0, typeMapping: {} },
}

/** Options of one command, as `@redis/client` takes them. */
export interface NodeRedisCommandOptions {
  readonly timeout: 0
  readonly typeMapping: { readonly [RESP_TYPES.BLOB_STRING]?: typeof Buffer }
}

export function commandOptions(form: ReplyForm): NodeRedisCommandOptions {
  return COMMAND_OPTIONS[form]
}

/** What the client threw, as a `CacheError`: an error reply, a command that was never sent, or one that got lost. */
export function fromNodeRedis(error: unknown): CacheError {
  if (error instanceof CacheError) return error
  if (isErrorReply(error)) return fromErrorReply(error.message)
  return isKind(error, 'ClientOfflineError') || isKind(error, 'ClientClosedError')
    ? unavailable('not connected')
    : disconnected(detailOf(error))
}

/** Whether `error` is what the server answered, not a failure to reach it. */
export function isErrorReply(error: unknown): error is Error {
  return error instanceof ErrorReply || isKind(error, 'ErrorReply')
}

/** By name, since a caller's own client may come from another copy of `@redis/client`, with classes of its own. */
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
