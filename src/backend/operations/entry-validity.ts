import { type EntryMeta, GENERATION_BYTES } from '../../codec/envelope/entry-meta.ts'
import { RESERVED } from '../../foundation/reserved-keys.ts'
import type { CacheStore } from '../seams/cache-store.ts'
import { RAW } from '../seams/read-outcome.ts'

/**
 * Decides whether a plain read may serve a cache entry that it has found.
 *
 * A read-through cache keeps its entries under the same prefix as plain values, and an invalidated entry stays in the
 * store until it expires. A backend has no local tier that knows generations, so it asks the store: for the generations
 * that the entry is bound to, and for the time to live that is left. Both travel together, as one more round trip that
 * only entries cost. One such object serves one read or one batch, whose entries share the generations.
 */
export class EntryValidity {
  readonly #store: CacheStore
  readonly #reads = new Map<string, Promise<string | undefined>>()

  constructor(store: CacheStore) {
    this.#store = store
  }

  /** @throws CacheError if the store cannot tell */
  async isServable(storedKey: string, entry: EntryMeta): Promise<boolean> {
    const { generations } = entry
    if (!generations.every((one) => isGenerationOf(storedKey, one.storedKey))) return false
    const [isFresh, ...current] = await Promise.all([
      this.#isFresh(storedKey, entry),
      ...generations.map((one) => this.#generation(one.storedKey)),
    ])
    return isFresh && generations.every(({ generation }, index) => generation === current[index])
  }

  /** The generation in the store; `undefined` if there is none, and then nothing bound to it is valid. */
  #generation(generationKey: string): Promise<string | undefined> {
    const known = this.#reads.get(generationKey)
    if (known !== undefined) return known
    const reading = this.#store
      .read(generationKey, generationKey, RAW)
      .then((bytes) => (bytes?.length === GENERATION_BYTES ? bytes.toString('latin1') : undefined))
    this.#reads.set(generationKey, reading)
    return reading
  }

  /**
   * Whether the entry is within its own time to live, by the time to live that its key has left: the store adds the
   * longer stale window to it, and counts from the end of the load, while an entry ages from the beginning. So no clock
   * of a server is needed. An entry with an endless stale window has no expiry to judge by, and is never fresh here.
   */
  async #isFresh(storedKey: string, entry: EntryMeta): Promise<boolean> {
    const { loadCostMs, staleIfErrorMs, staleWhileRevalidateMs, ttlMs } = entry
    const surplusMs = Math.max(staleIfErrorMs, staleWhileRevalidateMs) + loadCostMs
    // The store removes it when it is no longer fresh.
    if (surplusMs === 0 || ttlMs === Number.POSITIVE_INFINITY) return true
    const leftMs = ((await this.#store.ttlMs(storedKey)) ?? 0) - surplusMs
    return leftMs > 0 && leftMs <= ttlMs
  }
}

/**
 * Whether this can be the key of a generation of the entry: that of its namespace, of one around it, or of a tag of
 * either. Anything else was not written by a cache, and must not make us read arbitrary keys.
 */
function isGenerationOf(storedKey: string, generationKey: string): boolean {
  const end = generationKey.indexOf(RESERVED)
  return end >= 0 && storedKey.startsWith(generationKey.slice(0, end))
}
