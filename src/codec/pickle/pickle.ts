import type { Serializer } from '../../contract/serializer.ts'
import { decodePickle } from './pickle-reader.ts'
import { encodePickle } from './pickle-writer.ts'

/**
 * The pickle format of Python, for keys that are shared with a Python service. `encode` writes protocol 4 (Python 3.4
 * and later); `decode` reads protocols 0 to 5. It supports plain data only, and never executes anything in a pickle.
 *
 * | JavaScript | Python | and back |
 * | --- | --- | --- |
 * | `null`, booleans, strings | `None`, `bool`, `str` | the same |
 * | safe integers, `BigInt` | `int` | `number` if safe, else `BigInt` |
 * | other numbers | `float` | `number` |
 * | `Uint8Array`, `Buffer` | `bytes` (`bytearray` is read too) | `Buffer` |
 * | arrays | `list` (`tuple` is read too) | array |
 * | plain objects, `Map` | `dict` | plain object if every key is a string, else `Map` |
 * | `Set` | `set` (`frozenset` is read too) | `Set` |
 * | `Date` | `datetime.datetime` in `timezone.utc` | `Date` |
 *
 * Parts that are shared within a value stay shared.
 */
export function createPickleSerializer(): Serializer {
  return Object.freeze({ id: 'pickle', encode: encodePickle, decode: decodePickle })
}
