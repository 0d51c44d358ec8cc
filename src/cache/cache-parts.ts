import type { CacheBackend } from '../contract/cache-backend.ts'
import type { WeakValues } from '../foundation/weak-values.ts'
import type { CacheCore } from './core/cache-core.ts'
import type { Monitor } from './core/monitor.ts'
import type { Flights } from './flights/flights.ts'
import type { SingleFlight } from './flights/single-flight.ts'
import type { Policies } from './freshness/policies.ts'
import type { KeySpace } from './keys/key-space.ts'
import type { NameRegistry } from './keys/name-registry.ts'
import type { ShadowVerification } from './monitoring/shadow-verification.ts'
import type { SlowReads } from './reading/slow-reads.ts'
import type { WritePath } from './writing/write-path.ts'

/** Opens and closes what a cache is built on. */
interface CacheLifecycle {
  initialize(): Promise<void>
  shutdown(): Promise<void>
}

/** The parts of a `Cache`. A namespace shares the parts of its cache, except for its key space and its policies. */
export interface CacheParts {
  readonly core: CacheCore
  readonly flights: Flights
  readonly reads: SingleFlight
  readonly slowReads: SlowReads
  /** Held as long as the cache: see `PendingRead.specimen`. */
  readonly readSpecimen: object
  readonly writes: WritePath
  readonly verification: ShadowVerification
  /** The namespaces that somebody holds, by their policies and name. Typed as objects: a type import would be a cycle. */
  readonly namespaces: WeakValues<object>
  /** The names of functions and collections, of the cache and of all its namespaces. */
  readonly names: NameRegistry
  readonly space: KeySpace
  readonly monitor: Monitor
  /** The defaults for the options of calls. */
  readonly policies: Policies
  /** The policies as text: what tells namespaces of one name apart. */
  readonly policiesId: string
  readonly lifecycle: CacheLifecycle
  /** The backend under the prefix of a namespace. */
  readonly backendWithin: (space: KeySpace) => CacheBackend
}
