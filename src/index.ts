/**
 * A read-through cache over Redis or Valkey. {@link createCache} makes a {@link Cache}, and its `getOrSet(key, loader)` is
 * most of what a program needs. The other modules are the backends that it can stand on, which are caches without loaders
 * by themselves, and tools for tests.
 *
 * | to … | use |
 * | --- | --- |
 * | read, and load what is missing | `getOrSet`, `getOrSetMany`, {@link Cache.wrap}, {@link cached}, {@link Cache.collection} |
 * | load now | `refresh` |
 * | read now and write later, outside of a loader | `reserve`, and `fill` of its {@link Slot} |
 * | read only | `get`, `getMany`, `peek`, `has`, `getTtl` |
 * | write | `set`, `setMany` |
 * | invalidate | `delete`, `deleteMany`, `invalidateTags`, `invalidatePattern`, `clear` |
 * | set a part of the cache apart | {@link Cache.namespace} |
 * | keep plain values, counters and sets | {@link Cache.plain}, {@link Cache.counters}, {@link Cache.sets} |
 * | find out what happens | {@link Cache.explain}, {@link Cache.stats}, {@link Cache.on} |
 *
 * **Terms**
 * - *entry*: a value with its tags and the time at which it was loaded. It is *fresh* until its `ttl` has passed, then
 *   *stale*: served only within `staleWhileRevalidate` and `staleIfError`
 * - *local tier*: decoded entries in this process. *Shared tier*: encoded entries in Redis, for all processes
 * - *generation*: a random number under a key of its own in Redis, one for each tag and each namespace. An entry notes the
 *   generations that it was loaded under, and is valid as long as they are the present ones. To invalidate a tag is to
 *   replace its generation. A process *knows* a tag if it has the generation in memory, as after it has read or written an
 *   entry with that tag
 * - *push*: Redis tells a process of a change on its connection (`CLIENT TRACKING`). *Bus*: processes tell each other of
 *   changes (`PUBLISH`), where there are no pushes
 * - *lease*: the right of one process to load a key while the others wait for it
 * - *slot*: a place that `reserve` keeps for a value which comes later
 * - *envelope*: the header before a stored value, with its format, times and generations
 * @module cachewright
 */
export type { BackendOptions, FailureMode } from './backend/assembly/backend-options.ts'
export type { Coherence, PresentCoherence } from './backend/seams/shared-tier.ts'
export type { GetOrSetManyOptions } from './cache/batches/batch-reads.ts'
export type {
  BatchEntryContext,
  BatchLoadContext,
  BatchLoader,
  BatchResult,
} from './cache/batches/load-batch.ts'
export { PartialLoadError } from './cache/batches/partial-load-error.ts'
export type { Cache } from './cache/cache.ts'
export type { Collection } from './cache/collections/collection.ts'
export type {
  CollectionBatchContext,
  CollectionBatchLoader,
  CollectionBatchResult,
  CollectionCommonOptions,
  CollectionKeyOption,
  CollectionLoader,
  CollectionOptions,
  CollectionReadOptions,
  CollectionSource,
  PlainId,
} from './cache/collections/collection-options.ts'
export { type SchemaMismatch, SchemaMismatchError } from './cache/collections/schema-mismatch-error.ts'
export type { CacheTotals, NamespaceStats, NamespaceTotals } from './cache/core/counts.ts'
export type { NamespaceLocalOptions } from './cache/core/namespace-local.ts'
export type {
  CoherenceOptions,
  LeaseOptions,
  LocalOptions,
  ShutdownOptions,
} from './cache/core/option-groups.ts'
export type { ReadThroughOptions } from './cache/core/read-through-options.ts'
export { type CreateCacheOptions, createCache } from './cache/create-cache.ts'
export type { ExplainOptions } from './cache/explain/explain.ts'
export type {
  ExplainedCache,
  ExplainedGeneration,
  ExplainedInvalidation,
  ExplainedLease,
  ExplainedLoad,
  ExplainedLocal,
  ExplainedNext,
  ExplainedShared,
  ExplainedStep,
  ExplainedTimes,
  Explanation,
  LocalRefusal,
} from './cache/explain/explanation.ts'
export type {
  AgeOptions,
  ContextOptions,
  CopyOptions,
  EntryOptions,
  FreshnessOptions,
  GetOrSetOptions,
  LoadOptions,
  LoadPauseOptions,
  LocalReadOptions,
  PolicyOptions,
  StaleIfErrorOptions,
  ValueOptions,
} from './cache/freshness/policy-options.ts'
export type {
  LocalNamespaceOptions,
  LocalStoreBounds,
} from './cache/holding/held-options.ts'
export type { LoadContext, Loader } from './cache/loading/load-context.ts'
export type { ResultOptions } from './cache/loading/result-options.ts'
export type { StaleValue } from './cache/loading/stale-value.ts'
export type { Frozen, Isolation, Served } from './cache/local/isolation.ts'
export type { DisposeReason, LocalUsage } from './cache/local/local-shelf.ts'
export type { LocalNamespace } from './cache/local-namespace.ts'
export {
  type CachedDecorator,
  type CacheSource,
  cached,
} from './cache/memoize/cached-decorator.ts'
export type { MemoizingCache, Wrapped } from './cache/memoize/memoize.ts'
export type {
  CachedOptions,
  CallArguments,
  ContextParameters,
  ContextWrapOptions,
  MemoizeOptions,
  WrapOptions,
} from './cache/memoize/memoize-options.ts'
export type { CacheStats } from './cache/monitoring/stats.ts'
export type { Namespace, NamespaceOptions } from './cache/namespace.ts'
export type { CircuitState } from './cache/outage/circuit-breaker.ts'
export type { CachedEntry } from './cache/reading/cached-entry.ts'
export type { GetEntryOptions, GetOptions } from './cache/reading/get-options.ts'
export type { ReserveOptions } from './cache/reserving/reserve-options.ts'
export type { HitSlot, OpenSlot, Slot } from './cache/reserving/slot.ts'
export type { ExpireTagsOptions, InvalidationOptions } from './cache/writing/invalidation-options.ts'
export type { ChangeOptions } from './cache/writing/namespace-changes.ts'
export type { CompressionName, CompressionOptions } from './codec/compression.ts'
export type { EncryptionKey, EncryptionOptions } from './codec/envelope/encryption.ts'
export type { BackgroundHook, BackgroundOptions } from './contract/background-hook.ts'
export type {
  CacheBackend,
  CacheEntries,
  CounterOptions,
  Counters,
  ExpiryOptions,
  KeysOptions,
  PlainValues,
  RemovalOptions,
  Sets,
} from './contract/cache-backend.ts'
export type {
  CacheEvents,
  FillRefusal,
  HitTier,
  InheritRefusal,
  InNamespace,
  MissReason,
  ReadThroughEvents,
} from './contract/cache-events.ts'
export type { Logger } from './contract/logger.ts'
export type { Serializer, SerializerName } from './contract/serializer.ts'
export type {
  InferInput,
  InferOutput,
  SchemaIssue,
  SchemaResult,
  StandardSchema,
} from './contract/standard-schema.ts'
export { CacheError, type CacheErrorCode, type CacheErrorContext } from './foundation/errors/cache-error.ts'
export type { Unsubscribe } from './foundation/event-hub.ts'
export { escapeGlob, glob } from './foundation/glob.ts'
export type { Duration } from './foundation/time/duration.ts'
