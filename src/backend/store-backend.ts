import { SharedStructures } from '../codec/structures/shared-structures.ts'
import { ValueCodec } from '../codec/value-codec.ts'
import type {
  CacheBackend,
  CacheEntries,
  CounterOptions,
  ExpiryOptions,
  RemovalOptions,
} from '../contract/cache-backend.ts'
import type { CacheEvents } from '../contract/cache-events.ts'
import { CacheError } from '../foundation/cache-error.ts'
import { assertCacheKey, assertMember, isCacheKey } from '../foundation/cache-key.ts'
import { chunks } from '../foundation/chunks.ts'
import { type Duration, parseDuration } from '../foundation/duration.ts'
import type { Unsubscribe } from '../foundation/event-hub.ts'
import { escapeGlob } from '../foundation/glob.ts'
import { type BackendInternals, INTERNALS } from './backend-internals.ts'
import type { ResolvedBackendOptions } from './backend-options.ts'
import { encodeAll, partialWrite } from './batch-write.ts'
import type { CacheStore, Expiry } from './cache-store.ts'
import { FailurePolicy } from './failure-policy.ts'
import { Lifecycle } from './lifecycle.ts'
import { ObservedStore } from './observed-store.ts'
import {
  assertPattern,
  checkedKeys,
  checkedMembers,
  distinctEntries,
  int64Text,
  invalidArgument,
  negated,
  safeIntegerText,
} from './operation-arguments.ts'
import { structuresBeside } from './structures-beside.ts'
import { ValueReader } from './value-reader.ts'

/** Keys of a batch that are in memory at a time, beside the caller's own. */
const KEYS_PER_BATCH = 2_048

/** What a backend has in common with its views. */
interface SharedParts {
  readonly codec: ValueCodec
  readonly structures: SharedStructures
  readonly policy: FailurePolicy
  readonly lifecycle: Lifecycle
}

/**
 * The nineteen operations over any {@link CacheStore}: checks arguments, adds the prefix, encodes and decodes,
 * tells events, and applies the failure rules. What a key's bytes are and where they lie is below it.
 */
export abstract class StoreBackend<T> implements CacheBackend<T> {
  readonly #prefix: string
  readonly #defaultTtlMs: number
  readonly #codec: ValueCodec
  readonly #structures: SharedStructures
  readonly #options: ResolvedBackendOptions
  #store: CacheStore
  #isShared = false
  readonly #policy: FailurePolicy
  readonly #lifecycle: Lifecycle
  readonly #reader: ValueReader<T>
  readonly #manyReader: ValueReader<T>

