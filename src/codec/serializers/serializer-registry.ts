import type { Serializer, SerializerName } from '../../contract/serializer.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { shown } from '../../foundation/errors/shown-value.ts'
import { assertMsgpackr, createMsgpackSerializer, loadMsgpackr } from '../msgpack/msgpack.ts'
import { createPickleSerializer } from '../pickle/pickle.ts'
import { jsonSerializer } from './json.ts'
import { v8Serializer } from './v8.ts'

const LOADERS: Readonly<Record<SerializerName, () => Promise<Serializer>>> = {
  json: async () => jsonSerializer,
  v8: async () => v8Serializer,
  msgpack: async () => createMsgpackSerializer(await loadMsgpackr()),
  pickle: async () => createPickleSerializer(),
}

/**
 * The serializers by id. One that needs an optional peer is loaded when the configuration names it, or when the first
 * value that was written with it is read.
 */
export class SerializerRegistry {
  readonly #ready = new Map<string, Serializer>([
    ['json', jsonSerializer],
    ['v8', v8Serializer],
  ])

  /** @param custom serializers of the caller, for writing or only for reading */
  constructor(custom: readonly Serializer[]) {
    for (const serializer of custom) {
      assertSerializer(serializer)
      this.#ready.set(serializer.id, serializer)
    }
  }

  /** The serializer, if it is loaded. */
  peek(id: string): Serializer | undefined {
    return this.#ready.get(id)
  }

  /** @throws CacheError `CACHE_MISSING_PEER`; `CACHE_UNDECODABLE` if there is no serializer of that id */
  async load(id: string): Promise<Serializer> {
    const ready = this.#ready.get(id)
    if (ready !== undefined) return ready
    if (!Object.hasOwn(LOADERS, id))
      throw new CacheError('CACHE_UNDECODABLE', `No serializer has the id '${id}'`)
    const loaded = await LOADERS[id as SerializerName]()
    this.#ready.set(id, loaded)
    return loaded
  }
}

/** Whether `name` is one of the built-in serializers. */
export function isSerializerName(name: unknown): name is SerializerName {
  return typeof name === 'string' && Object.hasOwn(LOADERS, name)
}

/** @throws CacheError `CACHE_MISSING_PEER` if a serializer needs a package that is surely not installed */
export function assertSerializerAvailable(name: SerializerName): void {
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
