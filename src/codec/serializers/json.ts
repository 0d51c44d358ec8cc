import { isUtf8 } from 'node:buffer'
import type { Serializer } from '../../contract/serializer.ts'

const QUOTE = 0x22

/**
 * Plain JSON text (RFC 8259), readable by `redis-cli` and every other language.
 *
 * Carries what JSON carries. `undefined` properties are left out and `toJSON` is honoured (a `Date` becomes its
 * ISO string); everything that `JSON.stringify` would silently change into something else (functions, symbols,
 * NaN, infinities, Map, Set, typed arrays, RegExp, Error, holes in arrays) is refused instead.
 */
export const jsonSerializer: Serializer = Object.freeze({
  id: 'json',

  encode(value: unknown): string {
    const text: string | undefined = JSON.stringify(value)
    // After stringify, so that a cycle has already been reported and the walk below ends.
    assertJson(value)
    return text
  },

  decode(bytes: Buffer): unknown {
    if (!isUtf8(bytes)) throw new SyntaxError('not UTF-8')
    return (bytes[0] === QUOTE ? plainString(bytes) : undefined) ?? JSON.parse(bytes.toString())
  },
})

/**
 * A string literal without escapes is its own text: one copy and two searches in place of a parser. (It lets
 * raw control characters through, which JSON wants escaped; their meaning is not in doubt.)
 * @returns `undefined` where it has escapes, or is not one literal
 */
function plainString(bytes: Buffer): string | undefined {
  if (bytes.length < 2 || bytes[bytes.length - 1] !== QUOTE) return undefined
  const text = bytes.toString('utf8', 1, bytes.length - 1)
  return text.includes('"') || text.includes('\\') ? undefined : text
}

/**
 * Refuses what JSON text would silently turn into something else. A walk of its own costs a tenth of
 * `JSON.stringify`; a replacer function would cost several times as much as that.
 */
function assertJson(value: unknown): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return
    case 'number':
      if (!Number.isFinite(value)) throw notJson(value)
      return
    case 'object':
      if (value === null) return
      if (Array.isArray(value)) {
        for (let index = 0; index < value.length; index++) assertJson(value[index])
      } else {
        assertJsonObject(value as Record<string, unknown>)
      }
      return
    default:
      throw notJson(value)
  }
}

function assertJsonObject(value: Record<string, unknown>): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = prototype === Object.prototype || prototype === null
  if (!isPlain && isOpaque(value)) throw notJson(value)
  // `for … in` keeps to V8's enumeration cache, where Object.keys makes an array for every object.
  for (const name in value) {
    const property = value[name]
    if (property === undefined || (!isPlain && !Object.hasOwn(value, name))) continue
    if (typeof property === 'object' || typeof property === 'number') assertJson(property)
    else if (typeof property !== 'string' && typeof property !== 'boolean') {
      if (typeof value.toJSON === 'function') return
      throw notJson(property)
    }
  }
}

function notJson(value: unknown): TypeError {
  const kind = typeof value === 'object' ? (value as object).constructor.name : String(typeof value)
  return new TypeError(`JSON cannot carry ${typeof value === 'number' ? value : kind}`)
}

/** Built-in objects whose content is not in their properties, or which JSON would write as something else. */
function isOpaque(value: object): boolean {
  return (
    ArrayBuffer.isView(value) ||
    value instanceof Map ||
    value instanceof Set ||
    value instanceof WeakMap ||
    value instanceof WeakSet ||
    value instanceof RegExp ||
    value instanceof Error ||
    value instanceof Promise ||
    value instanceof ArrayBuffer ||
    value instanceof SharedArrayBuffer
  )
}
