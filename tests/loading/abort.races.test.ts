import { type Cache, createCache, type LoadContext } from 'cachewright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { deferred } from '../support/loaders.ts'
import { trials } from '../support/trials.ts'

/** Well below the five seconds of a lease that is never released. */
const PROMPTLY_MS = 1_000

let redis: Standalone
let cache: Cache
let other: Cache

beforeAll(async () => {
  redis = await startStandalone()
  cache = createCache({ redis: redis.url, prefix: 'abort:' })
  other = createCache({ redis: redis.url, prefix: 'abort:' })
  await Promise.all([cache.initialize(), other.initialize()])
})

afterAll(async () => {
  await Promise.all([cache.shutdown(), other.shutdown()])
  await redis.stop()
})

const isGone = (key: string) =>
  waitUntil(async () => (await redis.ask('EXISTS', `abort:${key}`)) === 0, {
    what: `${key} to be gone`,
    timeoutMs: PROMPTLY_MS,
  })

/** A load that has begun, and ends when it is told, or as its signal says. */
function heldLoad() {
  const began = deferred<LoadContext>()
  const mayEnd = deferred<string>()
  const load = (context: LoadContext) => {
    began.resolve(context)
    return new Promise<string>((resolve, reject) => {
      void mayEnd.promise.then(resolve)
      context.signal.addEventListener('abort', () => reject(context.signal.reason))
    })
  }
  return { load, began: began.promise, end: mayEnd.resolve }
}

describe('an AbortSignal', () => {
  test('detaches only its own caller, with its own reason', async () => {
    const held = heldLoad()
    const controller = new AbortController()
    const leaving = cache.getOrSet('shared', held.load, { signal: controller.signal })
    const staying = cache.getOrSet('shared', held.load)
    const { signal } = await held.began
    const reason = new Error('the request was cancelled')
    controller.abort(reason)
    await expect(leaving).rejects.toBe(reason)
    expect(signal.aborted).toBe(false)
    held.end('value')
    expect(await staying).toBe('value')
    expect(await other.get('shared')).toBe('value')
  })

  test('that aborts in the tick in which others join the load does not end the load for them', async () => {
    const controller = new AbortController()
    const load = async () => 'value'
    const leaving = cache.getOrSet('joined', load, { signal: controller.signal })
    const staying = cache.getOrSet('joined', load)
    controller.abort('gone')
    await expect(leaving).rejects.toBe('gone')
    expect(await staying).toBe('value')
  })

  test('that is already aborted rejects the call with its reason, even on a hit, and loads nothing', async () => {
    await cache.set('present', 1)
    const signal = AbortSignal.abort('too late')
    let loads = 0
    for (const key of ['present', 'absent'])
      await expect(cache.getOrSet(key, () => ++loads, { signal })).rejects.toBe('too late')
    expect(loads).toBe(0)
  })

  test('aborts the loader and releases the lease once the last caller has left; the next caller loads anew', async () => {
    const held = heldLoad()
    const controllers = [new AbortController(), new AbortController()] as const
    const calls = controllers.map(({ signal }) => cache.getOrSet('left', held.load, { signal }))
    const { signal } = await held.began
    controllers[0].abort('one')
    await expect(calls[0]).rejects.toBe('one')
    expect(signal.aborted).toBe(false)
    controllers[1].abort('two')
    await expect(calls[1]).rejects.toBe('two')
    expect(signal.aborted).toBe(true)
    const beganMs = performance.now()
    expect(await cache.getOrSet('left', () => 'anew')).toBe('anew')
    expect(performance.now() - beganMs).toBeLessThan(PROMPTLY_MS)
    expect(await other.get('left')).toBe('anew')
  })

  test('leaves no lease in Redis, even if no caller follows', async () => {
    const held = heldLoad()
    const controller = new AbortController()
    const call = cache.getOrSet('forsaken', held.load, { signal: controller.signal })
    await held.began
    expect(await redis.ask('EXISTS', 'abort:forsaken')).toBe(1)
    controller.abort('gone')
    await expect(call).rejects.toBe('gone')
    await isGone('forsaken')
  })

  test('releases the lease even if the loader ignores it: neither process waits, and the late value is not stored', async () => {
    for (const [who, next] of [cache, other].entries()) {
      const key = `deaf-${who}`
      const began = deferred()
      const mayEnd = deferred<string>()
      const controller = new AbortController()
      const call = cache.getOrSet(
        key,
        () => {
          began.resolve()
          return mayEnd.promise
        },
        { signal: controller.signal },
      )
      await began.promise
      controller.abort('gone')
      await expect(call).rejects.toBe('gone')
      const beganMs = performance.now()
      const late = setTimeout(() => mayEnd.resolve('late'), 2 * PROMPTLY_MS)
      expect(await next.getOrSet(key, () => 'anew')).toBe('anew')
      clearTimeout(late)
      expect(performance.now() - beganMs).toBeLessThan(PROMPTLY_MS)
      mayEnd.resolve('late')
      await new Promise(setImmediate)
      expect(await cache.get(key, { local: false })).toBe('anew')
    }
  })

  test('at any moment of a load leaves nothing behind that keeps the next caller waiting', async () => {
    const trial = async (number: number) => {
      const key = `any-${number}`
      const load = async ({ signal }: LoadContext) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
        signal.throwIfAborted()
        return 'value'
      }
      const controller = new AbortController()
      const call = cache.getOrSet(key, load, { signal: controller.signal })
      setTimeout(() => controller.abort('gone'), Math.random() * 40)
      const outcome = await call.catch((error: unknown) => error)
      expect(['value', 'gone']).toContain(outcome)
      const beganMs = performance.now()
      expect(await other.getOrSet(key, () => 'value')).toBe('value')
      expect(performance.now() - beganMs).toBeLessThan(PROMPTLY_MS)
    }
    for (let batch = 0; batch < trials(2, 20); batch++)
      await Promise.all(Array.from({ length: 50 }, (_, index) => trial(batch * 50 + index)))
  })
})
