import { abbreviate, CacheError } from '../../foundation/errors/cache-error.ts'
import { kindOf } from '../../foundation/errors/shown-value.ts'

/** The address of a Redis server and the credentials for it, as parsed from a URL. */
export interface RedisAddress {
  readonly socket: ({ readonly host: string; readonly port: number } | { readonly path: string }) & {
    /** Whether the connection is encrypted. */
    readonly tls: boolean
  }
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
  /** `host:port` or the path of a socket, to be shown in events and errors; without credentials. */
  readonly endpoint: string
}

const DEFAULT_PORT = 6379

/** Whether a scheme means TLS. Valkey's own schemes mean the same as those of Redis. */
const SCHEMES: ReadonlyMap<string, boolean> = new Map([
  ['redis', false],
  ['valkey', false],
  ['rediss', true],
  ['valkeys', true],
  ['unix', false],
])

/** The parts of a URL (RFC 3986): scheme, user information, host and port, path, query. */
const PARTS = /^([a-z]+):\/\/(?:([^/?@]*)@)?([^/?@]*)([^?]*)(?:\?(.*))?$/i

/**
 * Parses `redis://`, `rediss://` (TLS) and `unix://` URLs: `redis[s]://[[user]:password@]host[:port][/database]`,
 * `unix://[[user]:password@]/path[?db=database]`. `valkey://` is `redis://`, `valkeys://` is `rediss://`, and `?db=`
 * names a database in any of them. Whatever else is in a URL is refused, since it would be ignored otherwise.
 * @throws CacheError `CACHE_INVALID_OPTIONS`; the message never repeats the URL, which may hold a password
 */
export function parseRedisUrl(url: string): RedisAddress {
  const text = typeof url === 'string' ? url.trim() : ''
  if (text.includes('#')) throw misplaced('#', '%23')
  if (/\s/.test(text)) throw invalid('it contains white space')
  const [, scheme = '', login = '', place = '', path = '', query] = PARTS.exec(text) ?? []
  // Past the host, an @ can only come from a password that holds one, or a / or ? before it.
  if (`${path}${query}`.includes('@') || (scheme === '' && text.includes('@'))) throw misplaced('@', '%40')
  const tls = SCHEMES.get(scheme.toLowerCase())
  if (tls === undefined)
    throw invalid('it must begin with redis://, rediss://, valkey://, valkeys:// or unix://')
  const credentials = credentialsOf(login)
  if (scheme.toLowerCase() === 'unix') {
    const socketPath = decoded(path)
    if (place !== '' || socketPath === '' || socketPath === '/') {
      throw invalid('a unix:// URL needs the path of a socket')
    }
    const socket = { path: socketPath, tls: false }
    return { ...credentials, socket, database: databaseIn('', query), endpoint: socketPath }
  }
  const { host, hostname, port } = hostOf(place)
  return {
    ...credentials,
    socket: { host, port, tls },
    database: databaseIn(path.slice(1), query),
    endpoint: `${hostname}:${port}`,
  }
}

/**
 * Parses the URLs of the option `name`, which lead to servers of one kind: all with TLS, or all without.
 * @throws CacheError `CACHE_INVALID_OPTIONS`, also if there is none, or if one names a database
 */
export function parseRedisUrls(
  name: string,
  urls: readonly string[],
): readonly [RedisAddress, ...RedisAddress[]] {
  const addresses = Array.isArray(urls) ? (urls as readonly string[]).map(parseRedisUrl) : []
  if (addresses.some(({ database }) => database !== 0)) throw invalid(`no database can be chosen in ${name}`)
  const [first, ...others] = addresses
  if (others.some(({ socket }) => socket.tls !== first?.socket.tls)) {
    throw invalid(`${name} mixes URLs with and without TLS. Write rediss:// in all of them, or in none`)
  }
  if (first !== undefined) return [first, ...others]
  throw new CacheError(
    'CACHE_INVALID_OPTIONS',
    `${name} must be an array of at least one URL, not ${kindOf(urls)}`,
  )
}

function credentialsOf(login: string): Pick<RedisAddress, 'password' | 'username'> {
  const colon = login.indexOf(':')
  const [username, password] = colon === -1 ? [login, ''] : [login.slice(0, colon), login.slice(colon + 1)]
  if (username !== '' && password === '') {
    throw invalid(
      'it names a user without a password, so nobody would be signed in. Write user:password@ or :password@, or give username and password in clientOptions',
    )
  }
  return {
    username: username === '' ? undefined : decoded(username),
    password: password === '' ? undefined : decoded(password),
  }
}

/** The WHATWG parser knows the forms of hosts and the range of ports. */
function hostOf(place: string): { readonly host: string; readonly hostname: string; readonly port: number } {
  let parsed: URL
  try {
    parsed = new URL(`redis://${place}`)
  } catch {
    throw invalid('its host or port is malformed; a password needs an @ behind it')
  }
  const { hostname, port } = parsed
  if (hostname === '') throw invalid('it names no host')
  // The parser of a scheme that it does not know escapes what no host name may contain.
  if (hostname.includes('%'))
    throw invalid('its host is malformed; write an international name in its ASCII form')
  if (port === '0') throw invalid('its port is 0')
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    hostname,
    port: port === '' ? DEFAULT_PORT : Number(port),
  }
}

/** The number of the database, which the path or the parameter `db` may name. */
function databaseIn(path: string, query: string | undefined): number {
  const parameters = [...new URLSearchParams(query)]
  for (const [name] of parameters) {
    if (name !== 'db') throw invalid(`its parameter '${abbreviate(name)}' is not known, only db is`)
  }
  const [named, ...more] = [path, ...parameters.map(([, value]) => value)].filter((text) => text !== '')
  if (more.length > 0) throw invalid('it names the database twice')
  if (named === undefined) return 0
  if (!/^\d{1,6}$/.test(named)) {
    throw invalid(`the database must be a whole number; write a / in a password as %2F, and a ? as %3F`)
  }
  return Number(named)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw invalid('it contains a malformed percent-encoding; write a % in a password as %25')
  }
}

/** A character that has a meaning of its own in a URL, and was probably meant as a part of the password. */
function misplaced(character: string, encoded: string): CacheError {
  return invalid(
    `it contains a ${character} out of place. In a user name or password, write ${character} as ${encoded} (and / ? # @ : % as %2F %3F %23 %40 %3A %25)`,
  )
}

function invalid(reason: string): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', `The Redis URL is malformed: ${reason}`)
}
