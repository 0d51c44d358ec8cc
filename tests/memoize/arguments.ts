import fc from 'fast-check'

/** Made of what the text itself is made of, so that badly escaped strings meet. */
const syntax = fc.constantFrom('"', '\\', ',', ':', '{', '}', '[', ']', '(', ')', '=>', 'n', 'u', 'd800', '1')

const text = fc.oneof(
  fc.array(syntax, { maxLength: 4 }).map((pieces) => pieces.join('')),
  fc.constantFrom(
    '',
    'a',
    'undefined',
    'null',
    '\ud800',
    '\udc00',
    '\ud83d\ude00',
    '\u0000',
    '\u007f',
    'é',
    'e\u0301',
  ),
  fc.string({ unit: 'binary', maxLength: 5 }),
)

const name = fc.oneof(fc.constantFrom('a', 'b', '__proto__', 'constructor', 'length', '0', '10', '9'), text)

const bytes = fc.uint8Array({ maxLength: 4, max: 2 })

export const leaf = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, true, false),
  fc.constantFrom<unknown>(
    0,
    -0,
    1,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    1e21,
    5e-324,
  ),
  fc.double(),
  fc.constantFrom(0n, 1n, -1n, 10n ** 30n),
  text,
  fc.constantFrom(0, 1, 86_400_000).map((time) => new Date(time)),
  fc.constantFrom('https://a.example/', 'https://a.example/?b').map((address) => new URL(address)),
  fc
    .tuple(fc.constantFrom('a', '/', '"'), fc.constantFrom('', 'g', 'gi'))
    .map(([source, flags]) => new RegExp(source, flags)),
  bytes,
  bytes.map((array) => Buffer.from(array)),
  bytes.map((array) => new Uint8ClampedArray(array)),
  bytes.map((array) => new DataView(Uint8Array.from(array).buffer)),
  bytes.map((array) => Uint8Array.from(array).buffer),
  bytes.map((array) => Int8Array.from(array)),
  bytes.map((array) => Int16Array.from(array)),
  bytes.map((array) => Float64Array.from(array)),
  bytes.map((array) => BigInt64Array.from(array, BigInt)),
)

export const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 3 }).map(recordOf),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
  ),
}))

export const list = fc.array(value, { maxLength: 3 })

/** With an own `__proto__`, which an assignment would not make. */
export function recordOf(entries: readonly (readonly [string, unknown])[]): object {
  const record = {}
  for (const [key, item] of entries) {
    Object.defineProperty(record, key, { value: item, enumerable: true, writable: true, configurable: true })
  }
  return record
}
