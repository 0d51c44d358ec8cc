import type { SerializerName } from '../../contract/serializer.ts'
import { assertPackable } from '../msgpack/packing.ts'
import { v8Serializer } from '../v8/v8.ts'

const ATTEMPTS: readonly (readonly [SerializerName, (value: unknown) => unknown])[] = [
  ['msgpack', (value) => assertPackable(value, true)],
  ['v8', v8Serializer.encode],
]

/** The serializers that bring a value back as it is, of those that carry more than plain data. */
export function carriersOf(value: unknown): readonly SerializerName[] {
  return ATTEMPTS.filter(([, attempt]) => succeeds(() => attempt(value))).map(([name]) => name)
}

function succeeds(work: () => unknown): boolean {
  try {
    work()
    return true
  } catch {
    return false
  }
}
