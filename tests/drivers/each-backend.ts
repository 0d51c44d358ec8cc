import type { BackendOptions, CacheBackend } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend } from 'cachewright/redis'
import { afterAll, beforeAll, describe } from 'vitest'
import { useScene } from '../support/scene.ts'

/** What a suite gets within its `describe`. Both functions are for hooks and tests: the server runs by then. */
export interface Place<T> {
  /** The backend that all tests share. */
  readonly backend: () => CacheBackend<T>
  /** One more. */
  readonly open: () => CacheBackend<T>
  /** Whether all of them have the same data, as over Redis. In memory each has its own. */
  readonly isShared: boolean
}

/**
 * Runs a suite over Redis, and over memory. Nothing but the driver itself removes what its tests have stored. Failures
 * reject, since each library has its own way to deal with those of its driver.
 */
export function describeOnEachBackend<T>(
  driverOptions: BackendOptions,
  register: (place: Place<T>) => void,
): void {
  const options: BackendOptions = { errors: 'throw', ...driverOptions }
  const scene = useScene({ flush: false })
  const create = {
    Redis: () => new RedisCacheBackend<T>({ ...options, url: scene.redis.url, commandTimeout: '10s' }),
    memory: () => new MemoryCacheBackend<T>(options),
  }
  for (const [name, open] of Object.entries(create)) {
    describe(`over ${name}`, () => {
      const opened: CacheBackend<T>[] = []
      let shared: CacheBackend<T>
      const place: Place<T> = {
        isShared: name === 'Redis',
        backend: () => shared,
        open() {
          const backend = open()
          opened.push(backend)
          return backend
        },
      }
      beforeAll(() => {
        shared = place.open()
      })
      afterAll(() => Promise.all(opened.map((backend) => backend.shutdown())))
      register(place)
    })
  }
}