  /**
   * @param createStore makes the store; given the policy, to tell connection events through it
   * @param shared what is another backend's too
   */
  protected constructor(
    options: ResolvedBackendOptions,
    createStore: (policy: FailurePolicy) => CacheStore,
    shared?: SharedParts,
  ) {
    this.#options = options
    this.#prefix = options.prefix
    this.#defaultTtlMs = options.defaultTtlMs
    this.#structures =
      shared?.structures ??
      new SharedStructures({
        store: structuresBeside(options.prefix, () => this.#store),
        encryption: options.codec.encryption,
      })
    this.#codec = shared?.codec ?? new ValueCodec(options.codec, this.#structures)
    this.#policy = shared?.policy ?? new FailurePolicy(options.errors, options.logger)
    this.#store = createStore(this.#policy)
    this.#lifecycle =
      shared?.lifecycle ??
      new Lifecycle(
        async () => {
          await this.#codec.prepare()
          await this.#store.open()
          await this.#structures.open()
        },
        async () => {
          const stopped = this.#structures.close()
          await this.#store.close()
          await stopped
        },
      )
    this.#reader = new ValueReader('get', this.#codec, this.#policy)
    this.#manyReader = new ValueReader('getMany', this.#codec, this.#policy)
  }

  initialize(): Promise<void> {
    return this.#lifecycle.initialize()
  }

  shutdown(): Promise<void> {
    return this.#lifecycle.shutdown()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  on<Name extends keyof CacheEvents>(
    event: Name,
    listener: (payload: CacheEvents[Name]) => void,
  ): Unsubscribe {
    return this.#policy.events.on(event, listener)
  }

  /** No async function here: the promise that the store makes is the one the caller gets. */
  get(key: string): Promise<T | undefined> {
    if (!this.#lifecycle.isReady || !isCacheKey(key)) return this.#refuseRead(key)
    return this.#store.read(key, this.#prefix + key, this.#reader)
  }

  /** As lean as `get`: one promise beside those of the store. */
  set(key: string, value: T, ttl?: Duration): Promise<boolean> {
    try {
      const storedKey = this.#storedKey(key)
      const ttlMs = this.#ttlMs(ttl)
      const encoded = this.#codec.encode(storedKey, value)
      return this.#store.write(storedKey, encoded, ttlMs).then(
        () => this.#tellSet(key, encoded, ttlMs),
        (error) => this.#refuseWrite(key, error),
      )
    } catch (error) {
      return this.#refuseWrite(key, error)
    }
  }

  delete(key: string): Promise<boolean> {
    return this.#policy.absorb('delete', key, false, async () => {
      const removed = await this.#store.remove([this.#storedKey(key)])
      this.#policy.events.emit('delete', { keys: [key], removed })
      return removed > 0
    })
  }

  exists(key: string): Promise<boolean> {
    return this.#policy.absorb('exists', key, false, async () => this.#store.exists(this.#storedKey(key)))
  }

  async getMany(keys: Iterable<string>): Promise<Map<string, T | undefined>> {
    const results = new Map<string, T | undefined>()
    let distinct: readonly string[] = []
    try {
      distinct = [...new Set(checkedKeys(keys))]
      this.#assertReady()
      for (const chunk of chunks(distinct, KEYS_PER_BATCH)) {
        await this.#manyReader.readInto(results, this.#store, chunk, this.#prefix)
      }
    } catch (error) {
      this.#policy.report('getMany', undefined, error)
      for (const key of distinct) if (!results.has(key)) results.set(key, this.#manyReader.unavailable(key))
    }
    return results
  }

  setMany(entries: CacheEntries<T>, ttl?: Duration): Promise<boolean> {
    return this.#policy.absorb('setMany', undefined, false, async () => {
      this.#assertReady()
      const ttlMs = this.#ttlMs(ttl)
      const { encoded, failures } = encodeAll(distinctEntries(entries), this.#prefix, this.#codec)
      for (const [key, failure] of await this.#store.writeMany(encoded, ttlMs)) failures.set(key, failure)
      for (const entry of encoded) {
        if (!failures.has(entry.key)) this.#tellSet(entry.key, entry.encoded, ttlMs)
      }
      if (failures.size > 0) throw partialWrite(failures)
      return true
    })
  }

  deleteMany(keys: Iterable<string>): Promise<number> {
    return this.#policy.absorb('deleteMany', undefined, 0, async () => {
      const asked = checkedKeys(keys)
      this.#assertReady()
      let removed = 0
      for (const chunk of chunks(asked, KEYS_PER_BATCH)) {
        const removedNow = await this.#store.remove(chunk.map((key) => this.#prefix + key))
        this.#policy.events.emit('delete', { keys: chunk, removed: removedNow })
        removed += removedNow
      }
      return removed
    })
  }

  async incr(key: string, amount = 1, options: CounterOptions = {}): Promise<number> {
    return Number(await this.#count('incr', key, options, true, () => safeIntegerText(amount, 'amount')))
  }

  async decr(key: string, amount = 1, options: CounterOptions = {}): Promise<number> {
    return Number(
      await this.#count('decr', key, options, true, () => negated(safeIntegerText(amount, 'amount'))),
    )
  }

  async incrBig(key: string, amount = 1n, options: CounterOptions = {}): Promise<bigint> {
    return BigInt(await this.#count('incrBig', key, options, false, () => int64Text(amount, 'amount')))
  }

  async decrBig(key: string, amount = 1n, options: CounterOptions = {}): Promise<bigint> {
    return BigInt(
      await this.#count('decrBig', key, options, false, () =>
        int64Text(BigInt(negated(int64Text(amount, 'amount'))), 'amount'),
      ),
    )
  }

  clear(options: RemovalOptions = {}): Promise<boolean> {
    return this.#policy.absorb('clear', undefined, false, async () => {
      if (this.#prefix === '') {
        throw invalidArgument('clear() needs a prefix: with none it would remove every key of the database')
      }
      await this.#removeMatching(undefined, options)
      return true
    })
  }

  invalidatePattern(pattern: string, options: RemovalOptions = {}): Promise<number> {
    return this.#policy.absorb('invalidatePattern', undefined, 0, async () => {
      assertPattern(pattern)
      return this.#removeMatching(pattern, options)
    })
  }

  getTtl(key: string): Promise<number | undefined> {
    return this.#policy.absorb('getTtl', key, undefined, async () => {
      const ttlMs = await this.#store.ttlMs(this.#storedKey(key))
      return ttlMs === undefined ? undefined : ttlMs / 1_000
    })
  }

  addToSet(key: string, member: string, options: ExpiryOptions = {}): Promise<boolean> {
    return this.#policy.absorb('addToSet', key, false, async () => {
      assertMember(member)
      return (await this.#store.addMembers(this.#storedKey(key), [member], this.#expiry(options))) > 0
    })
  }

  addManyToSet(key: string, members: Iterable<string>, options: ExpiryOptions = {}): Promise<number> {
    return this.#policy.absorb('addManyToSet', key, 0, async () => {
      const distinct = [...new Set(checkedMembers(members))]
      const storedKey = this.#storedKey(key)
      const expiry = this.#expiry(options)
      return distinct.length === 0 ? 0 : this.#store.addMembers(storedKey, distinct, expiry)
    })
  }

  getSetMembers(key: string): Promise<string[]> {
    return this.#policy.absorb<string[]>('getSetMembers', key, [], async () =>
      this.#store.members(this.#storedKey(key)),
    )
  }

  removeFromSet(key: string, member: string): Promise<boolean> {
    return this.#policy.absorb('removeFromSet', key, false, async () => {
      assertMember(member)
      return this.#store.removeMember(this.#storedKey(key), member)
    })
  }

  /**
   * What a read-through cache is built on. Its witness is told of every write through this backend.
   * @internal
   */
  [INTERNALS](): BackendInternals {
    return {
      codec: this.#codec,
      policy: this.#policy,
      options: this.#options,
      isReady: () => this.#lifecycle.isReady,
      share: (settings) => {
        this.#assertUnshared()
        this.#isShared = true
        return this.#store.share(settings)
      },
      decorate: (decorate) => {
        this.#assertUnshared()
        this.#store = decorate(this.#store)
      },
      witness: (witness) => {
        this.#store = new ObservedStore(this.#store, witness)
      },
      within: (prefix) =>
        new BackendView({ ...this.#options, prefix }, this.#store, {
          codec: this.#codec,
          structures: this.#structures,
          policy: this.#policy,
          lifecycle: this.#lifecycle,
        }),
    }
  }

  #assertUnshared(): void {
    if (!this.#isShared) return
    throw new CacheError('CACHE_INVALID_OPTIONS', 'This backend serves a cache already: use its namespace()')
  }

  #assertReady(): void {
    if (!this.#lifecycle.isReady) throw this.#lifecycle.notReady()
  }

  /** @throws CacheError where the key is bad or the backend is not open */
  #storedKey(key: string): string {
    assertCacheKey(key)
    this.#assertReady()
    return this.#prefix + key
  }

  #ttlMs(ttl: Duration | undefined): number {
    return ttl === undefined ? this.#defaultTtlMs : parseDuration(ttl)
  }

  #expiry({ ttl, slide = false }: ExpiryOptions): Expiry {
    return { ttlMs: this.#ttlMs(ttl), slide }
  }

  async #refuseRead(key: string): Promise<T | undefined> {
    try {
      this.#storedKey(key)
      return undefined
    } catch (error) {
      return this.#reader.failed(key, error)
    }
  }

  async #refuseWrite(key: string, error: unknown): Promise<boolean> {
    this.#policy.report('set', key, error)
    return false
  }

  #tellSet(key: string, encoded: string | Buffer, ttlMs: number): true {
    if (this.#policy.events.has('set')) {
      this.#policy.events.emit('set', { key, ttlMs, bytes: Buffer.byteLength(encoded) })
    }
    return true
  }

  #count(
    operation: string,
    key: string,
    options: CounterOptions,
    safeOnly: boolean,
    amount: () => string,
  ): Promise<string> {
    return this.#policy.insist(operation, key, async () => {
      const { default: start = 0 } = options
      return this.#store.count(this.#storedKey(key), {
        ...this.#expiry(options),
        amount: amount(),
        start: typeof start === 'bigint' ? int64Text(start, 'default') : safeIntegerText(start, 'default'),
        safeOnly,
      })
    })
  }

  async #removeMatching(pattern: string | undefined, options: RemovalOptions): Promise<number> {
    this.#assertReady()
    const removed = await this.#store.removeMatching(
      escapeGlob(this.#prefix) + (pattern ?? '*'),
      options,
      pattern === undefined,
    )
    this.#policy.events.emit('invalidate', { pattern, removed })
    if (pattern === undefined) this.#structures.removed()
    return removed
  }
}

/** A backend under another prefix: opened and closed together with the one it is a view of. */
class BackendView<T> extends StoreBackend<T> {
  constructor(options: ResolvedBackendOptions, store: CacheStore, shared: SharedParts) {
    super(options, () => store, shared)
  }
}
