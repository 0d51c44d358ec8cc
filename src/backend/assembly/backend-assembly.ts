import { SharedStructures } from '../../codec/structures/shared-structures.ts'
import { ValueCodec } from '../../codec/value-codec.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { CacheStore, OpenStore, TierSettings } from '../seams/cache-store.ts'
import type { SharedTier } from '../seams/shared-tier.ts'
import type { ResolvedBackendOptions } from './backend-options.ts'
import { CallChecks } from './call-checks.ts'
import { FailurePolicy } from './failure-policy.ts'
import { Lifecycle } from './lifecycle.ts'
import { ObservedStore, type StoreObserver } from './observed-store.ts'
import { OpeningStore } from './opening-store.ts'
import { structuresBeside } from './structures-beside.ts'

/**
 * The parts of a backend, assembled once and shared with its views under other prefixes. It also lends the store to a
 * read-through cache.
 */
export class BackendAssembly {
  /** The prefix of the backend itself, which those of its views begin with. */
  readonly prefix: string
  readonly codec: ValueCodec
  readonly structures: SharedStructures
  readonly policy: FailurePolicy
  readonly lifecycle: Lifecycle
  readonly calls: CallChecks
  #store: CacheStore
  readonly #openingStore: OpenStore
  /** The store as it was before it was lent; `undefined` while it is not. */
  #unshared: CacheStore | undefined

  /** @param createStore receives the policy, through which the store emits connection events */
  constructor(
    { codec, errors, isProduction, logger, prefix }: ResolvedBackendOptions,
    createStore: (policy: FailurePolicy) => CacheStore,
  ) {
    this.prefix = prefix
    this.structures = new SharedStructures({
      store: structuresBeside(prefix, () => this.#store),
      encryption: codec.encryption,
    })
    this.codec = new ValueCodec(codec, this.structures)
    this.policy = FailurePolicy.of(errors, logger)
    this.calls = new CallChecks(!isProduction, logger)
    this.#store = createStore(this.policy)
    this.lifecycle = new Lifecycle(
      () => this.#open(),
      () => this.#close(),
    )
    this.#openingStore = new OpeningStore(
      () => this.lifecycle.openForOperation(),
      () => this.#store,
    )
  }

  /**
   * The store with everything that was put in front of it. While the backend is not open, each operation opens it. Not
   * to be kept: more may follow.
   */
  get store(): OpenStore {
    return this.lifecycle.isReady ? this.#store : this.#openingStore
  }

  /** Puts another store in front. @throws CacheError `CACHE_INVALID_OPTIONS` while it is lent */
  decorate(decorate: (store: CacheStore) => CacheStore): void {
    this.#assertUnshared()
    this.#store = decorate(this.#store)
  }

  /** Tells an observer of every write from now on. */
  observe(observer: StoreObserver): void {
    this.#store = new ObservedStore(this.#store, observer)
  }

  /** Lends the store to a read-through cache. @throws CacheError `CACHE_INVALID_OPTIONS` while it is lent */
  share(settings: TierSettings): SharedTier {
    this.#assertUnshared()
    this.#unshared = this.#store
    return this.#store.share(settings)
  }

  /** Ends what {@link share} and {@link observe} have begun; the store may be lent again. */
  giveBack(): void {
    if (this.#unshared !== undefined) this.#store = this.#unshared
    this.#unshared = undefined
  }

  #assertUnshared(): void {
    if (this.#unshared === undefined) return
    throw new CacheError('CACHE_INVALID_OPTIONS', 'This backend serves a cache already: use its namespace()')
  }

  async #open(): Promise<void> {
    await this.codec.prepare().catch((error) => {
      // Operations reject with it too, but the calling program may not look.
      throw this.policy.publish('initialize', undefined, error)
    })
    await this.#store.open()
    await this.structures.open()
  }

  async #close(): Promise<void> {
    const stopped = this.structures.close()
    await this.#store.close()
    await stopped
  }
}
