import {
  assertOptions,
  invalidOptions,
  type KnownOptions,
  type OptionNames,
} from '../../foundation/option-checks.ts'
import { detailOf, unavailable } from '../port/redis-errors.ts'
import { connectionClient } from './connection-client.ts'
import { parseRedisUrls, type RedisAddress } from './redis-address.ts'
import { commandOptions } from './replies.ts'

/** A primary that Sentinels monitor. */
export interface SentinelOptions {
  /** The name under which the sentinels know the primary (`sentinel monitor NAME …`). */
  readonly name: string
  /** URLs of the sentinels. Credentials in them are used for the sentinels only. */
  readonly nodes: readonly string[]
}

const KNOWN: KnownOptions = {
  of: 'sentinel',
  names: { name: 'value', nodes: 'value' } satisfies OptionNames<SentinelOptions>,
}

/** Bounds the connect and the silence of one sentinel. */
const SENTINEL_TIMEOUT_MS = 1_000

/**
 * A function that asks the sentinels, one after the other, for the address of the primary
 * (`SENTINEL GET-MASTER-ADDR-BY-NAME`), as the Sentinel client specification describes. The sentinel that answered is
 * asked first the next time.
 * @throws CacheError `CACHE_INVALID_OPTIONS`; the function rejects with `CACHE_UNAVAILABLE` if no sentinel knows the
 * primary
 */
export function sentinelLocator(options: SentinelOptions): (signal: AbortSignal) => Promise<RedisAddress> {
  assertOptions(options, KNOWN)
  const { name } = options
  if (typeof name !== 'string' || name === '') {
    throw invalidOptions('sentinel.name must be the name under which the sentinels know the primary')
  }
  let sentinels: readonly RedisAddress[] = parseRedisUrls('sentinel.nodes', options.nodes)
  return async (signal) => {
    const failures: string[] = []
    for (const sentinel of sentinels) {
      if (signal.aborted) break
      try {
        const primary = await askSentinel(sentinel, name, signal)
        sentinels = [sentinel, ...sentinels.filter((other) => other !== sentinel)]
        return primary
      } catch (error) {
        failures.push(`${sentinel.endpoint}: ${detailOf(error)}`)
      }
    }
    throw unavailable(`no sentinel knows the primary; ${failures.join(', ')}`)
  }
}

async function askSentinel(sentinel: RedisAddress, name: string, signal: AbortSignal): Promise<RedisAddress> {
  const client = connectionClient('resp3', {
    ...(sentinel.username === undefined ? {} : { username: sentinel.username }),
    ...(sentinel.password === undefined ? {} : { password: sentinel.password }),
    disableClientInfo: true,
    maintNotifications: 'disabled',
    socket: {
      ...sentinel.socket,
      connectTimeout: SENTINEL_TIMEOUT_MS,
      socketTimeout: SENTINEL_TIMEOUT_MS,
      reconnectStrategy: false,
    } as never,
  })
  client.on('error', () => {})
  const abort = () => client.destroy()
  signal.addEventListener('abort', abort)
  try {
    await client.connect()
    const command = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name]
    const reply = (await client.sendCommand(command, commandOptions('text'))) as unknown as
      | readonly [string, string]
      | null
    if (reply === null) throw unavailable('the sentinel does not know this name')
    const [host, port] = reply
    return {
      socket: { host, port: Number(port), tls: false },
      username: undefined,
      password: undefined,
      database: 0,
      endpoint: `${host}:${port}`,
    }
  } finally {
    signal.removeEventListener('abort', abort)
    client.destroy()
  }
}
