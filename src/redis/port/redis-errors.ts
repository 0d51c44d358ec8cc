import { CacheError, type CacheErrorCode } from '../../foundation/cache-error.ts'

const CODES: ReadonlyMap<string, CacheErrorCode> = new Map([
  ['WRONGTYPE', 'CACHE_WRONG_TYPE'],
  ['NOAUTH', 'CACHE_AUTH'],
  ['WRONGPASS', 'CACHE_AUTH'],
  ['NOPERM', 'CACHE_AUTH'],
  ['NOTACOUNTER', 'CACHE_NOT_A_COUNTER'],
  ['OVERFLOW', 'CACHE_COUNTER_OVERFLOW'],
])

/**
 * An error reply as a {@link CacheError}. The first word of a reply is its code (RESP: "simple errors"). The
 * rest is kept for people, less everything in it that quotes what was sent.
 */
export function fromErrorReply(reply: string): CacheError {
  const replyCode = /^-?([A-Z][A-Z0-9]*)/.exec(reply)?.[1] ?? 'ERR'
  return new CacheError(
    CODES.get(replyCode) ?? 'CACHE_REPLY',
    `Redis answered: ${withoutQuotations(reply)}`,
    { replyCode },
  )
}

/** Whether `error` is a reply with this code: the command reached Redis and was refused. */
export function isReply(error: unknown, replyCode: string): boolean {
  return error instanceof CacheError && error.replyCode === replyCode
}

function withoutQuotations(reply: string): string {
  return reply
    .replace(/,? with args beginning with:.*$| script: [0-9a-f]{40}.*$/s, '')
    .replace(/'[^']*'|"[^"]*"|`[^`]*`/g, "'…'")
    .slice(0, 200)
}

/** A failure to reach Redis. `detail` is an error code of the operating system or a class name, never a message. */
export function unavailable(detail: string): CacheError {
  return new CacheError('CACHE_UNAVAILABLE', `Redis is not available (${detail})`)
}

/** The connection broke while a command was on its way. */
export function disconnected(detail: string): CacheError {
  return new CacheError('CACHE_DISCONNECTED', `The connection to Redis was lost before the reply (${detail})`)
}

/** What is safe to say of a client's or the operating system's error: its code, else its class. */
export function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  if ('code' in error && typeof error.code === 'string') return error.code
  return error.name === 'Error' ? error.constructor.name : error.name
}
