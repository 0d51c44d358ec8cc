import { CacheError } from '../../foundation/errors/cache-error.ts'
import { LimitExceeded } from '../refusals/limits.ts'

/** The error for stored bytes that are not a value. `reason` must not quote a value. */
export function unreadable(reason: string): CacheError {
  return new CacheError('CACHE_UNDECODABLE', `The stored bytes cannot be decoded: ${reason}`)
}

/** The error for stored bytes of a form that is not read, though it may be valid. */
export function notRead(form: string): CacheError {
  return unreadable(
    `they are written with '${form}', which this cache does not read: add it to the option 'readers'`,
  )
}

/** An error of decoding as a CacheError. Its message names the limit that was exceeded, or only the class of the cause. */
export function undecodable(cause: unknown): CacheError {
  if (cause instanceof CacheError) return cause
  if (cause instanceof LimitExceeded) return unreadable(`the value has ${cause.message}`)
  return new CacheError('CACHE_UNDECODABLE', `The stored bytes cannot be decoded (${reasonOf(cause)})`)
}

/** @throws CacheError {@link undecodable} */
export function rethrowUndecodable(cause: unknown): never {
  throw undecodable(cause)
}

/** The class of an error, without its message: a parser quotes the bytes that it fails at. */
export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.name : typeof cause
}
