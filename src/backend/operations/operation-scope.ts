import type { ExpiryOptions } from '../../contract/cache-backend.ts'
import { assertCacheKey } from '../../foundation/cache-key.ts'
import type { KnownOptions } from '../../foundation/option-checks.ts'
import { type Duration, parseDuration } from '../../foundation/time/duration.ts'
import type { BackendAssembly } from '../assembly/backend-assembly.ts'
import type { ResolvedBackendOptions } from '../assembly/backend-options.ts'
import type { FailurePolicy } from '../assembly/failure-policy.ts'
import type { Expiry, OpenStore } from '../seams/cache-store.ts'

/** What the operations under one prefix have in common: stored keys, expiry, the store and the failure policy. */
export class OperationScope {
  readonly prefix: string
  readonly policy: FailurePolicy
  readonly #defaultTtlMs: number
  readonly #assembly: BackendAssembly

  /** @param policy that of the namespace with this prefix */
  constructor(
    { defaultTtlMs, prefix }: ResolvedBackendOptions,
    assembly: BackendAssembly,
    policy: FailurePolicy,
  ) {
    this.prefix = prefix
    this.policy = policy
    this.#defaultTtlMs = defaultTtlMs
    this.#assembly = assembly
  }

  get store(): OpenStore {
    return this.#assembly.store
  }

  /** @throws CacheError `CACHE_INVALID_KEY` */
  storedKey(key: string): string {
    assertCacheKey(key)
    return this.prefix + key
  }

  /** @throws CacheError `CACHE_INVALID_DURATION` */
  ttlMs(ttl: Duration | undefined): number {
    if (ttl === undefined) return this.#defaultTtlMs
    this.#assembly.calls.checkDuration('ttl', ttl)
    return parseDuration(ttl)
  }

  /** The seconds that a key has left, as `getTtl` tells them. @throws CacheError */
  async ttlSeconds(storedKey: string): Promise<number | undefined> {
    const ttlMs = await this.store.ttlMs(storedKey)
    return ttlMs === undefined ? undefined : ttlMs / 1_000
  }

  /** As {@link CallChecks.check}. */
  checkOptions(options: unknown, known: KnownOptions): void {
    this.#assembly.calls.check(options, known)
  }

  /** @throws CacheError `CACHE_INVALID_DURATION` */
  expiry({ ttl, slide = false }: ExpiryOptions): Expiry {
    return { ttlMs: this.ttlMs(ttl), slide }
  }

  /**
   * Why values were not stored, if the backend could not be opened: because they cannot be stored anyway, or else that
   * failure.
   * @param encode throws if a value cannot be stored
   */
  async whyUnstored(failure: unknown, encode: () => unknown): Promise<unknown> {
    try {
      await this.#assembly.codec.prepare()
      encode()
      return failure
    } catch (refusal) {
      return refusal
    }
  }
}
