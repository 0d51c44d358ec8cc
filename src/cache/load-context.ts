import type { Duration } from '../foundation/duration.ts'
import {
  checkedTags,
  type EntryOptions,
  type ResolvedEntryOptions,
  resolveEntryOptions,
} from './cache-options.ts'

/** What a loader is told, and what it can say of the value that it is about to return. */
export class LoadContext {
  readonly key: string
  readonly #signal: AbortSignal
  #isSkipped = false
  #options: EntryOptions = {}
  #tags: readonly string[] = []

  /** @internal */
  constructor(key: string, signal: AbortSignal) {
    this.key = key
    this.#signal = signal
  }

  /** Aborts when every caller has gone: pass it on to what the loader waits for. */
  get signal(): AbortSignal {
    return this.#signal
  }

  /** The value goes as it is to those who wait, the same to all, and is not cached. */
  skip(): void {
    this.#isSkipped = true
  }

  /** How long the value is fresh. @throws CacheError `CACHE_INVALID_DURATION` */
  setTtl(ttl: Duration): void {
    this.setOptions({ ttl })
  }

  /** Time to live and stale windows of this value, over those of the call. @throws CacheError `CACHE_INVALID_DURATION` */
  setOptions(options: Omit<EntryOptions, 'tags'>): void {
    resolveEntryOptions(options, { ttlMs: 1, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 })
    this.#options = { ...this.#options, ...options }
  }

  /**
   * Tags that follow from the value. A tag that this process has not met before the loader began cannot be bound
   * safely: the value is then not cached this once, and the tag is known the next time.
   * @throws CacheError `CACHE_INVALID_KEY`, `CACHE_INVALID_ARGUMENT`
   */
  addTags(tags: readonly string[]): void {
    this.#tags = [...this.#tags, ...checkedTags(tags)]
  }

  /** @internal */
  get isSkipped(): boolean {
    return this.#isSkipped
  }

  /** @internal */
  get tags(): readonly string[] {
    return this.#tags
  }

  /** @internal */
  resolve(options: ResolvedEntryOptions): ResolvedEntryOptions {
    return resolveEntryOptions(this.#options, options)
  }
}

/** Loads the value of a key; `undefined` is not cached. */
export type Loader<T> = (context: LoadContext) => T | Promise<T>
