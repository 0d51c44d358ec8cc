import type { ValueCodec } from '../codec/value-codec.ts'
import type { CacheBackend } from '../contract/cache-backend.ts'
import type { ResolvedBackendOptions } from './backend-options.ts'
import type { CacheStore, TierSettings } from './cache-store.ts'
import type { FailurePolicy } from './failure-policy.ts'
import type { StoreObserver } from './observed-store.ts'
import type { SharedTier } from './shared-tier.ts'

/** What a read-through cache is built on: the inner parts of one of this library's backends. */
export interface BackendInternals {
  readonly codec: ValueCodec
  readonly policy: FailurePolicy
  readonly options: ResolvedBackendOptions
  /** Whether `initialize()` has succeeded and `shutdown()` not been called. */
  readonly isReady: () => boolean
  /** The same store as a read-through cache needs it; to be asked for once. */
  readonly share: (settings: TierSettings) => SharedTier
  /** Puts a store in front of the one that is there; to be called before {@link share}. */
  readonly decorate: (decorate: (store: CacheStore) => CacheStore) => void
  /** Has every write through the backend told. */
  readonly witness: (witness: StoreObserver) => void
  /** The same backend under another prefix. */
  readonly within: (prefix: string) => CacheBackend
}

/** Under this name a backend of this library offers its {@link BackendInternals}. */
export const INTERNALS: unique symbol = Symbol('parts')

/** The parts of a backend; `undefined` where it is none of this library's. */
export function internalsOf(backend: CacheBackend): BackendInternals | undefined {
  return (backend as { readonly [INTERNALS]?: () => BackendInternals })[INTERNALS]?.()
}
