import type { ValueCodec } from '../codec/value-codec.ts'
import type {
  CacheBackend,
  CacheEntries,
  CounterOptions,
  ExpiryOptions,
  RemovalOptions,
} from '../contract/cache-backend.ts'
import type { CacheEvents } from '../contract/cache-events.ts'
import { assertCacheKey, isCacheKey } from '../foundation/cache-key.ts'
import { chunks } from '../foundation/chunks.ts'
import type { Unsubscribe } from '../foundation/event-hub.ts'
import { escapeGlob } from '../foundation/glob.ts'
import type { Duration } from '../foundation/time/duration.ts'
import { BackendAssembly } from './assembly/backend-assembly.ts'
import { type BackendInternals, INTERNALS } from './assembly/backend-internals.ts'
import type { ResolvedBackendOptions } from './assembly/backend-options.ts'
import type { FailurePolicy } from './assembly/failure-policy.ts'
import type { Lifecycle } from './assembly/lifecycle.ts'
import { encodeAll, partialWrite } from './operations/batch-write.ts'
import { CounterOperations } from './operations/counter-operations.ts'
import {
  assertPattern,
  checkedKeys,
  distinctEntries,
  invalidArgument,
  REMOVAL_OPTIONS,
} from './operations/operation-arguments.ts'
import { OperationScope } from './operations/operation-scope.ts'
import { SetOperations } from './operations/set-operations.ts'
import { ValueReader } from './operations/value-reader.ts'
import type { CacheStore } from './seams/cache-store.ts'

/** Most keys of a batch that are processed at a time, which bounds the memory that a batch takes. */
const KEYS_PER_BATCH = 2_048

/**
 * The nineteen operations of a backend over any {@link CacheStore}. It validates arguments, adds the prefix, encodes
 * and decodes values, emits events, and applies the failure mode. The store holds the data.
 */
export abstract class StoreBackend<T> implements CacheBackend<T> {
  readonly #options: ResolvedBackendOptions
  readonly #assembly: BackendAssembly
  readonly #prefix: string
  readonly #codec: ValueCodec
  readonly #policy: FailurePolicy
  readonly #lifecycle: Lifecycle
  readonly #scope: OperationScope
  readonly #counters: CounterOperations
  readonly #sets: SetOperations
  readonly #reader: ValueReader<T>
  readonly #manyReader: ValueReader<T>

