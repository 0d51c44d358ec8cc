export type { BackendOptions, FailureMode } from './backend/backend-options.ts'
export type { CompressionName, CompressionOptions } from './codec/compression.ts'
export type {
  CacheBackend,
  CacheEntries,
  CounterOptions,
  ExpiryOptions,
  RemovalOptions,
} from './contract/cache-backend.ts'
export type { CacheEvents, MissReason } from './contract/cache-events.ts'
export type { Logger } from './contract/logger.ts'
export type { Serializer, SerializerName } from './contract/serializer.ts'
export { CacheError, type CacheErrorCode, type CacheErrorContext } from './foundation/cache-error.ts'
export type { Duration } from './foundation/duration.ts'
export type { Unsubscribe } from './foundation/event-hub.ts'
export { escapeGlob, glob } from './foundation/glob.ts'
