import {
  assertCompressionAvailable,
  type CompressionName,
  type CompressionOptions,
  isCompressionName,
  type ResolvedCompression,
} from '../../codec/compression.ts'
import {
  ENCRYPTION_OPTIONS,
  type EncryptionOptions,
  resolveEncryption,
} from '../../codec/envelope/encryption.ts'
import { assertSerializerAvailable, isSerializerName } from '../../codec/serializers/serializer-registry.ts'
import type { ValueCodecOptions } from '../../codec/value-codec.ts'
import { type Logger, SILENT_LOGGER } from '../../contract/logger.ts'
import type { Serializer, SerializerName } from '../../contract/serializer.ts'
import { type EnvironmentSettings, readEnvironment } from '../../foundation/environment.ts'
import { abbreviate } from '../../foundation/errors/cache-error.ts'
import {
  assertOptions,
  type KnownOptions,
  type OptionNames,
  refusedOption,
} from '../../foundation/option-checks.ts'
import { type Duration, parseDuration } from '../../foundation/time/duration.ts'
import { advise } from './advice.ts'
import { CallChecks } from './call-checks.ts'

/** `'absorb'` answers failures with a miss, `false` or `0`; `'throw'` rejects. See {@link CacheBackend}. */
export type FailureMode = 'absorb' | 'throw'

/** Options that every backend takes. */
export interface BackendOptions {
  /**
   * Prefix of every key, set and counter in the store. End it with a separator, as in `'shop:'`: it is put before a key
   * as it is, so `clear()` and patterns under `'shop'` reach the keys of `'shop2'` too, and a warning says so. It may be
   * empty, but then `clear()` refuses to run.
   * @default CACHEWRIGHT_PREFIX, then `'cache:'`
   */
  readonly prefix?: string | undefined
  /**
   * The serializer that values are written with. Values of this serializer are read, those of `readers`, JSON, text and
   * bytes. What is in no envelope is text where this is `'text'`, bytes where it is `'bytes'`, and JSON elsewhere.
   * @default CACHEWRIGHT_SERIALIZER, then `'json'`
   */
  readonly serializer?: SerializerName | Serializer | undefined
  /**
   * Serializers and compressions that are read, but not written, such as those of an earlier configuration:
   * `['msgpack', 'gzip']`. Values of any other form are undecodable, so they read as a miss.
   * @default none
   */
  readonly readers?: readonly (SerializerName | Serializer | CompressionName)[] | undefined
  /**
   * The compression of large payloads.
   * @default CACHEWRIGHT_COMPRESSION, then `'none'`
   */
  readonly compression?: CompressionName | CompressionOptions | 'none' | undefined
  /**
   * Encrypts values, and refuses to read those that are not encrypted. Counters and sets are not encrypted.
   * @default off
   */
  readonly encryption?: EncryptionOptions | undefined
  /**
   * The time to live, in seconds or with a unit (`'5m'`), of values, counters and sets that are written without one.
   * `Infinity` keeps them for ever.
   * @default CACHEWRIGHT_TTL, then `'1h'`
   */
  readonly ttl?: Duration | undefined
  /**
   * The largest size of a serialized value, in bytes; a compressed one may not grow beyond it either.
   * @default CACHEWRIGHT_MAX_VALUE_BYTES, then 16 MiB
   */
  readonly maxValueBytes?: number | undefined
  /** What an operation does when it fails. @default CACHEWRIGHT_ERRORS, then `'absorb'` */
  readonly errors?: FailureMode | undefined
  /** Receives log lines. @default no log */
  readonly logger?: Logger | undefined
}

/** {@link BackendOptions} resolved: no code below validates them or applies defaults again. */
export interface ResolvedBackendOptions {
  readonly prefix: string
  readonly codec: ValueCodecOptions
  readonly defaultTtlMs: number
  readonly errors: FailureMode
  readonly logger: Logger
  /** Whether `NODE_ENV` is `production`: calls are not checked as closely then. */
  readonly isProduction: boolean
}

const COMPRESSION_OPTIONS: KnownOptions = {
  of: 'compression',
  names: { algorithm: 'value', minBytes: 'value' } satisfies OptionNames<CompressionOptions>,
}

/** The names of {@link BackendOptions}. */
export const BACKEND_OPTIONS: OptionNames<BackendOptions> = {
  prefix: 'value',
  serializer: 'value',
  readers: 'value',
  compression: COMPRESSION_OPTIONS,
  encryption: ENCRYPTION_OPTIONS,
  ttl: 'duration',
  maxValueBytes: 'value',
  errors: 'value',
  logger: 'value',
}

/** What to write in place of options that users of a backend know from elsewhere. */
export const INSTEAD_OF_BACKEND_OPTIONS: Readonly<Record<string, string>> = {
  defaultTtl: "its name here is 'ttl'",
  keyPrefix: "its name here is 'prefix'",
}

const DEFAULT_MAX_VALUE_BYTES = 16 * 1024 * 1024
/** Redis itself refuses strings of more than 512 MiB. */
const LARGEST_MAX_VALUE_BYTES = 512 * 1024 * 1024
const DEFAULT_COMPRESSION_MIN_BYTES = 2048

