export type { BackendOptions, FailureMode } from './backend/backend-options.ts'
export type { Coherence } from './backend/shared-tier.ts'
export type { GetOrSetManyOptions } from './cache/batch-reads.ts'
export type { Cache } from './cache/cache.ts'
export type { LocalOptions, ReadThroughOptions } from './cache/cache-options.ts'
export {
  type CachedDecorator,
  type CachedOptions,
  type CacheSource,
  cached,
} from './cache/cached-decorator.ts'
export type { CircuitState } from './cache/circuit-breaker.ts'
export type { Collection, CollectionReadOptions } from './cache/collection.ts'
export type {
  CollectionBatch,
  CollectionBatchContext,
  CollectionBatchLoader,
  CollectionCommonOptions,
  CollectionKeyOption,
  CollectionLoader,
  CollectionOptions,
  CollectionSource,
  PlainId,
} from './cache/collection-options.ts'
export type { CacheTotals } from './cache/counts.ts'
export { type CreateCacheOptions, createCache } from './cache/create-cache.ts'
export type { ExplainOptions } from './cache/explain.ts'
export type {
  ExplainedCache,
  ExplainedGeneration,
  ExplainedLease,
  ExplainedLoad,
  ExplainedLocal,
  ExplainedNext,
  ExplainedShared,
  ExplainedStep,
  ExplainedTimes,
  Explanation,
  LocalRefusal,
} from './cache/explanation.ts'
export type { Isolation } from './cache/isolation.ts'
export type {
  BatchEntryContext,
  BatchLoadContext,
  BatchLoader,
  BatchResult,
} from './cache/load-batch.ts'
export type { LoadContext, Loader, StaleValue } from './cache/load-context.ts'
export type { MemoizingCache, WrapOptions, Wrapped } from './cache/memoize.ts'
export type {
  EntryOptions,
  FreshnessOptions,
  GetOrSetOptions,
  LoadOptions,
  PolicyOptions,
} from './cache/policies.ts'
export type { CacheStats } from './cache/stats.ts'
export type { CompressionName, CompressionOptions } from './codec/compression.ts'
export type { EncryptionKey, EncryptionOptions } from './codec/encryption.ts'
export type {
  CacheBackend,
  CacheEntries,
  CounterOptions,
  ExpiryOptions,
  RemovalOptions,
} from './contract/cache-backend.ts'
export type { CacheEvents, MissReason, ReadThroughEvents } from './contract/cache-events.ts'
export type { Logger } from './contract/logger.ts'
export type { Serializer, SerializerName } from './contract/serializer.ts'
export type {
  InferInput,
  InferOutput,
  SchemaIssue,
  SchemaResult,
  StandardSchema,
} from './contract/standard-schema.ts'
export { CacheError, type CacheErrorCode, type CacheErrorContext } from './foundation/cache-error.ts'
export type { Duration } from './foundation/duration.ts'
export type { Unsubscribe } from './foundation/event-hub.ts'
export { escapeGlob, glob } from './foundation/glob.ts'
export { PartialLoadError } from './foundation/partial-load-error.ts'
export { type SchemaMismatch, SchemaMismatchError } from './foundation/schema-mismatch-error.ts'
