import type { Serializer } from '../../contract/serializer.ts'
import { assertPeerInstalled, missingPeer } from '../../foundation/errors/optional-peer.ts'
import { type MsgpackrModule, RecordPacker } from './record-packer.ts'

const PURPOSE = 'The msgpack serializer'

/** @throws CacheError `CACHE_MISSING_PEER` if the package is surely not installed */
export function assertMsgpackr(): void {
  assertPeerInstalled('msgpackr', PURPOSE)
}

/** @throws CacheError `CACHE_MISSING_PEER` */
export async function loadMsgpackr(): Promise<MsgpackrModule> {
  try {
    return await import('msgpackr')
  } catch (cause) {
    throw missingPeer('msgpackr', PURPOSE, cause)
  }
}

/**
 * MessagePack by `msgpackr` with its structured-clone extensions: Map, Set, Date, BigInt of any size, RegExp, typed
 * arrays and cycles; errors of the language with message and cause. As with JSON, -0 becomes 0, an object with `toJSON`
 * what that yields, and class instances lose their class. A property `__proto__` becomes `__proto_`, since msgpackr
 * protects the prototype. It refuses what it would silently change: lone surrogates, errors with other properties, and
 * classes whose content is not in their properties (WeakMap, Response, boxed primitives, …).
 * Every payload contains its own record structures, so that any reader can decode it. `SharedStructures` handles
 * payloads that refer to a dictionary.
 */
export function createMsgpackSerializer(msgpackr: MsgpackrModule): Serializer {
  const packer = new RecordPacker(msgpackr, [], () => {})
  return Object.freeze({
    id: 'msgpack',

    encode(value: unknown): Uint8Array {
      return packer.pack(value)
    },

    decode(bytes: Buffer): unknown {
      return packer.unpack(bytes, 0)
    },
  })
}
