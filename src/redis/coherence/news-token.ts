import { createHash } from 'node:crypto'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { PortConnection } from '../port/redis-port.ts'
import { timeUsIn } from '../port/time-reply.ts'

/** A server, and a time of its clock in microseconds. */
interface NewsOf {
  /** Names the life of a server, from a start or a promotion to the next. */
  readonly server: string
  readonly timeUs: number
}

const VERSION = '1'
/** Stands for a server whose life is not known; the name of none. */
const UNKNOWN = '--------'
const SERVER_LENGTH = 8
/** A cluster of a thousand nodes. */
const LONGEST_TOKEN = 20_000
const PART = /^([\w-]{8})([0-9a-z]{1,12})$/

/** What is known of a server on one connection. */
export interface ProvenConnection {
  /** Names the server's present life, see {@link serverName}; `undefined` if the user may not ask for it. */
  server: string | undefined
  /** Every invalidation that was pushed before this moment of the server's clock, in microseconds, has arrived. */
  provenUs: number
  /** Whether the server is being asked for another proof. */
  isProbed: boolean
}

/** A short name of a server's life that tells nobody its ids; `undefined` if that is not known. */
export function serverName(life: string | undefined): string | undefined {
  return life && createHash('sha256').update(life).digest('base64url').slice(0, SERVER_LENGTH)
}

/** The text of a token: a version, and a part for each server; letters, digits, `-`, `_` and `.` alone. */
function encodeToken(parts: readonly NewsOf[]): string {
  return [VERSION, ...parts.map(({ server, timeUs }) => server + timeUs.toString(36))].join('.')
}

/** `undefined` for a text that {@link encodeToken} has not made. */
function parseToken(token: string): readonly NewsOf[] | undefined {
  if (token.length > LONGEST_TOKEN) return undefined
  const [version, ...texts] = token.split('.')
  if (version !== VERSION || texts.length === 0) return undefined
  const parts: NewsOf[] = []
  for (const text of texts) {
    const [, server, time] = PART.exec(text) ?? []
    if (server === undefined || time === undefined) return undefined
    parts.push({ server, timeUs: Number.parseInt(time, 36) })
  }
  return parts
}

/**
 * A token of this moment. A server that may not be asked for its ids is never proven.
 * @throws CacheError if there is no connection, or one of them fails
 */
export async function markOf(connections: ReadonlyMap<PortConnection, ProvenConnection>): Promise<string> {
  if (connections.size === 0) throw new CacheError('CACHE_UNAVAILABLE', 'There is no connection to Redis')
  const parts = await Promise.all(
    Array.from(connections, async ([connection, { server = UNKNOWN }]) => {
      return { server, timeUs: timeUsIn(await connection.send(['TIME'], 'text')) }
    }),
  )
  return encodeToken(parts)
}

/**
 * Whether all that was pushed before a token was made has arrived.
 * @param probe asks a server for another proof; called for those whose last one is too old
 */
export function isProven(
  token: string,
  connections: ReadonlyMap<PortConnection, ProvenConnection>,
  probe: (connection: PortConnection) => void,
): boolean {
  const parts = parseToken(token)
  if (parts === undefined) return false
  const servers = new Map<string, readonly [PortConnection, ProvenConnection]>()
  for (const [connection, state] of connections) {
    if (state.server !== undefined) servers.set(state.server, [connection, state])
  }
  let isComplete = true
  for (const { server, timeUs } of parts) {
    const [connection, state] = servers.get(server) ?? []
    if (state !== undefined && state.provenUs > timeUs) continue
    isComplete = false
    if (connection !== undefined && state?.isProbed === false) probe(connection)
  }
  return isComplete
}

/**
 * Names a server from a start or a promotion to the next; `undefined` if the user may not ask for it.
 * @param replicationId the present one, if it is not that of the beginning of the connection
 */
export function lifeOf(
  { replicationId: first, runId }: PortConnection,
  replicationId: string | undefined = first,
): string | undefined {
  return runId === undefined ? undefined : `${runId} ${replicationId}`
}
