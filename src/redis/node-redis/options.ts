import type { RedisClientOptions } from '@redis/client'
import { assertObject, invalidOptions, refuseGiven } from '../../foundation/option-checks.ts'
import { detailOf, unavailable } from '../port/redis-errors.ts'
import type { RedisAddress } from './redis-address.ts'

/** Options of `@redis/client` that this library decides. */
const DECIDED = [
  'url',
  'RESP',
  'commandOptions',
  'disableOfflineQueue',
  'keyPrefix',
  'clientSideCache',
  'emitInvalidate',
  'modules',
  'functions',
  'scripts',
] as const satisfies readonly (keyof RedisClientOptions)[]
/** Those of its socket. */
const DECIDED_SOCKET = ['host', 'port', 'path', 'reconnectStrategy'] as const

const IN_THE_URL = "write it into the URL, as in 'redis://user:password@host:6379/0' (rediss:// for TLS)"

/** What to write in place of the parts of an address, which other clients take one by one. */
export const INSTEAD_OF_ADDRESS_PARTS: Readonly<Record<string, string>> = {
  ...{ host: IN_THE_URL, hostname: IN_THE_URL, port: IN_THE_URL, path: IN_THE_URL, tls: IN_THE_URL },
  ...{ username: IN_THE_URL, password: IN_THE_URL, db: IN_THE_URL, database: IN_THE_URL },
  socket: "it goes into 'clientOptions'",
}

/** Options of `@redis/client` that a caller may set: all but those that this library decides. */
export type NodeRedisOptions = Omit<
  RedisClientOptions,
  | 'url'
  | 'RESP'
  | 'commandOptions'
  | 'disableOfflineQueue'
  | 'keyPrefix'
  | 'clientSideCache'
  | 'emitInvalidate'
  | 'modules'
  | 'functions'
  | 'scripts'
>

type CredentialsProvider = NonNullable<NodeRedisOptions['credentialsProvider']>

/** The methods that each kind of credentials provider must have. */
const PROVIDER_METHODS: Readonly<Record<CredentialsProvider['type'], readonly string[]>> = {
  'async-credentials-provider': ['credentials'],
  'streaming-credentials-provider': ['subscribe', 'onReAuthenticationError'],
}

/**
 * Refuses the options that would be overwritten in silence. The others are those of `@redis/client`, which are not
 * known here.
 * @throws CacheError `CACHE_INVALID_OPTIONS`
 */
export function assertClientOptions(options: NodeRedisOptions): void {
  assertObject(options, 'clientOptions')
  refuseGiven(options, DECIDED, 'of clientOptions is decided by this library: see url and prefix')
  refuseGiven(options, ['tls'], 'of clientOptions has no effect: write rediss:// in the URL')
  const { credentialsProvider, socket = {} } = options
  assertObject(socket, 'clientOptions.socket')
  refuseGiven(socket, DECIDED_SOCKET, 'of clientOptions.socket is decided by this library: see url')
  if (credentialsProvider !== undefined) {
    assertProvider(credentialsProvider)
    refuseGiven(options, ['username', 'password'], 'has no effect beside credentialsProvider')
  }
}

/** A provider of an unknown kind would be ignored, so that nobody is signed in. */
function assertProvider(provider: CredentialsProvider): void {
  assertObject(provider, 'clientOptions.credentialsProvider')
  const methods = Object.hasOwn(PROVIDER_METHODS, provider.type) ? PROVIDER_METHODS[provider.type] : undefined
  const kinds = Object.keys(PROVIDER_METHODS).join("' or '")
  if (methods === undefined)
    throw invalidOptions(`The type of clientOptions.credentialsProvider must be '${kinds}'`)
  const lacking = methods.find((name) => typeof provider[name as keyof CredentialsProvider] !== 'function')
  if (lacking !== undefined)
    throw invalidOptions(`clientOptions.credentialsProvider must have a method '${lacking}'`)
}

/**
 * Refuses a login in a URL beside a credentials provider, which would overrule it.
 * @throws CacheError `CACHE_INVALID_OPTIONS`
 */
export function assertOneLogin(addresses: readonly RedisAddress[], options: NodeRedisOptions): void {
  const { credentialsProvider } = options
  if (credentialsProvider !== undefined && addresses.some(({ password }) => password !== undefined)) {
    throw invalidOptions('The password in the URL has no effect beside clientOptions.credentialsProvider')
  }
}

/** A socket that receives nothing for this long, not even the replies to the pings, is closed. */
const SOCKET_TIMEOUT_MS = 15_000
const PING_INTERVAL_MS = 5_000

/**
 * The provider, whose failure is reported as one of its own. Otherwise it would look like one of the connection. Its
 * message is left out, since it may quote a secret.
 */
function named(provider: CredentialsProvider): CredentialsProvider {
  const answerOf = async <Answer>(ask: () => Promise<Answer>): Promise<Answer> => {
    try {
      return await ask()
    } catch (error) {
      throw unavailable(`credentialsProvider failed: ${detailOf(error)}`)
    }
  }
  if (provider.type === 'async-credentials-provider') {
    return { type: provider.type, credentials: () => answerOf(() => provider.credentials()) }
  }
  return {
    type: provider.type,
    subscribe: (listener) => answerOf(() => provider.subscribe(listener)),
    onReAuthenticationError: (error) => provider.onReAuthenticationError(error),
  }
}

/** The options of every connection: defaults, then the caller's options, then what this library decides. */
export function connectionOptions(
  options: NodeRedisOptions,
  { password, username }: Pick<RedisAddress, 'password' | 'username'>,
): NodeRedisOptions & { readonly disableOfflineQueue: true } {
  const { credentialsProvider } = options
  return {
    pingInterval: PING_INTERVAL_MS,
    maintNotifications: 'disabled',
    ...options,
    ...(credentialsProvider && { credentialsProvider: named(credentialsProvider) }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    disableOfflineQueue: true,
  }
}

/** The default timeouts of a socket, which the caller's options may override. */
export function socketBounds(connectTimeoutMs: number): {
  readonly connectTimeout: number
  readonly socketTimeout: number
} {
  return { connectTimeout: connectTimeoutMs, socketTimeout: SOCKET_TIMEOUT_MS }
}
