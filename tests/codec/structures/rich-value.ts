import fc from 'fast-check'

/** Few names, so that shapes recur, among them such as other programs trip over. */
const NAMES = [
  'id',
  'name',
  'a',
  'b',
  '',
  '0',
  '10',
  'constructor',
  'toString',
  '"',
  '\\',
  '\u2028',
  'é',
  'x-y',
  '__proto_',
]

/** What msgpack carries as it is: -0 comes back as 0, and `__proto__` under another name. */
export const richValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double().map((value) => (Object.is(value, -0) ? 0 : value)),
    fc.bigInt(),
    fc.string({ unit: 'binary' }),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 5 }),
    fc.float64Array({ maxLength: 3, noNaN: true }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
    record(tie('value')),
    record(tie('value')),
    record(tie('value')).map((shared) => ({ first: shared, second: [shared] })),
  ),
})).value

function record(value: fc.Arbitrary<unknown>): fc.Arbitrary<Record<string, unknown>> {
  return fc.dictionary(fc.constantFrom(...NAMES), value, { maxKeys: 5, noNullPrototype: true })
}
