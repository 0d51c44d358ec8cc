import { createClient, type RedisClientOptions, type RedisClientType } from '@redis/client'

/** No modules, functions, scripts or type mappings. */
type None = Record<never, never>

/** A client of `@redis/client` that serves one connection. */
export type ConnectionClient = RedisClientType<None, None, None, 3, None>

export type ConnectionClientOptions = RedisClientOptions<None, None, None, 3, None>

/** A client that is not connected yet. Names every type argument: the compiler takes seconds to infer them. */
export function connectionClient(options: ConnectionClientOptions): ConnectionClient {
  return createClient<None, None, None, 3, None>(options)
}
