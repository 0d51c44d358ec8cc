import type { Serializer } from '../../contract/serializer.ts'
import { loadPeer } from '../../foundation/optional-peer.ts'
import { type MsgpackrModule, RecordPacker } from './record-packer.ts'

/** @throws CacheError `CACHE_MISSING_PEER` */
export function loadMsgpackr(): Promise<MsgpackrModule> {
  return loadPeer('msgpackr', 'The msgpack serializer', () => import('msgpackr'))
}

/**
 * MessagePack by `msgpackr` with its structured-clone extensions: Map, Set, Date, BigInt of any size, typed arrays,
 * cycles. As with JSON, -0 comes back as 0; a property `__proto__` comes back as `__proto_`, which is how msgpackr keeps
 * it off the prototype. Every payload carries its own record structures, so any reader can decode it; those that refer
 * to structures that lie elsewhere are `SharedStructures`' affair.
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
