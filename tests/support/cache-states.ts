import type { Cache, Namespace } from 'cachewright'
import { expect } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'

/** Far above the deadline, since the machine may be busy, and far below "for ever". */
export const SETTLED_WITHIN_MS = 2_500
/** Under the prefix, where the generation of the whole cache lies. */
export const NAMESPACE_KEY = '\0namespace'

/** Loads the key until this process keeps it: a mode may change, or the clock be unknown, just after connecting. */
export async function warmed(
  cache: Namespace,
  key: string,
  load: () => unknown = () => 'loaded',
): Promise<void> {
  await waitUntil(
    async () => {
      await cache.getOrSet(key, load)
      return cache.peek(key) !== undefined
    },
    { what: `a local copy of ${key}` },
  )
}

/** Resolves when this process holds nothing of the key any more. */
export function dropped(cache: Namespace, key: string): Promise<void> {
  return waitUntil(() => cache.peek(key) === undefined, { what: `the local copy of ${key} to go` })
}

/** Resolves when the cache works in this mode. */
export async function inMode(cache: Cache, mode: Cache['coherence']): Promise<void> {
  await cache.initialize()
  await waitUntil(() => cache.coherence === mode, { what: `the mode '${mode}'` })
}

/** Runs the call, and expects it to settle in time. */
export async function inTime<T>(call: Promise<T>, boundMs = SETTLED_WITHIN_MS): Promise<T> {
  const startMs = performance.now()
  try {
    return await call
  } finally {
    expect(performance.now() - startMs).toBeLessThan(boundMs)
  }
}

/** Milliseconds until a value that is loaded is found again without loading: the first hit. */
export async function firstHitMs(cache: Cache, key = 'first-hit'): Promise<number> {
  const startMs = performance.now()
  await waitUntil(
    async () => {
      let loads = 0
      const load = () => ++loads
      await cache.getOrSet(key, load)
      const before = loads
      await cache.getOrSet(key, load)
      return loads === before
    },
    { what: 'the first hit' },
  )
  return performance.now() - startMs
}

/** Resolves after this long: only where time itself is what is tested. */
export function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