  /**
   * @param origin creates the store, and receives the policy, through which the store emits connection events; or the
   * parts of another backend, if this is a view of it under another prefix
   */
  protected constructor(
    options: ResolvedBackendOptions,
    origin: ((policy: FailurePolicy) => CacheStore) | BackendAssembly,
  ) {
    const assembly = origin instanceof BackendAssembly ? origin : new BackendAssembly(options, origin)
    this.#options = options
    this.#assembly = assembly
    this.#prefix = options.prefix
    this.#codec = assembly.codec
    this.#policy = assembly.policy
    this.#lifecycle = assembly.lifecycle
    this.#scope = new OperationScope(options, assembly)
    this.#counters = new CounterOperations(this.#scope)
    this.#sets = new SetOperations(this.#scope)
    const store = () => assembly.store
    this.#reader = new ValueReader('get', this.#codec, this.#policy, store)
    this.#manyReader = new ValueReader('getMany', this.#codec, this.#policy, store)
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

  /** Not an async function: the caller gets the promise that the store makes, and no other is allocated. */
  get(key: string): Promise<T | undefined> {
    if (!isCacheKey(key))
      return this.#policy.absorb('get', key, undefined, async () => void assertCacheKey(key))
    return this.#assembly.store.read(key, this.#prefix + key, this.#reader)
  }

  /** Allocates one promise beside those of the store. */
  set(key: string, value: T, ttl?: Duration): Promise<boolean> {
    try {
      const storedKey = this.#scope.storedKey(key)
      const ttlMs = this.#scope.ttlMs(ttl)
      if (this.#lifecycle.isReady) return this.#write(key, storedKey, value, ttlMs)
      // Opens at once, as reads do, so that calls take effect in their order.
      const encode = () => this.#codec.encode(storedKey, value)
      return this.#lifecycle.openForOperation().then(
        () => this.#write(key, storedKey, value, ttlMs),
        async (error) => this.#refuseWrite(key, await this.#scope.whyUnstored(error, encode)),
      )
    } catch (error) {
      return this.#refuseWrite(key, error)
    }
  }

  delete(key: string): Promise<boolean> {
    return this.#policy.absorb('delete', key, false, async () => {
      const removed = await this.#scope.store.remove([this.#scope.storedKey(key)])
      this.#policy.events.emit('delete', { keys: [key], removed })
      return removed > 0
    })
  }

  exists(key: string): Promise<boolean> {
    return this.#policy.absorb('exists', key, false, async () =>
      this.#scope.store.exists(this.#scope.storedKey(key)),
    )
  }

  async getMany(keys: Iterable<string>): Promise<Map<string, T | undefined>> {
    const results = new Map<string, T | undefined>()
    let distinct: readonly string[] = []
    try {
      distinct = [...new Set(checkedKeys(keys))]
      for (const chunk of chunks(distinct, KEYS_PER_BATCH)) {
        if (!(await this.#manyReader.readInto(results, chunk, this.#prefix))) break
      }
    } catch (error) {
      this.#policy.report('getMany', undefined, error)
    }
    for (const key of distinct.slice(results.size)) results.set(key, this.#manyReader.unavailable(key))
    return results
  }

  setMany(entries: CacheEntries<T>, ttl?: Duration): Promise<boolean> {
    return this.#policy.absorb('setMany', undefined, false, async () => {
      const ttlMs = this.#scope.ttlMs(ttl)
      const distinct = distinctEntries(entries)
      const encode = () => encodeAll(distinct, this.#prefix, this.#codec)
      try {
        if (!this.#lifecycle.isReady) await this.#lifecycle.openForOperation()
      } catch (error) {
        throw await this.#scope.whyUnstored(error, encode)
      }
      const { encoded, failures } = encode()
      for (const [key, failure] of await this.#scope.store.writeMany(encoded, ttlMs)) {
        failures.set(key, failure)
      }
      for (const entry of encoded) {
        if (!failures.has(entry.key)) this.#stored(entry.key, entry.encoded, ttlMs)
      }
      if (failures.size > 0) throw partialWrite(failures)
      return true
    })
  }

  deleteMany(keys: Iterable<string>): Promise<number> {
    return this.#policy.absorb('deleteMany', undefined, 0, async () => {
      const asked = checkedKeys(keys)
      let removed = 0
      for (const chunk of chunks(asked, KEYS_PER_BATCH)) {
        const removedNow = await this.#scope.store.remove(chunk.map((key) => this.#prefix + key))
        this.#policy.events.emit('delete', { keys: chunk, removed: removedNow })
        removed += removedNow
      }
      return removed
    })
  }

  incr(key: string, amount = 1, options: CounterOptions = {}): Promise<number> {
    return this.#counters.incr(key, amount, options)
  }

  decr(key: string, amount = 1, options: CounterOptions = {}): Promise<number> {
    return this.#counters.decr(key, amount, options)
  }

  incrBig(key: string, amount = 1n, options: CounterOptions = {}): Promise<bigint> {
    return this.#counters.incrBig(key, amount, options)
  }

  decrBig(key: string, amount = 1n, options: CounterOptions = {}): Promise<bigint> {
    return this.#counters.decrBig(key, amount, options)
  }

  clear(options: RemovalOptions = {}): Promise<boolean> {
    return this.#policy.absorb('clear', undefined, false, async () => {
      this.#scope.checkOptions(options, REMOVAL_OPTIONS)
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
      this.#scope.checkOptions(options, REMOVAL_OPTIONS)
      return this.#removeMatching(pattern, options)
    })
  }

  getTtl(key: string): Promise<number | undefined> {
    return this.#policy.absorb('getTtl', key, undefined, async () => {
      const ttlMs = await this.#scope.store.ttlMs(this.#scope.storedKey(key))
      return ttlMs === undefined ? undefined : ttlMs / 1_000
    })
  }

  addToSet(key: string, member: string, options: ExpiryOptions = {}): Promise<boolean> {
    return this.#sets.add(key, member, options)
  }

  addManyToSet(key: string, members: Iterable<string>, options: ExpiryOptions = {}): Promise<number> {
    return this.#sets.addMany(key, members, options)
  }

  getSetMembers(key: string): Promise<string[]> {
    return this.#sets.members(key)
  }

  removeFromSet(key: string, member: string): Promise<boolean> {
    return this.#sets.remove(key, member)
  }

  /** @internal */
  [INTERNALS](): BackendInternals {
    const assembly = this.#assembly
    return {
      codec: this.#codec,
      policy: this.#policy,
      options: this.#options,
      whenOpen: (callback) => this.#lifecycle.whenOpen(callback),
      calls: assembly.calls,
      share: (settings) => assembly.share(settings),
      decorate: (decorate) => assembly.decorate(decorate),
      observe: (observer) => assembly.observe(observer),
      giveBack: () => assembly.giveBack(),
      within: (prefix) => new BackendView({ ...this.#options, prefix }, assembly),
    }
  }

  #write(key: string, storedKey: string, value: T, ttlMs: number): Promise<boolean> {
    try {
      const encoded = this.#codec.encode(storedKey, value)
      return this.#assembly.store.write(storedKey, encoded, ttlMs).then(
        () => this.#stored(key, encoded, ttlMs),
        (error) => this.#refuseWrite(key, error),
      )
    } catch (error) {
      return this.#refuseWrite(key, error)
    }
  }

  async #refuseWrite(key: string, error: unknown): Promise<boolean> {
    this.#policy.report('set', key, error)
    return false
  }

  #stored(key: string, encoded: string | Buffer, ttlMs: number): true {
    if (this.#policy.events.has('set')) {
      this.#policy.events.emit('set', { key, ttlMs, bytes: Buffer.byteLength(encoded) })
    }
    return true
  }

  async #removeMatching(pattern: string | undefined, options: RemovalOptions): Promise<number> {
    const removed = await this.#scope.store.removeMatching(
      escapeGlob(this.#prefix) + (pattern ?? '*'),
      this.#policy.guardedRemoval(options),
      pattern === undefined,
    )
    this.#policy.events.emit('invalidate', { pattern, removed })
    if (pattern === undefined) this.#assembly.structures.removed()
    return removed
  }
}

/** A backend under another prefix. It opens and closes together with the backend whose parts it shares. */
class BackendView<T> extends StoreBackend<T> {
  constructor(options: ResolvedBackendOptions, assembly: BackendAssembly) {
    super(options, assembly)
  }
}
