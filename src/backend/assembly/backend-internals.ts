import type { ValueCodec } from '../../codec/value-codec.ts'
import type { CacheBackend } from '../../contract/cache-backend.ts'
import type { CacheStore, TierSettings } from '../seams/cache-store.ts'
import type { SharedTier } from '../seams/shared-tier.ts'
import type { ResolvedBackendOptions } from './backend-options.ts'
import type { CallChecks } from './call-checks.ts'
import type { FailurePolicy } from './failure-policy.ts'
import type { StoreObserver } from './observed-store.ts'

/** The inner parts of a backend of this library, on which a read-through cache is built. */
export interface BackendInternals {
  readonly codec: ValueCodec
  readonly policy: FailurePolicy
  readonly options: ResolvedBackendOptions
  /** Calls back once when the backend has been opened, by whatever operation. */
  readonly whenOpen: (callback: () => void) => void
  readonly calls: CallChecks
  /** Lends the store to one read-through cache at a time. */
  readonly share: (settings: TierSettings) => SharedTier
  /** Puts another store in front of the present one. Must be called before {@link share}. */
  readonly decorate: (decorate: (store: CacheStore) => CacheStore) => void
  /** Tells an observer of every write through the backend. */
  readonly observe: (observer: StoreObserver) => void
  /** Ends the lending, and the observation. The tier must have been stopped. */
  readonly giveBack: () => void
  /** The same backend under the prefix of a namespace, whose name its events tell. */
  readonly within: (prefix: string, namespace: string) => CacheBackend
}

/** A backend of this library offers its {@link BackendInternals} under this name. */
export const INTERNALS: unique symbol = Symbol('parts')

/** The internals of a backend; `undefined` if it is not one of this library's. */
export function internalsOf(backend: CacheBackend): BackendInternals | undefined {
  return (backend as { readonly [INTERNALS]?: () => BackendInternals })[INTERNALS]?.()
}
