import { type Cache, type CreateCacheOptions, createCache } from 'cachewright'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { type Standalone, type StandaloneOptions, startStandalone } from '../../testbed/redis-standalone.ts'

/** One real Redis, emptied before each test, and caches that are shut down after it. */
export interface Scene {
  readonly redis: Standalone
  /** A process of its own, as far as a cache can tell. */
  open(options?: CreateCacheOptions): Promise<Cache>
}

export function useScene(options: StandaloneOptions = {}): Scene {
  let redis: Standalone | undefined
  const caches: Cache[] = []
  beforeAll(async () => {
    redis = await startStandalone(options)
  })
  beforeEach(() => redis?.ask('FLUSHALL'))
  afterEach(async () => {
    redis?.resume()
    await Promise.all(caches.splice(0).map((cache) => cache.shutdown()))
  })
  afterAll(() => redis?.stop())
  return {
    get redis() {
      return redis as Standalone
    },
    async open(cacheOptions = {}) {
      const cache = createCache({
        redis: (redis as Standalone).url,
        prefix: 'shop:',
        ttl: '5m',
        timeout: '10s',
        ...cacheOptions,
      })
      caches.push(cache)
      await cache.initialize()
      return cache
    },
  }
}

/** A loader whose end the test decides. */
export function heldLoader<T>(value: T): {
  readonly load: () => Promise<T>
  readonly begun: Promise<void>
  release(): void
  fail(error: Error): void
} {
  const begun = deferred<void>()
  const held = deferred<T>()
  return {
    load() {
      begun.resolve()
      return held.promise
    },
    begun: begun.promise,
    release: () => held.resolve(value),
    fail: (error) => held.reject(error),
  }
}

/** A promise that the test settles. */
export function deferred<T = void>(): {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
} {
  let resolve: (value: T) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
