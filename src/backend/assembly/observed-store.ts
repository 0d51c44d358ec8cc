import type { RemovalOptions } from '../../contract/cache-backend.ts'
import type { CacheError } from '../../foundation/errors/cache-error.ts'
import { globMatcher } from '../../foundation/glob-matcher.ts'
import type { CacheStore, CounterChange, Expiry, StoredEntry, TierSettings } from '../seams/cache-store.ts'
import type { ReadOutcome } from '../seams/read-outcome.ts'
import type { SharedTier } from '../seams/shared-tier.ts'

/** Observes the writes to a store, before each is sent and after it has settled. */
export interface StoreObserver {
  /** Whether any invalidation is pending. */
  readonly hasUndelivered: boolean
  /**
   * Sends what is pending for these keys: invalidations that Redis has not acknowledged yet. `undefined` if there are
   * none; otherwise it rejects if one cannot be delivered.
   */
  delivered(storedKeys: readonly string[]): Promise<void> | undefined
  writeBegan(storedKeys: readonly string[]): void
  writeSettled(storedKeys: readonly string[]): void
  /** A removal by pattern begins or ends. */
  removing(matches: (storedKey: string) => boolean): void
}

/** For each key, the delivery of its pending invalidation. */
type Deliveries = readonly (Promise<void> | undefined)[]

/**
 * A store that reports every write to an observer, which keeps copies of the stored values. Before a command on a key,
 * the observer sends the invalidations of that key that are pending: so nothing is read that was invalidated, and no late
 * invalidation removes what is written.
 */
export class ObservedStore implements CacheStore {
  readonly #store: CacheStore
  readonly #observer: StoreObserver

  constructor(store: CacheStore, observer: StoreObserver) {
    this.#store = store
    this.#observer = observer
  }

  open(): Promise<void> {
    return this.#store.open()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    const delivered = this.#observer.delivered([storedKey])
    if (delivered === undefined) return this.#store.read(key, storedKey, outcome)
    return delivered.then(
      () => this.#store.read(key, storedKey, outcome),
      (error: unknown) => outcome.failed(key, error),
    )
  }

  readMany(storedKeys: readonly string[]): ReturnType<CacheStore['readMany']> {
    const deliveries = this.#deliveries(storedKeys)
    return deliveries === undefined
      ? this.#store.readMany(storedKeys)
      : this.#readDelivered(storedKeys, deliveries)
  }

