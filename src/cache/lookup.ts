import { CacheError } from '../foundation/cache-error.ts'
import { assertCacheKey } from '../foundation/cache-key.ts'
import type { CacheCore } from './cache-core.ts'
import { checkedTags, type GetOrSetOptions, resolveEntryOptions } from './cache-options.ts'
import { handOut } from './isolation.ts'
import type { KeySpace } from './key-space.ts'
import type { Loader } from './load-context.ts'
import type { LocalEntry } from './local-tier.ts'
import type { ReadThrough } from './read-through.ts'

export const NO_TAGS: readonly string[] = []

/** Finds the entries of one namespace: in this process, in Redis, or by loading them. */
export class Lookup {
  readonly #core: CacheCore
  readonly #reads: ReadThrough
  readonly #space: KeySpace
  /** What the names in the local tier begin with: nothing, or the namespace. */
  readonly #localPrefix: string

  constructor(core: CacheCore, reads: ReadThrough, space: KeySpace) {
    this.#core = core
    this.#reads = reads
    this.#space = space
    this.#localPrefix = space.namePrefix
  }

  /** What is kept locally and may be served now. */
  fresh(key: string, tags: readonly string[] | undefined): LocalEntry | undefined {
    const entry = this.#core.local.get(this.#localPrefix + key)
    if (entry === undefined) return undefined
    const nowMs = this.#core.hitClock.monotonicMs()
    if (nowMs >= entry.freshUntilMs || !this.#core.isCoherent(entry, nowMs)) return undefined
    return this.#bears(entry, tags) ? entry : undefined
  }

  /** Whether an entry depends on this namespace and on these tags; a plain value depends on nothing. */
  #bears(entry: LocalEntry, tags: readonly string[] | undefined): boolean {
    if (entry.meta === undefined) return tags === undefined || tags.length === 0
    return entry.bearsAll(this.#space, tags)
  }

  /** Hands out what was found. */
  serve<T>(key: string, entry: LocalEntry): Promise<T> {
    const { events } = this.#core.policy
    if (events.has('hit')) events.emit('hit', { key })
    return entry.handOut<T>()
  }

  /** The way of a `getOrSet` that the local tier cannot answer with a fresh value. */
  async getOrLoad<T>(key: string, loader: Loader<T>, options: GetOrSetOptions = {}): Promise<T> {
    assertCacheKey(key)
    if (typeof loader !== 'function') {
      throw new CacheError('CACHE_INVALID_ARGUMENT', `The loader must be a function, not a ${typeof loader}`)
    }
    const tagKeys = checkedTags(options.tags).map((tag) => this.#space.tagKey(tag))
    const request = {
      space: this.#space,
      key,
      storedKey: this.#space.storedKey(key),
      generationKeys: [...this.#space.generationKeys, ...tagKeys],
      options: resolveEntryOptions(options, this.#core.options.defaults),
      loader,
    }
    options.signal?.throwIfAborted()
    const stale = this.#core.localEntry(request.storedKey)
    const nowMs = this.#core.clock.monotonicMs()
    if (
      stale !== undefined &&
      nowMs < stale.staleWhileRevalidateUntilMs &&
      this.#core.isCoherent(stale, nowMs) &&
      this.#bears(stale, options.tags)
    ) {
      this.#reads.refresh(request)
      this.#core.policy.events.emit('stale', { key, reason: 'revalidate' })
      return stale.handOut<T>()
    }
    return this.#reads.getOrLoad<T>(request, options.signal)
  }

  /** The value in Redis. @throws CacheError */
  async read<T>(key: string): Promise<T | undefined> {
    assertCacheKey(key)
    const { events } = this.#core.policy
    const entry = await this.#entryInRedis(key)
    if (entry === undefined) {
      if (events.has('miss')) events.emit('miss', { key, reason: 'absent' })
      return undefined
    }
    if (events.has('hit')) events.emit('hit', { key })
    return handOut<T>(entry.isolated)
  }

  /** The fresh entry, wherever it is. @throws CacheError */
  async freshEntry(key: string): Promise<LocalEntry | undefined> {
    return this.fresh(key, NO_TAGS) ?? (await this.#entryInRedis(key))
  }

  async #entryInRedis(key: string): Promise<LocalEntry | undefined> {
    const judgement = await this.#core.reader.read(this.#space.storedKey(key), this.#space.generationKeys)
    if (judgement.state !== 'usable') return undefined
    return this.#core.clock.monotonicMs() < judgement.entry.freshUntilMs ? judgement.entry : undefined
  }
}
