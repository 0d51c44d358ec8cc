import type { CacheError } from './errors/cache-error.ts'
import { refusedOption } from './option-checks.ts'
import { type Duration, parseDuration } from './time/duration.ts'

/**
 * The settings of the process environment, validated. No other module reads the environment. An option in code takes
 * precedence over its variable. The table of settings in the README lists the same names.
 */
export interface EnvironmentSettings {
  /** `REDIS_URL`: the address of Redis wherever the code gives none. */
  readonly url?: string
  /** `CACHEWRIGHT_PREFIX` */
  readonly prefix?: string
  /** `CACHEWRIGHT_SERIALIZER` */
  readonly serializer?: 'json' | 'v8' | 'msgpack' | 'pickle' | 'text' | 'bytes'
  /** `CACHEWRIGHT_COMPRESSION` */
  readonly compression?: 'none' | 'gzip' | 'brotli' | 'zstd' | 'lz4' | 'snappy'
  /** `CACHEWRIGHT_TTL` */
  readonly ttl?: Duration
  /** `CACHEWRIGHT_COMMAND_TIMEOUT` */
  readonly commandTimeout?: Duration
  /** `CACHEWRIGHT_ERRORS` */
  readonly errors?: 'absorb' | 'throw'
  /** `CACHEWRIGHT_MAX_VALUE_BYTES` */
  readonly maxValueBytes?: number
  /** Whether `NODE_ENV` is `production`. */
  readonly isProduction?: true
}

/**
 * @throws CacheError `CACHE_INVALID_OPTIONS`, which names the variable but not its value, which may contain a password
 */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env): EnvironmentSettings {
  return defined({
    url: text(env, 'REDIS_URL'),
    prefix: text(env, 'CACHEWRIGHT_PREFIX'),
    serializer: oneOf(env, 'CACHEWRIGHT_SERIALIZER', ['json', 'v8', 'msgpack', 'pickle', 'text', 'bytes']),
    compression: oneOf(env, 'CACHEWRIGHT_COMPRESSION', ['none', 'gzip', 'brotli', 'zstd', 'lz4', 'snappy']),
    ttl: duration(env, 'CACHEWRIGHT_TTL'),
    commandTimeout: duration(env, 'CACHEWRIGHT_COMMAND_TIMEOUT'),
    errors: oneOf(env, 'CACHEWRIGHT_ERRORS', ['absorb', 'throw']),
    maxValueBytes: wholeNumber(env, 'CACHEWRIGHT_MAX_VALUE_BYTES'),
    isProduction: env.NODE_ENV === 'production' ? (true as const) : undefined,
  })
}

type Defined<Settings> = { readonly [Name in keyof Settings]?: Exclude<Settings[Name], undefined> }

function defined<Settings extends object>(settings: Settings): Defined<Settings> {
  return Object.fromEntries(
    Object.entries(settings).filter(([, value]) => value !== undefined),
  ) as Defined<Settings>
}

/** The value of a variable. An empty one counts as not set, as in `${NAME:-default}` of a shell. */
function text(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name]
}

function oneOf<Choice extends string>(
  env: NodeJS.ProcessEnv,
  name: string,
  choices: readonly Choice[],
): Choice | undefined {
  const value = text(env, name)
  if (value === undefined) return undefined
  const choice = choices.find((candidate) => candidate === value)
  if (choice === undefined) throw invalid(name, `one of ${choices.join(', ')}`, value)
  return choice
}

function duration(env: NodeJS.ProcessEnv, name: string): Duration | undefined {
  const value = text(env, name)
  if (value === undefined) return undefined
  const seconds = Number(value)
  const parsed = (Number.isNaN(seconds) ? value : seconds) as Duration
  try {
    parseDuration(parsed)
  } catch {
    throw invalid(name, "a positive number of seconds, one with a unit ('250ms', '5m'), or Infinity", value)
  }
  return parsed
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string): number | undefined {
  const value = text(env, name)
  if (value === undefined) return undefined
  if (!/^[1-9]\d{0,14}$/.test(value)) throw invalid(name, 'a positive whole number', value)
  return Number(value)
}

function invalid(name: string, wanted: string, value: string): CacheError {
  return refusedOption(`The environment variable ${name}`, wanted, value)
}
