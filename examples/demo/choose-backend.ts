import type { CacheBackend } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend } from 'cachewright/redis'
import { findRedisServer } from '../../testbed/find-redis-server.ts'
import { startStandalone } from '../../testbed/redis-standalone.ts'
import type { Answer } from './questions.ts'
import { RedisWindow } from './redis-window.ts'

/** Stands before every key of the demo: what else lies in the Redis stays untouched. */
export const PREFIX = 'cachewright-demo:'

/** A backend that is ready, and what goes with it. */
export interface ChosenBackend {
  readonly backend: CacheBackend<Answer>
  /** Where the cache lies, for people; without a password. */
  readonly place: string
  /** `undefined` where there is no Redis to look into. */
  readonly window: RedisWindow | undefined
  /** Closes what was opened, and stops the server if the demo started it. */
  close(): Promise<void>
}

/** A Redis that the user named, and by what: `--redis` or `REDIS_URL`. */
export interface NamedRedis {
  readonly url: string
  readonly by: string
}

/** `errors: 'throw'`: a demo without its cache has nothing to show. A service keeps the default and goes on. */
const OPTIONS = { prefix: PREFIX, serializer: 'json', errors: 'throw' } as const

/**
 * The Redis that the user named; else a server of the demo's own, if there is a program for it; else memory.
 * @throws CacheError where the named Redis cannot be used
 */
export async function chooseBackend(named: NamedRedis | undefined): Promise<ChosenBackend> {
  if (named !== undefined)
    return openRedis(named.url, (server, at) => `${server} at ${at}, named by ${named.by}`)
  if (findRedisServer() === undefined) return openMemory()
  const server = await startStandalone()
  try {
    const opened = await openRedis(
      server.url,
      (name, at) => `${name} at ${at}, which this demo started and will stop`,
    )
    return { ...opened, close: () => opened.close().then(() => server.stop()) }
  } catch (error) {
    await server.stop()
    throw error
  }
}

async function openRedis(
  url: string,
  describe: (server: string, at: string) => string,
): Promise<ChosenBackend> {
  const backend = new RedisCacheBackend<Answer>({ ...OPTIONS, url })
  let endpoint = ''
  backend.on('connect', (connected) => {
    endpoint = connected.endpoint
  })
  await backend.initialize()
  const window = await RedisWindow.open(url).catch(async (error: unknown) => {
    await backend.shutdown()
    throw error
  })
  return {
    backend,
    place: describe((await window.version()) ?? 'Redis', endpoint),
    window,
    close: async () => {
      window.close()
      await backend.shutdown()
    },
  }
}

async function openMemory(): Promise<ChosenBackend> {
  const backend = new MemoryCacheBackend<Answer>(OPTIONS)
  await backend.initialize()
  return {
    backend,
    place: 'the memory of this process, for there is no redis-server on the PATH and no --redis',
    window: undefined,
    close: () => backend.shutdown(),
  }
}
