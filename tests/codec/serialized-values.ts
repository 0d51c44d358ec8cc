import fc from 'fast-check'

/** Values of JSON; -0 is left out, as JSON text has no such number. */
export const jsonValue = fc
  .jsonValue({ depthSize: 'medium', stringUnit: 'binary' })
  .map((value) => withoutNegativeZero(value))

function withoutNegativeZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

/** What structured clone carries, beyond JSON. */
export const richValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double(),
    fc.bigInt(),
    fc.string({ unit: 'binary' }),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(tie('value'), { maxLength: 5 }).map((items) => new Set(items)),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 5 }).map((pairs) => new Map(pairs)),
    fc.dictionary(
      fc.string().filter((name) => name !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value

/** Prototypes aside, which some serializers cannot know. */
export function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

/** Buffers as plain typed arrays: the bytes are what counts. */
export function normal(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Array.isArray(value)) return value.map(normal)
  if (value instanceof Set) return new Set([...value].map(normal))
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, normal(item)]))
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, normal(item)]))
  }
  return value
}

/** `value` with every -0 as 0 and every property `__proto__` as `__proto_`, which is how msgpackr brings them back. */
export function asMsgpackCarries(value: unknown): unknown {
  if (value === 0) return 0
  if (Array.isArray(value)) return value.map(asMsgpackCarries)
  if (value instanceof Set) return new Set([...value].map(asMsgpackCarries))
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, asMsgpackCarries(item)]))
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array)
    return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key === '__proto__' ? '__proto_' : key,
      asMsgpackCarries(item),
    ]),
  )
}
