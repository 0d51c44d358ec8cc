import { isUtf8 } from 'node:buffer'
import { types } from 'node:util'
import type { Serializer } from '../../contract/serializer.ts'
import { ownCopy } from '../../foundation/own-copy.ts'
import { kindOf, WholeRefusal } from '../refusals/refusal.ts'

/** Strings as their UTF-8, without quotes: what `SET key text` of `redis-cli` stores. It refuses all other values. */
export const textSerializer: Serializer = Object.freeze({
  id: 'text',

  encode(value: unknown): string {
    if (typeof value !== 'string') throw new WholeRefusal(kindOf(value))
    if (!value.isWellFormed()) throw new WholeRefusal('a string with a lone surrogate')
    return value
  },

  decode(bytes: Buffer): string {
    if (!isUtf8(bytes)) throw new SyntaxError('not UTF-8')
    return bytes.toString()
  },
})

/** A `Buffer` or `Uint8Array` as its bytes; it comes back as a `Buffer`. It refuses all other values. */
export const bytesSerializer: Serializer = Object.freeze({
  id: 'bytes',

  /** A copy, since the bytes may be sent after the caller has changed its own. */
  encode(value: unknown): Buffer {
    if (!types.isUint8Array(value)) throw new WholeRefusal(kindOf(value))
    if (value.length === 0) assertAttached(value)
    return Buffer.from(value)
  },

  decode(bytes: Buffer): Buffer {
    return ownCopy(bytes)
  },
})

/** Whether the serializer stores what it is given, as it is. */
export function isRaw(id: string): boolean {
  return id === 'text' || id === 'bytes'
}

/** Memory that was transferred to another thread looks like no bytes at all. */
function assertAttached({ buffer }: Uint8Array): void {
  try {
    new Uint8Array(buffer)
  } catch {
    throw new WholeRefusal('a view of memory that was transferred')
  }
}
