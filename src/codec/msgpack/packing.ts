import { types } from 'node:util'
import { CloneCheck, type Cloning } from '../refusals/clone-check.ts'
import { MAX_PARTS } from '../refusals/limits.ts'
import { weightOfPattern } from '../refusals/pattern-weight.ts'
import { MARKED_BYTES } from './packed-tokens.ts'

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

const CLONING: Cloning = {
  carries: (value) => CARRIED.has(value.constructor),
  errorProperties: new Set(['message', 'stack', 'cause']),
  callsToJson: true,
  weightOf,
  carriesLoneSurrogates: false,
}

const check = new CloneCheck(CLONING)
/** For where msgpackr reads strings by itself: see MARKED_BYTES. */
const checkOfMarks = new CloneCheck({
  ...CLONING,
  refusalOfMark: {
    bytes: MARKED_BYTES,
    kind: 'a string that begins with U+FEFF, which msgpackr reads without it unless msgpackr-extract is installed',
  },
})

/** Most of what the check of the payload counts is there in a large payload only. */
function weightOf(value: object): number {
  const isHeavy = types.isRegExp(value) && weightOfPattern(value.source, value.flags.includes('v')) > 0
  return isHeavy ? MAX_PARTS : 0
}

/**
 * @param losesMarks whether msgpackr reads strings without msgpackr-extract
 * @returns whether a small payload of the value may have too many parts
 * @throws Refusal if msgpackr, with the options of the packer, would bring something else back
 */
export function assertPackable(value: unknown, losesMarks: boolean): boolean {
  return (losesMarks ? checkOfMarks : check).assert(value) > MAX_PARTS
}
