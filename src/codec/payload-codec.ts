import type { Serializer, SerializerName } from '../contract/serializer.ts'
import { CacheError } from '../foundation/errors/cache-error.ts'
import { NO_VALUE_ID } from './envelope/envelope-format.ts'
import type { StructuresName } from './envelope/structures-section.ts'
import { notRead, reasonOf, rethrowUndecodable } from './envelope/unreadable.ts'
import { explainRefusal } from './refusals/explain-refusal.ts'
import { LimitExceeded } from './refusals/limits.ts'
import { kindOf } from './refusals/refusal.ts'
import { carriersOf } from './serializers/carriers.ts'
import { isRaw } from './serializers/raw.ts'
import { isSerializerName, SerializerRegistry } from './serializers/serializer-registry.ts'
import type { SharedStructures } from './structures/shared-structures.ts'

/** A serialized value, before it is bound to a key. */
export interface SerializedValue {
  readonly payload: string | Uint8Array
  /** The dictionary that the payload refers to; `undefined` if it refers to none. */
  readonly structures: StructuresName | undefined
}

/** Converts values to payloads and back, with the serializers and the record structures that msgpack payloads share. */
export class PayloadCodec {
  /** The serializer that values are written with. */
  readonly serializerId: string
  readonly #serializers: SerializerRegistry
  readonly #structures: SharedStructures | undefined
  #serializer: Serializer | undefined

  /** @param readers serializers that are used only for reading */
  constructor(
    serializer: SerializerName | Serializer,
    readers: readonly (SerializerName | Serializer)[],
    structures: SharedStructures | undefined,
  ) {
    this.serializerId = typeof serializer === 'string' ? serializer : serializer.id
    this.#serializers = new SerializerRegistry([serializer, ...readers])
    this.#structures = this.#serializers.allows('msgpack') ? structures : undefined
  }

  /** Whether values of this serializer are read. */
  reads(serializerId: string): boolean {
    return this.#serializers.allows(serializerId)
  }

  /** @throws CacheError `CACHE_MISSING_PEER` */
  async prepare(): Promise<void> {
    if (this.serializerId === 'msgpack') await this.#structures?.prepareToPack()
    this.#serializer = await this.#serializers.load(this.serializerId as SerializerName)
  }

  /** @throws CacheError `CACHE_INVALID_VALUE`, `CACHE_VALUE_TOO_LARGE` */
  serialize(value: unknown): SerializedValue {
    if (value === undefined) {
      throw new CacheError(
        'CACHE_INVALID_VALUE',
        'undefined cannot be stored: it is how a miss reads. Store null instead',
      )
    }
    if (this.#serializer === undefined) {
      throw new CacheError('CACHE_UNAVAILABLE', `The serializer '${this.serializerId}' has not been loaded`)
    }
    try {
      if (this.#structures?.canPack) return this.#structures.pack(value)
      return { payload: this.#serializer.encode(value), structures: undefined }
    } catch (cause) {
      if (cause instanceof LimitExceeded) {
        throw new CacheError('CACHE_VALUE_TOO_LARGE', `The value has ${cause.message}`)
      }
      throw this.#refused(this.#serializer, value, cause)
    }
  }

  /** The error of a value that cannot be stored. The message of a caller's serializer may quote it, and is left out. */
  #refused(serializer: Serializer, value: unknown, cause: unknown): CacheError {
    const reason = isSerializerName(serializer.id)
      ? `${explainRefusal(value, serializer.encode)}. ${adviceFor(value, serializer.id)}`
      : `it is ${kindOf(value)} (${reasonOf(cause)})`
    return new CacheError(
      'CACHE_INVALID_VALUE',
      `The serializer '${serializer.id}' cannot store this value: ${reason}`,
    )
  }

  /**
   * The value, `undefined` if the source had none; a promise of it if its serializer has to be loaded first.
   * @throws CacheError `CACHE_UNDECODABLE` if values of this serializer are not read
   * @throws any error if the payload is malformed; the promise rejects with a CacheError
   */
  deserialize(serializerId: string, payload: Buffer): unknown {
    const serializer = this.#serializers.peek(serializerId)
    if (serializer !== undefined) return serializer.decode(payload)
    if (serializerId === NO_VALUE_ID && payload.length === 0) return undefined
    if (!this.#serializers.allows(serializerId)) throw notRead(serializerId)
    return this.#serializers
      .load(serializerId as SerializerName)
      .then((loaded) => loaded.decode(payload))
      .catch(rethrowUndecodable)
  }

  /**
   * As {@link deserialize}, for a msgpack payload that refers to a dictionary, which may have to be loaded.
   * @param header contains section 4 at `sectionAt`
   * @param bytes contain the payload from `start` on
   */
  deserializeShared(header: Buffer, sectionAt: number, bytes: Buffer, start: number): unknown {
    if (this.#structures === undefined) throw notRead('msgpack')
    const value = this.#structures.unpack(header, sectionAt, bytes, start)
    return value instanceof Promise ? value.catch(rethrowUndecodable) : value
  }
}

function adviceFor(value: unknown, refusedBy: string): string {
  const carriers = carriersOf(value, refusedBy).map((name) => `'${name}'`)
  if (carriers.length === 0) return 'No serializer can; store plain data in its place'
  const advice = `The serializer ${carriers.join(' or ')} can`
  return isRaw(refusedBy) ? advice : `${advice}; or store plain data in its place`
}
