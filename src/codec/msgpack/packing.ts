import { CloneCheck } from '../refusals/clone-check.ts'

/** The classes that msgpackr has an extension for. It finds most of them by `constructor`, and misreads subclasses. */
const CARRIED: ReadonlySet<unknown> = new Set([
  Map,
  Set,
  Date,
  RegExp,
  ArrayBuffer,
  DataView,
  Buffer,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
])

const check = new CloneCheck({
  carries: (value) => CARRIED.has(value.constructor),
  errorProperties: new Set(['message', 'stack', 'cause']),
  callsToJson: true,
  weightOf: () => 0,
  carriesLoneSurrogates: false,
})

/** @throws Refusal if msgpackr, with the options of the packer, would bring something else back */
export function assertPackable(value: unknown): void {
  check.assert(value)
}
