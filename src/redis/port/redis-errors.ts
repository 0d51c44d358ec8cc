import { CacheError, type CacheErrorCode } from '../../foundation/errors/cache-error.ts'

const CODES: ReadonlyMap<string, CacheErrorCode> = new Map([
  ['WRONGTYPE', 'CACHE_WRONG_TYPE'],
  ['NOAUTH', 'CACHE_AUTH'],
  ['WRONGPASS', 'CACHE_AUTH'],
  ['NOPERM', 'CACHE_AUTH'],
  ['NOTACOUNTER', 'CACHE_NOT_A_COUNTER'],
  ['OVERFLOW', 'CACHE_COUNTER_OVERFLOW'],
])

/**
 * An error reply of Redis as a {@link CacheError}.
 *
 * The first word of the reply becomes `replyCode` (RESP: "simple errors"). The rest goes into the message, without
 * the parts that quote the command, since those may hold keys and values.
 */
export function fromErrorReply(reply: string): CacheError {
  const replyCode = /^-?([A-Z][A-Z0-9]*)/.exec(reply)?.[1] ?? 'ERR'
  return new CacheError(
    CODES.get(replyCode) ?? 'CACHE_REPLY',
    `Redis answered: ${withoutQuotations(reply)}`,
    { replyCode },
  )
}

/** Whether `error` is an error reply with this code: the command reached Redis, which refused it. */
export function isReply(error: unknown, replyCode: string): boolean {
  return error instanceof CacheError && error.replyCode === replyCode
}

/**
 * Whether `error` says that a command over one key was surely not executed: it was never sent, or Redis refused it
 * with an error reply. A timeout or a lost connection leaves that open.
 */
export function wasNotExecuted(error: unknown): boolean {
  return error instanceof CacheError && (error.replyCode !== undefined || error.code === 'CACHE_UNAVAILABLE')
}

function withoutQuotations(reply: string): string {
  return reply
    .replace(/,? with args beginning with:.*$| script: [0-9a-f]{40}.*$/s, '')
    .replace(/'[^']*'|"[^"]*"|`[^`]*`/g, "'…'")
    .slice(0, 200)
}

/**
 * The error of a command that was not sent, since Redis cannot be reached.
 * @param detail an error code of the operating system, a class name or a text of this library; never another
 * library's message, which may quote secrets
 */
export function unavailable(detail: string): CacheError {
  return new CacheError('CACHE_UNAVAILABLE', `Redis is not available (${detail})`)
}

/** The error of a command whose connection was lost before the reply: it may or may not have been executed. */
export function disconnected(detail: string): CacheError {
  return new CacheError('CACHE_DISCONNECTED', `The connection to Redis was lost before the reply (${detail})`)
}

/**
 * The part of a client's or the operating system's error that is safe to report: its `code`, else its class name.
 * Messages are left out, since they may quote commands.
 */
export function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  if ('code' in error && typeof error.code === 'string') return error.code
  return error.name === 'Error' ? error.constructor.name : error.name
}
