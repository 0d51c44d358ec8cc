import { Writable } from 'node:stream'
import type { Cache, Slot } from 'cachewright'
import type { cacheStores } from 'undici'

type CacheStore = Pick<
  InstanceType<typeof cacheStores.MemoryCacheStore>,
  'get' | 'createWriteStream' | 'delete'
>
export type CacheKey = Parameters<CacheStore['get']>[0]
export type CacheValue = Parameters<CacheStore['createWriteStream']>[1]
type GetResult = NonNullable<Awaited<ReturnType<CacheStore['get']>>>

/** A response to one method, for the request headers that its `vary` names. */
interface Variant {
  readonly method: string
  readonly head: CacheValue
  readonly body: Buffer
}

/** A cached URL: the latest responses, the newest last. */
export type Variants = readonly Variant[]

/** The bounds of {@link UndiciStore}. */
export interface UndiciStoreOptions {
  /** The largest body that is stored, and the most bytes of all bodies of one URL. @default 5 MiB */
  readonly maxEntrySize?: number
  /** How many responses to one URL are kept, the newest. @default 16 */
  readonly maxVariants?: number
}

/**
 * A store of undici's cache over slots, for a cache with a serializer that keeps bytes. `get` reserves the URL, and the
 * stream of the response fills the slot. So a response is stored only if nothing has invalidated its URL since undici
 * looked for it: also if that was done by another process, while the body was still on its way.
 */
export class UndiciStore implements CacheStore {
  readonly #cache: Cache<'share'>
  readonly #maxEntrySize: number
  readonly #maxVariants: number
  /** undici calls `get`, and later `createWriteStream`, with the same object. */
  readonly #slots = new WeakMap<CacheKey, Slot<Variants>>()

  constructor(
    cache: Cache<'share'>,
    { maxEntrySize = 5 * 1024 * 1024, maxVariants = 16 }: UndiciStoreOptions = {},
  ) {
    this.#cache = cache
    this.#maxEntrySize = maxEntrySize
    this.#maxVariants = maxVariants
  }

  async get(key: CacheKey): Promise<GetResult | undefined> {
    const slot = await this.#cache.reserve<Variants>(nameOf(key))
    this.#slots.set(key, slot)
    const found = slot.value?.find((variant) => answers(variant, key))
    if (found === undefined) return undefined
    return { cacheControlDirectives: {}, ...found.head, body: [found.body] }
  }

  createWriteStream(key: CacheKey, head: CacheValue): Writable {
    const slot = this.#slots.get(key) ?? this.#cache.reserve<Variants>(nameOf(key))
    this.#slots.delete(key)
    const chunks: Buffer[] = []
    let size = 0
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        size += chunk.length
        chunks.push(chunk)
        if (size > this.#maxEntrySize) stream.destroy()
        done()
      },
      final: (done) => {
        const variant = { method: key.method, head, body: Buffer.concat(chunks) }
        this.#fill(slot, key, variant).then(() => done(), done)
      },
    })
    return stream
  }

  async delete(key: CacheKey): Promise<void> {
    await this.#cache.delete(nameOf(key))
  }

  async #fill(
    reserved: Slot<Variants> | Promise<Slot<Variants>>,
    key: CacheKey,
    variant: Variant,
  ): Promise<void> {
    const slot = await reserved
    const others = (slot.value ?? []).filter((other) => !answers(other, key) && isKept(other))
    const variants = this.#newest([...others, variant])
    const deleteAt = Math.max(...variants.map(({ head }) => head.deleteAt))
    if (deleteAt > Date.now()) await slot.fill(variants, { ttl: `${deleteAt - Date.now()}ms` })
  }

  #newest(variants: Variants): Variants {
    const kept: Variant[] = []
    let size = 0
    for (const variant of variants.slice(-this.#maxVariants).toReversed()) {
      size += variant.body.length
      if (size > this.#maxEntrySize) break
      kept.unshift(variant)
    }
    return kept
  }
}

function nameOf({ origin, path }: CacheKey): string {
  return origin + path
}

function isKept({ head }: Variant): boolean {
  return head.deleteAt > Date.now()
}

function answers(variant: Variant, { headers = {}, method }: CacheKey): boolean {
  if (variant.method !== method || !isKept(variant)) return false
  return Object.entries(variant.head.vary ?? {}).every(([name, value]) => isSame(headers[name], value))
}

/** Whether two requests have the same value of a header; undici has null for one that is missing. */
function isSame(one: string | string[] | undefined, other: string | string[] | null): boolean {
  return JSON.stringify(one ?? null) === JSON.stringify(other)
}
