import type { SerializerName } from '../../contract/serializer.ts'
import { assertPackable } from '../msgpack/packing.ts'
import { assertV8, v8Serializer } from '../v8/v8.ts'
import { jsonSerializer } from './json.ts'
import { bytesSerializer, isRaw, textSerializer } from './raw.ts'

type Attempt = readonly [SerializerName, (value: unknown) => unknown]

const RAW: readonly Attempt[] = [
  ['text', textSerializer.encode],
  ['bytes', bytesSerializer.encode],
]
const JSON_TEXT: Attempt = ['json', jsonSerializer.encode]
const RICH: readonly Attempt[] = [
  ['msgpack', (value) => assertPackable(value, true)],
  ['v8', encodeByV8],
]

function encodeByV8(value: unknown): void {
  assertV8()
  v8Serializer.encode(value)
}

/** The serializers that bring a value back as it is, of those that carry more or other values than the one that refused it. */
export function carriersOf(value: unknown, refusedBy: string): readonly SerializerName[] {
  const attempts = isRaw(refusedBy) ? [...RAW, JSON_TEXT, ...RICH] : [...RAW, ...RICH]
  return attempts.filter(([, attempt]) => succeeds(() => attempt(value))).map(([name]) => name)
}

function succeeds(work: () => unknown): boolean {
  try {
    work()
    return true
  } catch {
    return false
  }
}
