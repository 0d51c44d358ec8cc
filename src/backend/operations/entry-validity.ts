import { type EntryMeta, GENERATION_BYTES } from '../../codec/envelope/entry-meta.ts'
import type { OpenStore } from '../seams/cache-store.ts'
import { RAW } from '../seams/read-outcome.ts'

/**
 * Decides whether a plain read may serve a cache entry that it has found.
 *
 * A read-through cache keeps its entries under the same prefix as plain values, and an invalidated entry stays in the
 * store until it expires. A backend has no local tier that knows generations. So it asks the store for the generations
 * that the entry is bound to, and for the remaining time to live. That is one more round trip, only for entries. One
 * such object serves one read or one batch, whose entries share the generations.
 */
export class EntryValidity {
  readonly #store: OpenStore
  readonly #reads = new Map<string, Promise<string | undefined>>()

  constructor(store: OpenStore) {
    this.#store = store
  }

  /** @throws CacheError if the store cannot tell */
  async isServable(storedKey: string, entry: EntryMeta): Promise<boolean> {
    const { generations } = entry
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
   * Whether the entry is fresh, computed from the remaining time to live of its key, so that no server clock is needed.
   * The key outlives the freshness of the entry by the longer stale window. It also counts from the end of the load,
   * but the entry ages from its beginning. A key with an endless stale window does not expire, so its entry is never
   * fresh.
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
