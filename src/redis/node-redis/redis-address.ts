import { CacheError } from '../../foundation/cache-error.ts'

/** The address of a Redis server and the credentials for it, as parsed from a URL. */
export interface RedisAddress {
  readonly socket:
    | { readonly host: string; readonly port: number; readonly tls: boolean }
    | { readonly path: string; readonly tls: false }
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
  /** `host:port` or the path of a socket, to be shown in events and errors; without credentials. */
  readonly endpoint: string
}

const DEFAULT_PORT = 6379

/**
 * Parses `redis://`, `rediss://` (TLS) and `unix://` URLs: `redis[s]://[[user]:password@]host[:port][/database]`,
 * `unix://[[user]:password@]/path[?db=database]`.
 * @throws CacheError `CACHE_INVALID_OPTIONS`; the message never repeats the URL, which may hold a password
 */
export function parseRedisUrl(url: string): RedisAddress {
  const parsed = typeof url === 'string' ? tryParse(url) : undefined
  if (parsed === undefined) throw invalid('it is not a URL')
  const isUnix = parsed.protocol === 'unix:'
  if (!isUnix && parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:') {
    throw invalid('its scheme must be redis:, rediss: or unix:')
  }
  const credentials = {
    username: parsed.username === '' ? undefined : decoded(parsed.username),
    password: parsed.password === '' ? undefined : decoded(parsed.password),
  }
  if (isUnix) {
    const path = decoded(parsed.pathname)
    if (path === '' || path === '/') throw invalid('a unix: URL needs the path of a socket')
    const database = databaseNumber(parsed.searchParams.get('db') ?? '')
    return { ...credentials, socket: { path, tls: false }, database, endpoint: path }
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1')
  if (host === '') throw invalid('it names no host')
  const port = parsed.port === '' ? DEFAULT_PORT : Number(parsed.port)
  return {
    ...credentials,
    socket: { host, port, tls: parsed.protocol === 'rediss:' },
    database: databaseNumber(parsed.pathname.slice(1)),
    endpoint: `${parsed.hostname}:${port}`,
  }
}

/**
 * Parses the URLs of the option `name`.
 * @throws CacheError `CACHE_INVALID_OPTIONS`, also if there is none
 */
export function parseRedisUrls(
  name: string,
  urls: readonly string[],
): readonly [RedisAddress, ...RedisAddress[]] {
  const [first, ...others] = Array.isArray(urls) ? (urls as readonly string[]).map(parseRedisUrl) : []
  if (first !== undefined) return [first, ...others]
  throw new CacheError('CACHE_INVALID_OPTIONS', `${name} must be an array of at least one URL`)
}

/** The WHATWG parser refuses a `unix:` URL with credentials and no host, so such a URL gets a host first. */
function tryParse(url: string): URL | undefined {
  try {
    return new URL(url.replace(/^(unix:\/\/[^/]*@)\//, '$1localhost/'))
  } catch {
    return undefined
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw invalid('it holds a malformed percent-encoding')
  }
}

function databaseNumber(text: string): number {
  if (text === '') return 0
  if (!/^\d{1,6}$/.test(text)) throw invalid('the database must be a whole number')
  return Number(text)
}

function invalid(reason: string): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', `The Redis URL is malformed: ${reason}`)
}
