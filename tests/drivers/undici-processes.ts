import { type Cache, type CreateCacheOptions, createCache } from 'cachewright'
import { Agent, type Dispatcher, interceptors, request } from 'undici'
import { onTestFinished } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { type Scene, useScene } from '../support/scene.ts'
import { type OriginServer, useOriginServer } from './origin-server.ts'
import { UndiciStore, type UndiciStoreOptions, type Variants } from './undici-store.ts'

/** An HTTP client with a cache of its own: a process, as far as Redis and the HTTP server can tell. */
interface HttpProcess {
  readonly cache: Cache
  readonly store: UndiciStore
  readonly dispatcher: Dispatcher
  fetch(path: string, options?: FetchOptions): Promise<Fetched>
  /** Whether the cache has responses to this path. */
  has(path: string): Promise<boolean>
  /** Waits until it has this many: a body arrives before it is stored. */
  stored(path: string, variants?: number): Promise<void>
}

interface FetchOptions {
  readonly method?: Dispatcher.HttpMethod
  readonly headers?: Record<string, string>
}

interface Fetched {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly text: string
}

/** Real servers, of Redis and of HTTP, and what talks to them. */
interface HttpScene {
  readonly scene: Scene
  readonly origin: OriginServer
  /** Opened for one test. */
  open(options?: CreateCacheOptions, bounds?: UndiciStoreOptions): HttpProcess
}

export function useHttpProcesses(): HttpScene {
  const scene = useScene()
  const origin = useOriginServer()
  return {
    scene,
    origin,
    open(options = {}, bounds) {
      const common = { prefix: 'http:', serializer: 'v8', isolate: 'share', commandTimeout: '10s' } as const
      const cache = createCache({ redis: scene.redis.url, ...common, ...options })
      const store = new UndiciStore(cache, bounds)
      const agent = new Agent()
      const dispatcher = agent.compose(interceptors.cache({ store, methods: ['GET', 'HEAD'] }))
      onTestFinished(async () => {
        await agent.destroy()
        await cache.shutdown()
      })
      return {
        cache,
        store,
        dispatcher,
        async fetch(path, { headers = {}, method = 'GET' } = {}) {
          const received = await request(origin.url + path, { dispatcher, headers, method })
          return {
            status: received.statusCode,
            headers: received.headers,
            text: await received.body.text(),
          }
        },
        has: (path) => cache.has(origin.url + path),
        stored: (path, variants = 1) =>
          waitUntil(async () => (await cache.get<Variants>(origin.url + path))?.length === variants, {
            what: `${path} to be stored`,
          }),
      }
    },
  }
}
