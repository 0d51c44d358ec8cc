import { createCache } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { expect, test } from 'vitest'

const hang = () => new Promise<never>(() => {})

test('a hung refresh blocks the next refresh for at most longestLoad', async () => {
  const clock = new ManualClock()
  await using cache = createCache({
    clock,
    ttl: '1s',
    staleWhileRevalidate: '1h',
    lease: { longestLoad: '10s' },
  })
  await cache.getOrSet('k', () => 'old')
  await clock.advance('2s')
  expect(await cache.getOrSet('k', hang)).toBe('old')
  await clock.advance('9s')
  expect(await cache.getOrSet('k', () => 'too early')).toBe('old')
  await clock.advance('2s')
  await cache.idle()
  expect(await cache.getOrSet('k', () => 'new')).toBe('old')
  await clock.settle()
  expect(await cache.getOrSet('k', () => 'unused')).toBe('new')
})

test('a hung early refresh blocks the next refresh for at most longestLoad', async () => {
  const clock = new ManualClock()
  await using cache = createCache({
    clock,
    ttl: '1h',
    earlyRefresh: { beta: 1e12 },
    lease: { longestLoad: '10s' },
  })
  const first = cache.getOrSet('k', () => new Promise((resolve) => clock.after(100, () => resolve('old'))))
  await clock.advance('1s')
  expect(await first).toBe('old')
  expect(await cache.getOrSet('k', hang)).toBe('old')
  await clock.advance('11s')
  expect(await cache.getOrSet('k', () => 'new')).toBe('old')
  await clock.settle()
  expect(cache.peek('k')).toBe('new')
})

test('a hung loader that callers keep joining is abandoned after longestLoad', async () => {
  const clock = new ManualClock()
  await using cache = createCache({ clock, hardTimeout: '1s', lease: { longestLoad: '10s' } })
  let loads = 0
  const answers: unknown[] = []
  // At every moment some caller is still waiting.
  for (let call = 0; call < 30; call++) {
    cache
      .getOrSet('k', () => (++loads === 1 ? hang() : `load ${loads}`))
      .then(
        (value) => answers.push(value),
        (error) => answers.push(error.code),
      )
    await clock.advance('500ms')
  }
  expect(loads).toBe(2)
  expect(answers.at(-1)).toBe('load 2')
  expect(answers.filter((answer) => answer === 'CACHE_LOADER_TIMEOUT')).toHaveLength(20)
})

test('a hung loader behind a stale answer holds up idle() for at most longestLoad', async () => {
  const clock = new ManualClock()
  await using cache = createCache({
    ...{ clock, ttl: '1s', staleIfError: '1h', softTimeout: '100ms', lease: { longestLoad: '10s' } },
  })
  await cache.getOrSet('k', () => 'old')
  await clock.advance('2s')
  for (let call = 0; call < 3; call++) {
    const answer = cache.getOrSet('k', hang)
    await clock.advance('200ms')
    expect(await answer).toBe('old')
  }
  let isIdle = false
  void cache.idle().then(() => {
    isIdle = true
  })
  await clock.advance('9s')
  expect(isIdle).toBe(false)
  await clock.advance('2s')
  expect(isIdle).toBe(true)
  expect(await cache.getOrSet('k', () => 'new')).toBe('new')
})
