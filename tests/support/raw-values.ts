import type { StoredValues } from 'cachewright/testing'
import { jsonSerializer } from '../../src/codec/serializers/json.ts'

/** JSON text in the place of the values of the contract suite, for backends that store text or bytes alone. */
export const RAW_VALUES: readonly (readonly ['text' | 'bytes', StoredValues])[] = [
  ['text', { toStored: jsonText, fromStored: (text) => jsonSerializer.decode(Buffer.from(text as string)) }],
  [
    'bytes',
    {
      toStored: (value) => {
        const text = jsonText(value)
        return typeof text === 'string' ? Buffer.from(text) : text
      },
      fromStored: (bytes) => jsonSerializer.decode(bytes as Buffer),
    },
  ],
]

/** The JSON text of a value; what is no JSON as it is. */
function jsonText(value: unknown): unknown {
  try {
    return jsonSerializer.encode(value)
  } catch {
    return value
  }
}
