import { types } from 'node:util'
import { CloneCheck } from '../refusals/clone-check.ts'
import { MAX_PARTS } from '../refusals/limits.ts'
import { weightOfPattern } from '../refusals/pattern-weight.ts'

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
  weightOf,
  carriesLoneSurrogates: false,
})

/** Most of what the check of the payload counts is there in a large payload only. */
function weightOf(value: object): number {
  const isHeavy = types.isRegExp(value) && weightOfPattern(value.source, value.flags.includes('v')) > 0
  return isHeavy ? MAX_PARTS : 0
}

/**
 * @returns whether a small payload of the value may have too many parts
 * @throws Refusal if msgpackr, with the options of the packer, would bring something else back
 */
export function assertPackable(value: unknown): boolean {
  return check.assert(value) > MAX_PARTS
}
