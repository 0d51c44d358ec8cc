import { setImmediate } from 'node:timers/promises'
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
  let current = connection
  const released: string[] = []
  const tier = {
    connectionOf: () => current,
    renew: async () => {
      const answer = answers[askedAtMs.length] ?? true
      askedAtMs.push(clock.monotonicMs())
      if (answer instanceof Error) throw answer
      return answer
    },
    release: async (_storedKey: string, token: string) => {
      released.push(token)
    },
  } as unknown as SharedTier
  const parts = { tier, clock, timers: clock, leaseMs: LEASE_MS }
  const lease = new Lease('key', 'token', connection, {
    ...{ ...parts, longestLoadMs: 60_000, held: new HeldLeases(parts), onReturn: () => {} },
    onLost: () => lost++,
  })
  const reconnect = () => {
    current = {}
  }
  return { askedAtMs, clock, lease, lost: () => lost, reconnect, released }
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
  const { askedAtMs, clock, lost, released } = leaseOn([false])
  await clock.advance('20s')
  expect(askedAtMs).toHaveLength(1)
  expect(lost()).toBe(1)
  expect(released).toEqual([])
})

test('a lease whose connection was replaced is reported lost, and given back once', async () => {
  const { askedAtMs, clock, lease, lost, reconnect, released } = leaseOn([])
  reconnect()
  await clock.advance('20s')
  await lease.release()
  expect(askedAtMs).toEqual([])
  expect(lost()).toBe(1)
  expect(released).toEqual(['token'])
})

/** Leases on a tier that fails as often as this, and how often each token was given back; `ended` has those that are over. */
function returns(failures: number) {
  const clock = new ManualClock()
  const attempts: string[] = []
  const ended: string[] = []
  const tier = {
    async release(_storedKey: string, token: string) {
      attempts.push(token)
      if (attempts.length <= failures) throw new CacheError('CACHE_TIMEOUT', 'no reply')
    },
  }
  const leases = new HeldLeases({ tier, clock, timers: clock, leaseMs: LEASE_MS })
  /** Resolves after the first attempt. */
  const giveBack = async (token: string) => {
    void leases.giveBack({ storedKey: 'key', token, isFruitless: false }).then(() => ended.push(token))
    await setImmediate()
  }
  return { attempts, clock, ended, giveBack, leases }
}

test('a lease that Redis does not take back is given back again until it does', async () => {
  const { attempts, clock, ended, giveBack } = returns(3)
  await giveBack('a')
  await clock.advance('500ms')
  expect(attempts).toEqual(['a', 'a', 'a'])
  expect(ended).toEqual([])
  await clock.advance('20s')
  expect(attempts).toEqual(['a', 'a', 'a', 'a'])
  expect(ended).toEqual(['a'])
})

test('it is given back again until it has expired, and no longer', async () => {
  const { attempts, clock, ended, giveBack } = returns(Number.POSITIVE_INFINITY)
  await giveBack('a')
  await clock.advance('4s')
  expect(ended).toEqual([])
  await clock.advance('1h')
  expect(attempts).toHaveLength(LEASE_MS / 250)
  expect(ended).toEqual(['a'])
})

test('a closed cache gives it back once more, and then no longer', async () => {
  const { attempts, clock, ended, giveBack, leases } = returns(Number.POSITIVE_INFINITY)
  await giveBack('a')
  await leases.releaseAll()
  await giveBack('b')
  await clock.advance('1h')
  expect(attempts).toEqual(['a', 'a', 'b'])
  expect(ended).toEqual(['a', 'b'])
})

test('of more than 10,000 such leases the oldest are left to expire', async () => {
  const { attempts, ended, giveBack, leases } = returns(10_003)
  for (let index = 0; index < 10_003; index++) await giveBack(String(index))
  expect(ended).toEqual(['0', '1', '2'])
  await leases.releaseAll()
  const retried = attempts.slice(10_003)
  expect(retried).toHaveLength(10_000)
  expect(retried[0]).toBe('3')
})

test('while Redis takes none back, a hundred of them are tried at a time, each in its turn', async () => {
  const { attempts, clock, giveBack } = returns(600)
  const tokens = Array.from({ length: 300 }, (_, index) => String(index))
  for (const token of tokens) await giveBack(token)
  await clock.advance('250ms')
  expect(attempts.slice(300)).toEqual(tokens.slice(0, 100))
  await clock.advance('500ms')
  expect(attempts.slice(300)).toEqual(tokens)
  await clock.advance('250ms')
  expect(attempts.slice(600)).toEqual(tokens)
})

test('a cache that is closed waits for those that are being given back, and tries them once more', async () => {
  const attempts: string[] = []
  let fail = (_error: Error) => {}
  const tier = {
    release(_storedKey: string, token: string) {
      attempts.push(token)
      return attempts.length > 1 ? Promise.resolve() : new Promise<void>((_, reject) => (fail = reject))
    },
  }
  const clock = new ManualClock()
  const leases = new HeldLeases({ tier, clock, timers: clock, leaseMs: LEASE_MS })
  const returned = leases.giveBack({ storedKey: 'key', token: 'a', isFruitless: false })
  const closed = leases.releaseAll()
  fail(new CacheError('CACHE_TIMEOUT', 'no reply'))
  await Promise.all([returned, closed])
  expect(attempts).toEqual(['a', 'a'])
})
