import { ClientClosedError, ClientOfflineError, ErrorReply, RESP_TYPES } from '@redis/client'
import { CacheError } from '../foundation/cache-error.ts'
import { detailOf, disconnected, fromErrorReply, unavailable } from './redis-errors.ts'
import type { ReplyForm } from './redis-port.ts'

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
  if (error instanceof ErrorReply) return fromErrorReply(error.message)
  if (error instanceof ClientOfflineError || error instanceof ClientClosedError) {
    return unavailable('not connected')
  }
  return disconnected(detailOf(error))
}
