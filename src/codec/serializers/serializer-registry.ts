import type { Serializer, SerializerName } from '../../contract/serializer.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { shown } from '../../foundation/errors/shown-value.ts'
import { assertMsgpackr, createMsgpackSerializer, loadMsgpackr } from '../msgpack/msgpack.ts'
import { createPickleSerializer } from '../pickle/pickle.ts'
import { assertV8, v8Serializer } from '../v8/v8.ts'
import { jsonSerializer } from './json.ts'
import { bytesSerializer, textSerializer } from './raw.ts'

const LOADERS: Readonly<Record<SerializerName, () => Promise<Serializer>>> = {
  json: async () => jsonSerializer,
  text: async () => textSerializer,
  bytes: async () => bytesSerializer,
  v8: async () => v8Serializer,
  msgpack: async () => createMsgpackSerializer(await loadMsgpackr()),
  pickle: async () => createPickleSerializer(),
}

/** Those that are always read: none of them makes anything but plain data of any bytes. */
const ALWAYS: readonly Serializer[] = [jsonSerializer, textSerializer, bytesSerializer]

/**
 * The serializers that may be used, by id: the one that values are written with, those that are only read, JSON, text and
 * bytes. What is stored names its serializer, but does not choose among others: who can write to the store may not be
 * trusted.
 *
 * A serializer that needs an optional peer is loaded with the first value that was written with it, at the latest.
 */
export class SerializerRegistry {
  readonly #allowed: ReadonlySet<string>
  readonly #ready = new Map(ALWAYS.map((serializer) => [serializer.id, serializer]))

  /** @param serializers of the library by their names, and those of the caller */
  constructor(serializers: readonly (SerializerName | Serializer)[]) {
    for (const serializer of serializers) {
      if (typeof serializer === 'string') continue
      assertSerializer(serializer)
      this.#ready.set(serializer.id, serializer)
    }
    const names = serializers.map((serializer) =>
      typeof serializer === 'string' ? serializer : serializer.id,
    )
    this.#allowed = new Set([...this.#ready.keys(), ...names])
  }

  /** Whether values of this serializer are read. */
  allows(id: string): boolean {
    return this.#allowed.has(id)
  }

  /** The serializer, if it is loaded. */
  peek(id: string): Serializer | undefined {
    return this.#ready.get(id)
  }

  /** @throws CacheError `CACHE_MISSING_PEER` */
  async load(id: SerializerName): Promise<Serializer> {
    const loaded = this.#ready.get(id) ?? (await LOADERS[id]())
    this.#ready.set(id, loaded)
    return loaded
  }
}

/** Whether `name` is one of the built-in serializers. */
export function isSerializerName(name: unknown): name is SerializerName {
  return typeof name === 'string' && Object.hasOwn(LOADERS, name)
}

/** @throws CacheError `CACHE_MISSING_PEER` if a serializer needs a package that is surely not installed, or another runtime */
export function assertSerializerAvailable(name: SerializerName): void {
  if (name === 'v8') assertV8()
  if (name === 'msgpack') assertMsgpackr()
}

function assertSerializer(serializer: Serializer): void {
  const { id, encode, decode } = serializer ?? {}
  if (typeof encode !== 'function' || typeof decode !== 'function' || !/^[a-z0-9._/-]{1,32}$/.test(id)) {
    throw new CacheError(
      'CACHE_INVALID_OPTIONS',
      `A serializer is an object with encode, decode, and an id of 1 to 32 characters of a-z 0-9 . _ / -, not ${shown(typeof id === 'string' ? id : serializer)}`,
    )
  }
  if (isSerializerName(id)) {
    throw new CacheError(
      'CACHE_INVALID_OPTIONS',
      `The serializer id '${id}' is taken by one of the library's own`,
    )
  }
}