  async #readDelivered(
    storedKeys: readonly string[],
    deliveries: Deliveries,
  ): ReturnType<CacheStore['readMany']> {
    const failures = await failuresOf(deliveries)
    const replies = await this.#store.readMany(storedKeys)
    return replies.map((reply, index) => failures[index] ?? reply)
  }

  write(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<unknown> {
    return this.#changed([storedKey], () => this.#store.write(storedKey, encoded, ttlMs))
  }

  writeMany(entries: readonly StoredEntry[]): ReturnType<CacheStore['writeMany']> {
    const storedKeys = entries.map(({ storedKey }) => storedKey)
    const deliveries = this.#deliveries(storedKeys)
    return deliveries === undefined
      ? this.#observed(storedKeys, () => this.#store.writeMany(entries))
      : this.#writeDelivered(entries, deliveries)
  }

  async #writeDelivered(
    entries: readonly StoredEntry[],
    deliveries: Deliveries,
  ): ReturnType<CacheStore['writeMany']> {
    const failures = await failuresOf(deliveries)
    const writable = entries.filter((_, index) => failures[index] === undefined)
    const storedKeys = writable.map(({ storedKey }) => storedKey)
    const refused = await this.#observed(storedKeys, () => this.#store.writeMany(writable))
    for (const [index, { key }] of entries.entries()) {
      const failure = failures[index]
      if (failure !== undefined) refused.set(key, failure.within('setMany', key))
    }
    return refused
  }

  writeIfAbsent(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<boolean> {
    return this.#after([storedKey], () =>
      this.#observedBegun(storedKey, this.#store.writeIfAbsent(storedKey, encoded, ttlMs)),
    )
  }

  take(storedKey: string): Promise<Buffer | null> {
    return this.#after([storedKey], () => this.#observedBegun(storedKey, this.#store.take(storedKey)))
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.#changed(storedKeys, () => this.#store.remove(storedKeys))
  }

  exists(storedKey: string): Promise<boolean> {
    return this.#after([storedKey], () => this.#store.exists(storedKey))
  }

  /** Not observed: no cache keeps copies of what is stored this way. */
  compareAndSet(
    storedKey: string,
    expected: Buffer | null,
    bytes: Buffer,
    ttlMs: number,
  ): Promise<Buffer | null> {
    return this.#store.compareAndSet(storedKey, expected, bytes, ttlMs)
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#after([storedKey], () => this.#store.ttlMs(storedKey))
  }

  serverTimeMs(storedKey: string): Promise<number> {
    return this.#store.serverTimeMs(storedKey)
  }

  expire(storedKey: string, ttlMs: number): Promise<boolean> {
    return this.#after([storedKey], () =>
      this.#observedBegun(storedKey, this.#store.expire(storedKey, ttlMs)),
    )
  }

  list(pattern: string, signal: AbortSignal | undefined): AsyncIterable<readonly string[]> {
    return this.#store.list(pattern, signal)
  }

  count(storedKey: string, change: CounterChange): Promise<number | string> {
    return this.#changed([storedKey], () => this.#store.count(storedKey, change))
  }

  async removeMatching(pattern: string, options: RemovalOptions, isWhole: boolean): Promise<number> {
    const matches = globMatcher(pattern)
    this.#observer.removing(matches)
    try {
      return await this.#store.removeMatching(pattern, options, isWhole)
    } finally {
      this.#observer.removing(matches)
    }
  }

  addMembers(storedKey: string, members: readonly string[], expiry: Expiry): Promise<number> {
    return this.#changed([storedKey], () => this.#store.addMembers(storedKey, members, expiry))
  }

  members(storedKey: string): Promise<string[]> {
    return this.#after([storedKey], () => this.#store.members(storedKey))
  }

  removeMember(storedKey: string, member: string): Promise<boolean> {
    return this.#changed([storedKey], () => this.#store.removeMember(storedKey, member))
  }

  share(settings: TierSettings): SharedTier {
    return this.#store.share(settings)
  }

  /** A command on these keys, after their pending invalidations. @throws what one of these throws */
  #after<Result>(storedKeys: readonly string[], command: () => Promise<Result>): Promise<Result> {
    const delivered = this.#observer.delivered(storedKeys)
    return delivered === undefined ? command() : delivered.then(command)
  }

  #changed<Result>(storedKeys: readonly string[], write: () => Promise<Result>): Promise<Result> {
    return this.#after(storedKeys, () => this.#observed(storedKeys, write))
  }

  /** The deliveries that commands on these keys wait for; `undefined` if there are none, which is the usual case. */
  #deliveries(storedKeys: readonly string[]): Deliveries | undefined {
    if (!this.#observer.hasUndelivered) return undefined
    const deliveries = storedKeys.map((storedKey) => this.#observer.delivered([storedKey]))
    return deliveries.every((delivery) => delivery === undefined) ? undefined : deliveries
  }

  async #observed<Result>(storedKeys: readonly string[], write: () => Promise<Result>): Promise<Result> {
    this.#observer.writeBegan(storedKeys)
    try {
      return await write()
    } finally {
      this.#observer.writeSettled(storedKeys)
    }
  }

  /**
   * For what needs the present value: a store in this process may have left it to the observer, which drops it when it is
   * told. So the store comes first. Nothing runs between the two.
   */
  #observedBegun<Result>(storedKey: string, writing: Promise<Result>): Promise<Result> {
    return this.#observed([storedKey], () => writing)
  }
}

/** For each key, why its invalidation cannot be delivered. */
async function failuresOf(deliveries: Deliveries): Promise<readonly (CacheError | undefined)[]> {
  const outcomes = await Promise.allSettled(deliveries)
  return outcomes.map((outcome) =>
    outcome.status === 'rejected' ? (outcome.reason as CacheError) : undefined,
  )
}
