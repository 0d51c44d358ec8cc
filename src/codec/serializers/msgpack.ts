import type { Serializer } from '../../contract/serializer.ts'

/** The `msgpackr` package. */
export type MsgpackrModule = typeof import('msgpackr')

/**
 * MessagePack by `msgpackr` with its structured-clone extensions: Map, Set, Date, BigInt of any size, typed
 * arrays, cycles. As with JSON, -0 comes back as 0; a property
 * `__proto__` comes back as `__proto_`, which is how msgpackr keeps it off the prototype. Smaller than JSON; every entry carries its own record structures, so any reader can decode it.
 */
export function createMsgpackSerializer({ Packr }: MsgpackrModule): Serializer {
  const packr = new Packr({
    structuredClone: true,
    moreTypes: true,
    useBigIntExtension: true,
    writeFunction: refuseFunction,
  } as ConstructorParameters<MsgpackrModule['Packr']>[0])
  return Object.freeze({
    id: 'msgpack',

    encode(value: unknown): Uint8Array {
      return packr.pack(value)
    },

    /** Decodes from a copy, as typed arrays in the result may share its memory. */
    decode(bytes: Buffer): unknown {
      return packr.unpack(Buffer.from(bytes))
    },
  })
}

/** Left to itself, msgpackr writes a function as `undefined`. */
function refuseFunction(): never {
  throw new TypeError('msgpack cannot carry a function')
}
