import { describe, expect, it } from 'vitest'
import { trials } from '../trials.ts'
import { proveSchedules } from './run-schedules.ts'
import type { Setting } from './schedule.ts'

const BASE: Setting = {
  ...{ processes: 3, actions: 30, invalidates: true, faults: false },
  ...{ ttlMs: 600_000, staleMs: 0, local: true },
}

describe('every interleaving of several processes', () => {
  it('P16 P17 P18 P20: nothing older than an acknowledged invalidation is served or stored', async () => {
    const tally = await proveSchedules(BASE, trials(500, 8_000))
    console.log(tally)
    expect(tally.get('loader begins')).toBeGreaterThan(0)
  }, 200_000)

  it('P22: one loader', async () => {
    const tally = await proveSchedules({ ...BASE, invalidates: false }, trials(500, 4_000))
    console.log(tally)
  }, 200_000)

  it('P31: faults', async () => {
    const tally = await proveSchedules({ ...BASE, faults: true }, trials(500, 8_000))
    console.log(tally)
  }, 200_000)

  it('P25: faults and stale', async () => {
    const tally = await proveSchedules(
      { ...BASE, faults: true, ttlMs: 4_000, staleMs: 4_000 },
      trials(500, 8_000),
    )
    console.log(tally)
  }, 200_000)
})
