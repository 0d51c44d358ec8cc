import { describe, expect, it, vi } from 'vitest'
import { Flight } from '../../src/cache/flight.ts'
import { Generations } from '../../src/cache/generations.ts'
import { LocalTier } from '../../src/cache/local-tier.ts'
import { Outbox } from '../../src/cache/outbox.ts'
import { searchSchedules } from './run-schedules.ts'
import type { Setting } from './schedule.ts'
import type { Defect } from './simulated-redis.ts'

vi.mock('lru-cache', async (original) => (await import('./small-lru.ts')).smallLru(await original()))

const CALM: Setting = {
  ...{ processes: 3, actions: 20, invalidates: true, faults: false },
  ...{ ttlMs: 600_000, staleMs: 0, local: true },
}
const FAULTS: Setting = { ...CALM, faults: true }
/** Each of them is to be caught within so many schedules. */
const SCHEDULES = 8_000
const SEED = 5

async function schedulesUntilCaught(setting: Setting): Promise<number> {
  const { failure, schedules } = await searchSchedules(setting, SCHEDULES, SEED)
  return failure === undefined ? Number.POSITIVE_INFINITY : schedules
}

describe('the simulation finds what is wrong', () => {
  const defects: readonly (readonly [Defect, Setting])[] = [
    ['fill ignores the token', CALM],
    ['pushes are lost', CALM],
    ['generations are captured at the fill', CALM],
    ['removals by pattern spare placeholders', CALM],
    ['bump changes nothing', CALM],
    ['old commands run after a reconnect', FAULTS],
    ['epochs are not told', FAULTS],
  ]
  it.each(defects)(
    'a server where %s',
    async (defect, setting) => {
      const schedules = await schedulesUntilCaught({ ...setting, defects: [defect] })
      expect(schedules).toBeLessThan(SCHEDULES)
    },
    120_000,
  )

  const nothing = () => {}
  const rules: readonly (readonly [string, Setting, () => void])[] = [
    ['L2 a read is kept whatever happened meanwhile', CALM, () => breakKeep()],
    ['L3 what is read during an own write is kept', CALM, () => breakWriting()],
    ['L4 flights stay open', CALM, () => vi.spyOn(Flight.prototype, 'admits').mockReturnValue(true)],
    [
      'L4 pushes raise no doubt',
      CALM,
      () => vi.spyOn(Flight.prototype, 'pushed').mockImplementation(nothing),
    ],
    [
      'G3 tags that only the value told bind to anything',
      CALM,
      () => vi.spyOn(Generations.prototype, 'wasInvalidatedSince').mockReturnValue(false),
    ],
    ['O1 nothing is replayed', FAULTS, () => vi.spyOn(Outbox.prototype, 'add').mockImplementation(nothing)],
    [
      'T2 a restart is ignored',
      FAULTS,
      () => vi.spyOn(Outbox.prototype, 'repeatRecent').mockImplementation(nothing),
    ],
  ]
  it.each(rules)(
    'a cache where %s',
    async (_rule, setting, mutate) => {
      mutate()
      try {
        const schedules = await schedulesUntilCaught(setting)
        expect(schedules).toBeLessThan(SCHEDULES)
      } finally {
        vi.restoreAllMocks()
      }
    },
    120_000,
  )
})

function breakKeep(): void {
  const keep = LocalTier.prototype.keep
  vi.spyOn(LocalTier.prototype, 'keep').mockImplementation(function (
    this: LocalTier,
    key,
    _pending,
    entry,
    bytes,
  ) {
    return keep.call(this, key, this.expect(key), entry, bytes)
  })
}

function breakWriting(): void {
  vi.spyOn(LocalTier.prototype, 'writeBegan').mockImplementation(() => {})
  vi.spyOn(LocalTier.prototype, 'writeSettled').mockImplementation(() => {})
}
