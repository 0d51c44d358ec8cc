import { isReply, unavailable } from '../port/redis-errors.ts'
import { infoField } from '../port/server-info.ts'
import type { ConnectionClient, Dialect } from './connection-client.ts'
import { commandOptions, fromNodeRedis, isErrorReply } from './replies.ts'

/** The identity of a server, and of one connection on it. */
export interface ServerIdentity {
  /** The id of the connection (`CLIENT ID`); 0 if the user may not ask for it. */
  readonly clientId: number
  /** The server's `run_id`; `undefined` if the user may not ask for it. */
  readonly runId: string | undefined
  /** The server's `master_replid`; `undefined` if the user may not ask for it. */
  readonly replicationId: string | undefined
  /** The server's version; `''` if the user may not ask for it. */
  readonly version: string
}

/** The first version that never sends a push within another reply (redis/redis#11038). */
const FIRST_TRACKABLE_VERSION = [7, 0, 5] as const

/**
 * Asks for the identity of a server (`CLIENT ID`, `INFO`), and ends the previous connection if it was on the same
 * server process (`CLIENT KILL`): a command that was sent on it may not have been executed yet, and would run after
 * newer commands of the new connection.
 */
export async function identifyServer(
  client: ConnectionClient,
  previous: ServerIdentity | undefined,
): Promise<ServerIdentity> {
  const [clientId, info, replication] = await Promise.all([
    ask(client, ['CLIENT', 'ID']),
    ask(client, ['INFO', 'server']),
    ask(client, ['INFO', 'replication']),
  ])
  const identity: ServerIdentity = {
    clientId: Number(clientId ?? 0),
    runId: infoField(info, 'run_id'),
    replicationId: infoField(replication, 'master_replid'),
    version: infoField(info, 'redis_version') ?? '',
  }
  const isSameServer = previous?.runId !== undefined && previous.runId === identity.runId
  if (isSameServer && previous.clientId > 0) {
    await ask(client, ['CLIENT', 'KILL', 'ID', String(previous.clientId)])
  }
  return identity
}

/** Turns tracking on (`CLIENT TRACKING`) on a connection in use; `false` if its protocol or the user does not permit it. */
export async function turnTrackingOn(client: ConnectionClient): Promise<boolean> {
  return client.options?.RESP === 3 && (await ask(client, ['CLIENT', 'TRACKING', 'ON'])) !== undefined
}

/** Turns tracking off on a connection in use. */
export function turnTrackingOff(client: ConnectionClient): void {
  ask(client, ['CLIENT', 'TRACKING', 'OFF']).catch(() => {})
}

/** Whether this server's tracking can be used. A server whose version is not known is taken to be recent. */
export function isTrackable({ version }: Pick<ServerIdentity, 'version'>): boolean {
  const numbers = version.split('.').map(Number)
  for (const [index, least] of FIRST_TRACKABLE_VERSION.entries()) {
    const number = numbers[index] ?? 0
    if (version === '' || number > least) return true
    if (number < least) return false
  }
  return true
}

/**
 * The dialect to try after a handshake in `dialect` failed; `undefined` if the dialect was not the reason.
 *
 * Only an answer by which the server cannot do something, or the user may not, leads to a simpler dialect, since that is
 * used from then on. Whatever else a server answers (`-ERR max number of clients reached`, `-BUSY`, `-LOADING`,
 * `-MASTERDOWN`), it may do the same thing soon: then the attempt has failed, and the next one is made in this dialect.
 */
export function simplerDialect(dialect: Dialect, error: unknown): Dialect | undefined {
  if (!isErrorReply(error)) return undefined
  const failure = fromNodeRedis(error)
  const lacksHello = isReply(failure, 'NOPROTO') || /unknown command.*hello/i.test(error.message)
  if (lacksHello) return dialect === 'resp2' ? undefined : 'resp2'
  return dialect === 'tracked' && isRefusal(error) ? 'resp3' : undefined
}

/** What servers and proxies answer to a command, a subcommand or an option that they do not have. Redis has no code for it. */
const NOT_SUPPORTED =
  /unknown (sub)?command|syntax error|wrong number of arguments|unsupported|not (supported|available|allowed)/i

/** Whether an error reply means that the server cannot do what it was asked, or that the user may not ask for it. */
function isRefusal(error: Error): boolean {
  return isReply(fromNodeRedis(error), 'NOPERM') || NOT_SUPPORTED.test(error.message)
}

/** @throws CacheError `CACHE_UNAVAILABLE` if the server is a replica (`ROLE`) */
export async function assertPrimary(client: ConnectionClient): Promise<void> {
  const [role] = (await client.sendCommand(['ROLE'], commandOptions('text'))) as unknown as readonly string[]
  if (role !== 'master') throw unavailable('the server is a replica')
}

/** `undefined` if the server refuses: the user may lack the permission. Any other error fails the handshake. */
async function ask(client: ConnectionClient, command: string[]): Promise<unknown> {
  try {
    return await client.sendCommand(command, commandOptions('text'))
  } catch (error) {
    if (isErrorReply(error) && isRefusal(error)) return undefined
    throw error
  }
}
