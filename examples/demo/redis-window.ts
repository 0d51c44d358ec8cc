import { createClient } from '@redis/client'

/** How often a server has executed each command, by its name in lower case. */
export type CommandCounts = ReadonlyMap<string, number>

/**
 * Looks at the server past the cache, as `redis-cli` would, so that the demo can show what is really there.
 * What the server does not allow to see is `undefined`.
 */
export class RedisWindow {
  readonly #client: ReturnType<typeof createClient>

  private constructor(url: string) {
    this.#client = createClient({ ...connectionOf(url), disableOfflineQueue: true })
    this.#client.on('error', () => {}) // the question that was under way rejects, too
  }

  static async open(url: string): Promise<RedisWindow> {
    const window = new RedisWindow(url)
    await window.#client.connect()
    return window
  }

  /** The name and version of the server: `Redis 7.2.4`. */
  async version(): Promise<string | undefined> {
    const info = (await this.#ask('INFO', 'server')) ?? ''
    const [, valkey] = /^valkey_version:(.+?)\r?$/m.exec(String(info)) ?? []
    const [, redis] = /^redis_version:(.+?)\r?$/m.exec(String(info)) ?? []
    return valkey === undefined ? redis && `Redis ${redis}` : `Valkey ${valkey}`
  }

  async commandCounts(): Promise<CommandCounts | undefined> {
    const info = await this.#ask('INFO', 'commandstats')
    if (info === undefined) return undefined
    const lines = String(info).matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)
    return new Map(Array.from(lines, ([, name = '', calls]) => [name, Number(calls)]))
  }

  /** What `MEMORY USAGE` says: the key, the value and what Redis needs to keep them. */
  async memoryUsage(key: string): Promise<number | undefined> {
    const size = await this.#ask('MEMORY', 'USAGE', key)
    return size === undefined || size === null ? undefined : Number(size)
  }

  async type(key: string): Promise<string | undefined> {
    const type = await this.#ask('TYPE', key)
    return type === undefined ? undefined : String(type)
  }

  /** The bytes of a string, read as UTF-8. */
  async text(key: string): Promise<string | undefined> {
    const text = await this.#ask('GET', key)
    return typeof text === 'string' ? text : undefined
  }

  close(): void {
    this.#client.destroy()
  }

  async #ask(...command: readonly string[]): Promise<unknown> {
    try {
      return await this.#client.sendCommand(command)
    } catch {
      return undefined
    }
  }
}

/** The client reads `redis:` and `rediss:` URLs itself, but none that name a Unix socket. */
function connectionOf(url: string): NonNullable<Parameters<typeof createClient>[0]> {
  if (!url.startsWith('unix:')) return { url, socket: { reconnectStrategy: false } }
  const { pathname, username, password, searchParams } = new URL(
    url.replace(/^(unix:\/\/[^/]*@)\//, '$1localhost/'),
  )
  return {
    socket: { path: decodeURIComponent(pathname), tls: false, reconnectStrategy: false },
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    database: Number(searchParams.get('db') ?? 0),
  }
}