/**
 * The options of a backend with the defaults of the environment.
 * @param known the names that the backend takes, these and its own
 * @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION`, `CACHE_MISSING_PEER`
 */
export function resolveBackendOptions(
  options: BackendOptions,
  known: KnownOptions,
  environment: EnvironmentSettings = readEnvironment(),
): ResolvedBackendOptions {
  assertOptions(options, known)
  const logger = resolveLogger(options.logger ?? SILENT_LOGGER)
  const isProduction = environment.isProduction ?? false
  new CallChecks(!isProduction, logger).check(options, known)
  const prefix = resolvePrefix(options.prefix ?? environment.prefix ?? 'cache:')
  if (endsWithin(prefix)) {
    advise(
      logger,
      `prefix ${prefix}`,
      `The prefix '${abbreviate(prefix)}' ends within a word, so clear() and patterns also remove the keys of every longer prefix, such as '${abbreviate(prefix)}2'. End it with a separator: '${abbreviate(prefix)}:'`,
    )
  }
  return Object.freeze({
    prefix,
    codec: Object.freeze({
      serializer: resolveSerializer(options.serializer ?? environment.serializer ?? 'json'),
      ...resolveReaders(options.readers ?? []),
      compression: resolveCompression(options.compression ?? environment.compression ?? 'none'),
      maxValueBytes: resolveMaxValueBytes(
        options.maxValueBytes ?? environment.maxValueBytes ?? DEFAULT_MAX_VALUE_BYTES,
      ),
      encryption: resolveEncryption(options.encryption),
    }),
    defaultTtlMs: parseDuration(options.ttl ?? environment.ttl ?? '1h', 'ttl'),
    errors: resolveErrors(options.errors ?? environment.errors ?? 'absorb'),
    logger,
    isProduction,
  })
}

function resolvePrefix(prefix: unknown): string {
  const isText = typeof prefix === 'string' && prefix.isWellFormed() && !prefix.includes('\u0000')
  if (isText && Buffer.byteLength(prefix) <= 1024) return prefix
  throw refusedOption('prefix', 'a well-formed string of at most 1,024 bytes without a NUL', prefix)
}

/** Whether a prefix ends with a letter or a digit, so that another one may continue it. */
function endsWithin(prefix: string): boolean {
  return /[\p{L}\p{N}]$/u.test(prefix)
}

function resolveSerializer(serializer: SerializerName | Serializer): SerializerName | Serializer {
  if (typeof serializer === 'object') return serializer
  if (isSerializerName(serializer)) {
    assertSerializerAvailable(serializer)
    return serializer
  }
  throw refusedOption(
    'serializer',
    "'json', 'v8', 'msgpack', 'pickle', 'text', 'bytes', or an object with id, encode and decode",
    serializer,
  )
}

function resolveReaders(forms: unknown): Pick<ValueCodecOptions, 'readers' | 'decompressors'> {
  if (!Array.isArray(forms)) throw refusedOption('readers', 'an array', forms)
  const decompressors = forms.filter(isCompressionName)
  const readers = forms.filter((form) => !isCompressionName(form))
  for (const form of readers) if (typeof form !== 'object') resolveSerializer(form)
  for (const name of decompressors) assertCompressionAvailable(name)
  return { readers, decompressors }
}

function resolveLogger(logger: Logger): Logger {
  if ([logger.debug, logger.warn, logger.error].every((write) => typeof write === 'function')) return logger
  throw refusedOption(
    'logger',
    'an object with the functions debug, warn and error, as pino and console are',
    logger,
  )
}

function resolveCompression(
  compression: CompressionName | CompressionOptions | 'none',
): ResolvedCompression | undefined {
  if (compression === 'none') return undefined
  if (typeof compression !== 'string') assertOptions(compression, COMPRESSION_OPTIONS)
  const { algorithm, minBytes = DEFAULT_COMPRESSION_MIN_BYTES } =
    typeof compression === 'string' ? { algorithm: compression } : compression
  if (!isCompressionName(algorithm)) {
    throw refusedOption('compression', "'none', 'gzip', 'brotli', 'zstd', 'lz4' or 'snappy'", algorithm)
  }
  assertCompressionAvailable(algorithm)
  if (!Number.isSafeInteger(minBytes) || minBytes < 0)
    throw refusedOption('compression.minBytes', 'a whole number', minBytes)
  return Object.freeze({ algorithm, minBytes })
}

function resolveMaxValueBytes(bytes: number): number {
  if (Number.isSafeInteger(bytes) && bytes > 0 && bytes <= LARGEST_MAX_VALUE_BYTES) return bytes
  throw refusedOption('maxValueBytes', `a whole number from 1 to ${LARGEST_MAX_VALUE_BYTES}`, bytes)
}

function resolveErrors(errors: FailureMode): FailureMode {
  if (errors === 'absorb' || errors === 'throw') return errors
  throw refusedOption('errors', "'absorb' or 'throw'", errors)
}
