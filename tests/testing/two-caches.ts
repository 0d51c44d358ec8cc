import assert from 'node:assert/strict'
import { type Cache, createCache, type ReadThroughOptions } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { beforeEach } from 'vitest'

/** Deadline of a command. */
export const TIMEOUT_MS = 1_000

// Set anew before each test.
export let clock: ManualClock
export let redis: SimulatedRedis
export let one: Cache
export let two: Cache
/** The codes of the errors that they have told of. */
export let errors: string[]

export function open(options: ReadThroughOptions = {}): Cache {
  const cache = createCache({ backend: redis.backend({ prefix: 'shop:' }), clock, ttl: '5m', ...options })
  cache.on('error', ({ error }) => errors.push(error.code))
  return cache
}

/** Shuts one of the two down, and opens another in its place. */
export async function reopen(name: 'one' | 'two', options: ReadThroughOptions = {}): Promise<void> {
  if (name === 'one') {
    await one.shutdown()
    one = open(options)
  } else {
    await two.shutdown()
    two = open(options)
  }
}

/** Has both caches keep the value. */
export async function warm(key: string, value: unknown): Promise<void> {
  await one.getOrSet(key, () => value)
  await two.getOrSet(key, () => value)
  assert.equal(one.peek(key), value)
  assert.equal(two.peek(key), value)
}

/** What a call comes to, and how many milliseconds it takes; time passes until it has. */
export async function timed<T>(call: Promise<T>): Promise<{ readonly value: T; readonly tookMs: number }> {
  const beganMs = clock.monotonicMs()
  let isSettled = false
  const settled = call.finally(() => {
    isSettled = true
  })
  settled.catch(() => {})
  await clock.settle()
  while (!isSettled && clock.monotonicMs() - beganMs < 60_000) await clock.advance('1ms')
  return { value: await settled, tookMs: clock.monotonicMs() - beganMs }
}

/** Gives each test of the file a clock, a simulated Redis, and the two caches on it. */
export function useTwoCaches(): void {
  beforeEach(() => {
    clock = new ManualClock()
    redis = new SimulatedRedis({ clock, commandTimeout: `${TIMEOUT_MS}ms` })
    errors = []
    one = open()
    two = open()
  })
}
