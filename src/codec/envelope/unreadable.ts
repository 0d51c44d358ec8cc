import { CacheError } from '../../foundation/cache-error.ts'

/** The error for stored bytes that are no value; `reason` must hold nothing of a value. */
export function unreadable(reason: string): CacheError {
  return new CacheError('CACHE_UNDECODABLE', `The stored bytes cannot be decoded: ${reason}`)
}

/** What was met while stored bytes were decoded, as a CacheError: the cause is told by its class alone. */
export function undecodable(cause: unknown): CacheError {
  if (cause instanceof CacheError) return cause
  return new CacheError('CACHE_UNDECODABLE', `The stored bytes cannot be decoded (${reasonOf(cause)})`)
}

/** @throws CacheError {@link undecodable} */
export function rethrowUndecodable(cause: unknown): never {
  throw undecodable(cause)
}

/** The class of an error: a parser's message quotes the bytes it stumbled over. */
export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.name : typeof cause
}
