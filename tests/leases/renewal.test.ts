import { ManualClock } from 'cachewright/testing'
import { expect, test } from 'vitest'
import type { SharedTier } from '../../src/backend/seams/shared-tier.ts'
import { HeldLeases } from '../../src/cache/loading/held-leases.ts'
import { Lease } from '../../src/cache/loading/lease.ts'
import { CacheError } from '../../src/foundation/errors/cache-error.ts'

const LEASE_MS = 5_000

/** A lease on a server that gives these answers to renewals, and the time of each renewal. */
function leaseOn(answers: readonly (boolean | Error)[]) {
  const clock = new ManualClock()
  const askedAtMs: number[] = []
  let lost = 0
  const connection = {}
  const tier = {
    connectionOf: () => connection,
    renew: async () => {
      const answer = answers[askedAtMs.length] ?? true
      askedAtMs.push(clock.monotonicMs())
      if (answer instanceof Error) throw answer
      return answer
    },
    release: async () => {},
  } as unknown as SharedTier
  const lease = new Lease('key', 'token', connection, {
    ...{ tier, clock, timers: clock, leaseMs: LEASE_MS, longestLoadMs: 60_000, held: new HeldLeases() },
    onLost: () => lost++,
  })
  return { askedAtMs, clock, lease, lost: () => lost }
}

test('a lease is renewed each time half of its duration has passed', async () => {
  const { askedAtMs, clock, lease } = leaseOn([])
  await clock.advance('5s')
  lease.end()
  expect(askedAtMs).toEqual([2_500, 5_000])
})

test('a failed renewal is retried three times before the lease expires', async () => {
  const timeout = new CacheError('CACHE_TIMEOUT', 'no reply')
  const { askedAtMs, clock, lease, lost } = leaseOn([timeout, timeout, timeout, true])
  await clock.advance(4_999 / 1_000)
  lease.end()
  expect(askedAtMs).toEqual([2_500, 3_125, 3_750, 4_375])
  expect(lost()).toBe(0)
})

test('a lease that another process has taken is reported lost and not renewed again', async () => {
  const { askedAtMs, clock, lost } = leaseOn([false])
  await clock.advance('20s')
  expect(askedAtMs).toHaveLength(1)
  expect(lost()).toBe(1)
})
