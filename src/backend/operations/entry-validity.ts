import type { EntryMeta } from '../../codec/envelope/entry-meta.ts'
import { readGenerationValue } from '../../codec/envelope/generation-value.ts'
import type { OpenStore } from '../seams/cache-store.ts'
import { RAW } from '../seams/read-outcome.ts'

/** An entry that was created further in the future than this was written by another clock, and is stale. */
const FUTURE_TOLERANCE_MS = 1_000

/**
 * Decides whether a plain read may serve a cache entry that it has found.
 *
 * A read-through cache keeps its entries under the same prefix as plain values, and an invalidated entry stays in the
 * store until it expires. A backend has no local tier that knows generations, and no clock of the server. So it asks the
 * store for the generations that the entry is bound to, and for the time. That is one more round trip, only for entries.
 * One such object serves one read or one batch, whose entries share the generations.
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
      .then((bytes) => readGenerationValue(bytes)?.generation)
    this.#reads.set(generationKey, reading)
    return reading
  }

  /**
   * Whether the entry is fresh by the clock of its server, as the cache judges it. The time that the key has left does not
   * tell: it includes the stale windows, and `touch` changes it.
   */
  async #isFresh(storedKey: string, { createdAtMs, ttlMs }: EntryMeta): Promise<boolean> {
    if (ttlMs === Number.POSITIVE_INFINITY) return true
    const ageMs = (await this.#store.serverTimeMs(storedKey)) - createdAtMs
    return ageMs >= -FUTURE_TOLERANCE_MS && Math.max(0, ageMs) < ttlMs
  }
}
