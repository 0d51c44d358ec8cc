import type { createClient } from '@redis/client'
import { isReply, unavailable } from '../port/redis-errors.ts'
import { commandOptions, fromNodeRedis, isErrorReply } from './replies.ts'

type Client = ReturnType<typeof createClient>

/** What a connection speaks: RESP3 with pushes for keys that change (`CLIENT TRACKING`), RESP3, or RESP2. */
export type Dialect = 'tracked' | 'resp3' | 'resp2'

/** What a server says of itself and of the connection to it. */
export interface Greeting {
  readonly clientId: number
  readonly runId: string | undefined
  /** `''` where it may not be asked. */
  readonly version: string
}

/** From this version on a push never comes in the middle of another reply (redis/redis#11038). */
const FIRST_TRACKABLE_VERSION = [7, 0, 5] as const

/**
 * Asks who the server is, and ends the connection that went before on it: a command that was sent on that one
 * may still wait to be executed, and would come after newer ones of this.
 */
export async function greet(client: Client, previous: Greeting | undefined): Promise<Greeting> {
  const [clientId, info] = await Promise.all([ask(client, ['CLIENT', 'ID']), ask(client, ['INFO', 'server'])])
  const greeting: Greeting = {
    clientId: Number(clientId ?? 0),
    runId: /^run_id:(\S+)/m.exec(String(info))?.[1],
    version: /^redis_version:(\S+)/m.exec(String(info))?.[1] ?? '',
  }
  if (previous !== undefined && previous.runId !== undefined && previous.runId === greeting.runId) {
    await ask(client, ['CLIENT', 'KILL', 'ID', String(previous.clientId)])
  }
  return greeting
}

/** Whether what is read on this server can be tracked; one that may not be asked is taken at its word. */
export function isTrackable({ version }: Greeting): boolean {
  const numbers = version.split('.').map(Number)
  for (const [index, least] of FIRST_TRACKABLE_VERSION.entries()) {
    const number = numbers[index] ?? 0
    if (version === '' || number > least) return true
    if (number < least) return false
  }
  return true
}

/** The dialect to try after a handshake in `dialect` was refused; `undefined` where that was not for its sake. */
export function simplerDialect(dialect: Dialect, error: unknown): Dialect | undefined {
  if (!isErrorReply(error)) return undefined
  const failure = fromNodeRedis(error)
  if (['NOAUTH', 'WRONGPASS', 'LOADING'].some((code) => isReply(failure, code))) return undefined
  const knowsNoHello = isReply(failure, 'NOPROTO') || /unknown command.*hello/i.test(error.message)
  if (knowsNoHello) return dialect === 'resp2' ? undefined : 'resp2'
  return dialect === 'tracked' ? 'resp3' : undefined
}

/** @throws CacheError where the server is a replica */
export async function assertPrimary(client: Client): Promise<void> {
  const [role] = (await client.sendCommand(['ROLE'], commandOptions('text'))) as unknown as readonly string[]
  if (role !== 'master') throw unavailable('the server is a replica')
}

/** What a user may not ask is not known. */
async function ask(client: Client, command: string[]): Promise<unknown> {
  try {
    return await client.sendCommand(command, commandOptions('text'))
  } catch (error) {
    if (isErrorReply(error)) return undefined
    throw error
  }
}
