import { RedisClient, type RedisClientOptions, type RedisClientType } from '@redis/client'

/** No modules, functions, scripts or type mappings. */
type None = Record<never, never>

/** A client of `@redis/client` that serves one connection. */
export type ConnectionClient = RedisClientType<None, None, None, 3, None>

export type ConnectionClientOptions = Omit<RedisClientOptions<None, None, None, 3, None>, 'RESP'>

/** The protocol of a connection: RESP3 with `CLIENT TRACKING`, RESP3, or RESP2. */
export type Dialect = 'tracked' | 'resp3' | 'resp2'

type Create = (options: ConnectionClientOptions) => ConnectionClient

const creators = new Map<2 | 3, Create>()

/**
 * Makes a client that is not connected yet, of one class for each protocol. `createClient()` would make a class for each
 * address, and take tens of milliseconds of CPU to give it all commands.
 */
export function connectionClient(dialect: Dialect, options: ConnectionClientOptions): ConnectionClient {
  const protocol = dialect === 'resp2' ? 2 : 3
  let create = creators.get(protocol)
  if (create === undefined) {
    create = RedisClient.factory<None, None, None>({ RESP: protocol as 3 }) as Create
    creators.set(protocol, create)
  }
  const all = { ...options, RESP: protocol, emitInvalidate: protocol === 3 }
  const client = create(all as ConnectionClientOptions)
  // The client reads this option when it is made, to emit what the server pushes, and again in its handshake, to turn
  // tracking on. So tracking can be turned on later, on a connection that is in use.
  all.emitInvalidate = dialect === 'tracked'
  return client
}
