import { RedisClient, type RedisClientOptions, type RedisClientType } from '@redis/client'

/** No modules, functions, scripts or type mappings. */
type None = Record<never, never>

/** A client of `@redis/client` that serves one connection. */
export type ConnectionClient = RedisClientType<None, None, None, 3, None>

export type ConnectionClientOptions = Omit<RedisClientOptions<None, None, None, 3, None>, 'RESP'>

type Create = (options: ConnectionClientOptions) => ConnectionClient

const creators = new Map<2 | 3, Create>()

/**
 * Makes a client that is not connected yet, of one class for each protocol. `createClient()` would make a class for each
 * address, and take tens of milliseconds of CPU to give it all commands.
 */
export function connectionClient(protocol: 2 | 3, options: ConnectionClientOptions): ConnectionClient {
  let create = creators.get(protocol)
  if (create === undefined) {
    create = RedisClient.factory<None, None, None>({ RESP: protocol as 3 }) as Create
    creators.set(protocol, create)
  }
  return create({ ...options, RESP: protocol } as ConnectionClientOptions)
}
