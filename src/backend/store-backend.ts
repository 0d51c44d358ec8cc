import type {
  CacheBackend,
  CacheEntries,
  CounterOptions,
  ExpiryOptions,
  KeysOptions,
  RemovalOptions,
} from '../contract/cache-backend.ts'
import type { CacheEvents } from '../contract/cache-events.ts'
import { assertCacheKey, isCacheKey } from '../foundation/cache-key.ts'
import type { Unsubscribe } from '../foundation/event-hub.ts'
import type { Duration } from '../foundation/time/duration.ts'
import { BackendAssembly } from './assembly/backend-assembly.ts'
import { type BackendInternals, INTERNALS } from './assembly/backend-internals.ts'
import type { ResolvedBackendOptions } from './assembly/backend-options.ts'
import type { FailurePolicy } from './assembly/failure-policy.ts'
import { BatchOperations } from './operations/batch-operations.ts'
import { CounterOperations } from './operations/counter-operations.ts'
import { KeyOperations } from './operations/key-operations.ts'
import { OperationScope } from './operations/operation-scope.ts'
import { SetOperations } from './operations/set-operations.ts'
import { ValueReader } from './operations/value-reader.ts'
import { WalkOperations } from './operations/walk-operations.ts'
import { WriteOperations } from './operations/write-operations.ts'
import type { CacheStore } from './seams/cache-store.ts'

/**
 * The twenty-six operations of a backend over any {@link CacheStore}. It validates arguments, adds the prefix, encodes
 * and decodes values, emits events, and applies the failure mode. The store holds the data.
 */
export abstract class StoreBackend<T> implements CacheBackend<T> {
  readonly #options: ResolvedBackendOptions
  readonly #assembly: BackendAssembly
  readonly #prefix: string
  readonly #policy: FailurePolicy
  readonly #writes: WriteOperations<T>
  readonly #batches: BatchOperations<T>
  readonly #keys: KeyOperations<T>
  readonly #walks: WalkOperations
  readonly #counters: CounterOperations
  readonly #sets: SetOperations
  readonly #reader: ValueReader<T>

  /**
   * @param origin creates the store, and receives the policy, through which the store emits connection events; or the
   * parts of another backend, if this is a view of it under another prefix
   * @param namespace the name of that view in events
   */
  protected constructor(
    options: ResolvedBackendOptions,
    origin: ((policy: FailurePolicy) => CacheStore) | BackendAssembly,
    namespace = '',
  ) {
    const assembly = origin instanceof BackendAssembly ? origin : new BackendAssembly(options, origin)
    this.#options = options
    this.#assembly = assembly
    this.#prefix = options.prefix
    this.#policy = assembly.policy.within(namespace)
    const scope = new OperationScope(options, assembly, this.#policy)
    const readerOf = (operation: string) => new ValueReader<T>(operation, assembly, this.#policy)
    this.#reader = readerOf('get')
    this.#writes = new WriteOperations(scope, assembly)
    this.#batches = new BatchOperations(scope, readerOf('getMany'))
    this.#keys = new KeyOperations(scope, readerOf('getAndDelete'))
    this.#walks = new WalkOperations(scope, assembly)
    this.#counters = new CounterOperations(scope)
    this.#sets = new SetOperations(scope)
  }

  initialize(): Promise<void> {
    return this.#assembly.lifecycle.initialize()
  }

  shutdown(): Promise<void> {
    return this.#assembly.lifecycle.shutdown()
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

  // Not an async function: the caller gets the promise that the store makes, and no other is allocated.
  get(key: string): Promise<T | undefined> {
    if (!isCacheKey(key))
      return this.#policy.absorb('get', key, undefined, async () => void assertCacheKey(key))
    return this.#assembly.store.read(key, this.#prefix + key, this.#reader)
  }

  set(key: string, value: T, ttl?: Duration): Promise<boolean> {
    return this.#writes.write('set', key, value, ttl)
  }

  setIfAbsent(key: string, value: T, ttl?: Duration): Promise<boolean> {
    return this.#writes.write('setIfAbsent', key, value, ttl)
  }

  delete(key: string): Promise<boolean> {
    return this.#keys.delete(key)
  }

  getAndDelete(key: string): Promise<T | undefined> {
    return this.#keys.getAndDelete(key)
  }

  exists(key: string): Promise<boolean> {
    return this.#keys.exists(key)
  }

  existsMany(keys: Iterable<string>): Promise<Map<string, boolean>> {
    return this.#batches.existsMany(keys)
  }

  getMany(keys: Iterable<string>): Promise<Map<string, T | undefined>> {
    return this.#batches.getMany(keys)
  }

  setMany(entries: CacheEntries<T>, ttl?: Duration): Promise<boolean> {
    return this.#writes.setMany(entries, ttl)
  }

  deleteMany(keys: Iterable<string>): Promise<number> {
    return this.#batches.deleteMany(keys)
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

  keys(pattern?: string, options: KeysOptions = {}): AsyncIterable<string> {
    return this.#walks.keys(pattern, options)
  }

  clear(options: RemovalOptions = {}): Promise<boolean> {
    return this.#walks.clear(options)
  }

  invalidatePattern(pattern: string, options: RemovalOptions = {}): Promise<number> {
    return this.#walks.invalidatePattern(pattern, options)
  }

  getTtl(key: string): Promise<number | undefined> {
    return this.#keys.getTtl(key)
  }

  getTtlMany(keys: Iterable<string>): Promise<Map<string, number | undefined>> {
    return this.#batches.getTtlMany(keys)
  }

  touch(key: string, ttl?: Duration): Promise<boolean> {
    return this.#keys.touch(key, ttl)
  }

  persist(key: string): Promise<boolean> {
    return this.#keys.persist(key)
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
      codec: assembly.codec,
      policy: this.#policy,
      options: this.#options,
      whenOpen: (callback) => assembly.lifecycle.whenOpen(callback),
      calls: assembly.calls,
      share: (settings) => assembly.share(settings),
      decorate: (decorate) => assembly.decorate(decorate),
      observe: (observer) => assembly.observe(observer),
      giveBack: () => assembly.giveBack(),
      within: (prefix, namespace) => new BackendView({ ...this.#options, prefix }, assembly, namespace),
    }
  }
}

/** A backend under another prefix. It opens and closes together with the backend whose parts it shares. */
class BackendView<T> extends StoreBackend<T> {
  constructor(options: ResolvedBackendOptions, assembly: BackendAssembly, namespace: string) {
    super(options, assembly, namespace)
  }
}
