import { describe, expect, it, vi } from 'vitest'
import { trials } from '../support/trials.ts'
import { proveSchedules } from './run-schedules.ts'
import type { Setting } from './setting.ts'

vi.mock('lru-cache', async (original) => (await import('./small-lru.ts')).smallLru(await original()))

const CALM: Setting = {
  ...{ processes: 3, actions: 20, invalidates: true, faults: false },
  ...{ ttlMs: 600_000, staleMs: 0, local: true },
}
const FAULTS: Setting = { ...CALM, faults: true }
const LONGEST_MS = 600_000

/**
 * Real caches of several processes over one simulated Redis: every step of commands, replies, pushes, loaders, timers
 * and faults is chosen, and so every interleaving may come up. What fails is printed with its seed and its steps.
 */
describe('in any order of events', () => {
  it(
    'P16 P17 P18 P20 P35: nothing older than an acknowledged invalidation is served or stored',
    async () => {
      const steps = await proveSchedules(CALM, trials(80, 500, 9_000))
      for (const step of [
        'set',
        'delete',
        'invalidateTags',
        'invalidatePattern',
        'clear',
        'read its own write',
      ]) {
        expect(steps.get(step), step).toBeGreaterThan(trials(10, 50))
      }
    },
    LONGEST_MS,
  )

  it(
    'P16 P19 P23 P31 P32 P33 P37: the same holds while connections break, keys are evicted, servers restart and processes crash',
    async () => {
      const steps = await proveSchedules(FAULTS, trials(130, 500, 9_000))
      for (const step of [
        'cut',
        'give up',
        'evict',
        'crash',
        'restart',
        'goes away',
        'time passes',
        'reconnect',
      ]) {
        expect(steps.get(step), step).toBeGreaterThan(trials(10, 50))
      }
    },
    LONGEST_MS,
  )

  it(
    'P13 P25: the same holds if entries expire and stale ones may be served',
    async () => {
      await proveSchedules({ ...FAULTS, ttlMs: 4_000, staleMs: 4_000 }, trials(60, 200, 6_000))
    },
    LONGEST_MS,
  )

  const policied = [
    'refresh',
    'getOrSetMany',
    'loader ends: not modified',
    'loader ends: confirm',
    'read its own write',
  ]
  it(
    'P16 P17 P18: the same holds for loads early, anew, in batches, conditionally and with timeouts',
    async () => {
      const steps = await proveSchedules({ ...CALM, policies: true }, trials(200, 600, 4_000))
      for (const step of policied) expect(steps.get(step), step).toBeGreaterThan(trials(10, 50))
    },
    LONGEST_MS,
  )

  it(
    'P13 P16 P25: the same holds with faults if entries expire and stale ones are served',
    async () => {
      const setting = { ...FAULTS, policies: true, sickSource: true, ttlMs: 4_000, staleMs: 20_000 }
      const steps = await proveSchedules(setting, trials(300, 500, 4_000))
      for (const step of [...policied, 'stands in']) expect(steps.get(step), step).toBeGreaterThan(5)
    },
    LONGEST_MS,
  )

  it(
    'P16 P31: the same holds if the generations of namespaces have copies, as on a cluster',
    async () => {
      await proveSchedules({ ...FAULTS, copies: true }, trials(60, 200, 4_000))
    },
    LONGEST_MS,
  )

  it(
    'P16 P18: the same holds without a local tier',
    async () => {
      await proveSchedules({ ...FAULTS, local: false, processes: 2 }, trials(60, 200, 3_000))
    },
    LONGEST_MS,
  )

  const committed = ['commit', 'commit under a hold', 'transaction ends']
  it(
    'P49: nothing older than a commit is stored after it if it was held, or served after its change has ended',
    async () => {
      const steps = await proveSchedules(
        { ...CALM, policies: true, transactions: true },
        trials(60, 350, 6_000),
      )
      for (const step of committed) expect(steps.get(step), step).toBeGreaterThan(trials(10, 50))
    },
    LONGEST_MS,
  )

  it(
    'P49: the same holds with faults and slots, if entries expire, stale ones are served, and generations have copies',
    async () => {
      const setting: Setting = { ...FAULTS, policies: true, copies: true, slots: 'any', transactions: true }
      const steps = await proveSchedules(
        { ...setting, ttlMs: 4_000, staleMs: 20_000 },
        trials(60, 300, 6_000),
      )
      for (const step of committed) expect(steps.get(step), step).toBeGreaterThan(trials(2, 20))
    },
    LONGEST_MS,
  )

  it(
    'G6: the same holds for values that are made of others and inherit from them',
    async () => {
      const steps = await proveSchedules({ ...CALM, composites: true }, trials(80, 400, 9_000))
      expect(steps.get('composed')).toBeGreaterThan(trials(10, 50))
      await proveSchedules({ ...FAULTS, composites: true, copies: true }, trials(60, 200, 6_000))
    },
    LONGEST_MS,
  )

  const remembered = ['remembers a failure', 'remembers an absence']
  it(
    'P50: what is remembered of failed loads and of values that are not there ends as any value does',
    async () => {
      const setting: Setting = {
        ...CALM,
        policies: true,
        failureMs: 8_000,
        ttlMs: 4_000,
        staleMs: 20_000,
      }
      const steps = await proveSchedules(setting, trials(60, 350, 6_000))
      for (const step of remembered) expect(steps.get(step), step).toBeGreaterThan(trials(2, 20))
    },
    LONGEST_MS,
  )

  it(
    'P50: the same holds with faults, and if generations have copies',
    async () => {
      const setting: Setting = { ...FAULTS, policies: true, failureMs: 8_000, copies: true }
      const steps = await proveSchedules(
        { ...setting, ttlMs: 4_000, staleMs: 20_000 },
        trials(60, 350, 6_000),
      )
      for (const step of remembered) expect(steps.get(step), step).toBeGreaterThan(trials(0, 10))
    },
    LONGEST_MS,
  )

  it(
    'P51: while nothing is invalidated, no process tries a load again before its time, with a stale value or without',
    async () => {
      const setting: Setting = { ...CALM, invalidates: false, failureMs: 100 }
      const withStale = { ...setting, ttlMs: 10, staleMs: 600_000 }
      for (const one of [setting, withStale]) {
        const steps = await proveSchedules(one, trials(60, 250, 3_000))
        expect(steps.get('remembers a failure') ?? steps.get('stands in')).toBeGreaterThan(trials(2, 20))
      }
    },
    LONGEST_MS,
  )

  const expired = ['expire', 'expireTags']
  it(
    'P52: nothing that was made stale is served as fresh, or past its stale window',
    async () => {
      const setting: Setting = { ...CALM, policies: true, expiries: true }
      for (const staleMs of [0, 20_000]) {
        const steps = await proveSchedules({ ...setting, staleMs }, trials(60, 150, 6_000))
        for (const step of expired) expect(steps.get(step), step).toBeGreaterThan(trials(2, 50))
      }
    },
    LONGEST_MS,
  )

  it(
    'P52: the same holds with faults, slots and values made of others, and if generations have copies',
    async () => {
      const setting: Setting = { ...FAULTS, policies: true, expiries: true, copies: true }
      const others: Setting = { ...setting, slots: 'any', composites: true }
      for (const one of [setting, { ...others, ttlMs: 4_000, staleMs: 20_000 }]) {
        const steps = await proveSchedules(one, trials(60, 150, 6_000))
        for (const step of expired) expect(steps.get(step), step).toBeGreaterThan(trials(2, 20))
      }
    },
    LONGEST_MS,
  )

  it(
    'P53: a reader with a token is never answered with anything older than what was acknowledged before it',
    async () => {
      const setting: Setting = { ...CALM, policies: true, tokens: true }
      for (const one of [
        setting,
        { ...setting, faults: true, copies: true, ttlMs: 4_000, staleMs: 20_000 },
      ]) {
        const steps = await proveSchedules(one, trials(60, 150, 6_000))
        expect(steps.get('mark')).toBeGreaterThan(trials(2, 50))
      }
    },
    LONGEST_MS,
  )

  it(
    'P54: nothing older than an acknowledged invalidation is served of the values that stay in a process',
    async () => {
      const setting: Setting = { ...CALM, policies: true, expiries: true, holding: true }
      for (const one of [
        setting,
        { ...setting, faults: true, copies: true, ttlMs: 4_000, staleMs: 20_000 },
      ]) {
        const steps = await proveSchedules(one, trials(60, 150, 6_000))
        for (const step of ['delete', 'invalidateTags', 'clear', 'expire'])
          expect(steps.get(step), step).toBeGreaterThan(trials(2, 50))
      }
    },
    LONGEST_MS,
  )

  const slotted = ['reserve', 'a slot is filled', 'a fill is refused', 'release']
  it(
    'P45: nothing older is stored through slots, and every fill says so',
    async () => {
      const steps = await proveSchedules({ ...CALM, policies: true, slots: 'any' }, trials(60, 400))
      for (const step of slotted) expect(steps.get(step), step).toBeGreaterThan(trials(2, 20))
    },
    LONGEST_MS,
  )

  it(
    'P45: the same holds with faults if entries expire, stale ones are served, and generations have copies',
    async () => {
      const setting: Setting = { ...FAULTS, policies: true, copies: true, slots: 'any' }
      const steps = await proveSchedules({ ...setting, ttlMs: 4_000, staleMs: 20_000 }, trials(60, 400))
      for (const step of slotted) expect(steps.get(step), step).toBeGreaterThan(trials(0, 10))
    },
    LONGEST_MS,
  )

  it(
    'P22: while nothing is invalidated, one caller holds the slot of a key that others wait for, and fills it',
    async () => {
      const steps = await proveSchedules({ ...CALM, invalidates: false, slots: 'waiting' }, trials(100, 300))
      expect(steps.get('a slot is filled')).toBeGreaterThan(trials(10, 25))
      expect(steps.get('a fill is refused') ?? 0).toBeLessThan(steps.get('a slot is filled') ?? 0)
    },
    LONGEST_MS,
  )

  it(
    'P21 P22: while nothing is invalidated, one loader runs for a key in the whole fleet',
    async () => {
      await proveSchedules({ ...CALM, invalidates: false }, trials(80, 200, 3_000))
    },
    LONGEST_MS,
  )
})
