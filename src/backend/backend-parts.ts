import type { ValueCodec } from '../codec/value-codec.ts'
import type { CacheBackend } from '../contract/cache-backend.ts'
import type { ResolvedBackendOptions } from './backend-options.ts'
import type { CacheStore, TierSettings } from './cache-store.ts'
import type { FailurePolicy } from './failure-policy.ts'
import type { SharedTier } from './shared-tier.ts'
import type { StoreWitness } from './witnessed-store.ts'

/** What a read-through cache is built on: the inner parts of one of this library's backends. */
export interface BackendParts {
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
  readonly witness: (witness: StoreWitness) => void
  /** The same backend under another prefix. */
  readonly within: (prefix: string) => CacheBackend
}

/** Under this name a backend of this library offers its {@link BackendParts}. */
export const PARTS: unique symbol = Symbol('parts')

/** The parts of a backend; `undefined` where it is none of this library's. */
export function partsOf(backend: CacheBackend): BackendParts | undefined {
  return (backend as { readonly [PARTS]?: () => BackendParts })[PARTS]?.()
}
