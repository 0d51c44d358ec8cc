import { describe, expect, it, vi } from 'vitest'
import { Cache } from '../../src/cache/cache.ts'
import { OpenChanges } from '../../src/cache/changes/open-changes.ts'
import { CacheCore } from '../../src/cache/core/cache-core.ts'
import { Flight } from '../../src/cache/flights/flight.ts'
import { SingleFlight } from '../../src/cache/flights/single-flight.ts'
import { LoadInheritance } from '../../src/cache/inheritance/inheritance.ts'
import { RememberedFailures } from '../../src/cache/keys/remembered-failures.ts'
import { LeasedFill } from '../../src/cache/loading/leased-fill.ts'
import { LocalTier } from '../../src/cache/local/local-tier.ts'
import { InvalidationOutbox } from '../../src/cache/outage/invalidation-outbox.ts'
import { ResilientTier } from '../../src/cache/outage/resilient-tier.ts'
import { FencedFill } from '../../src/cache/reserving/fenced-fill.ts'
import { GenerationSet } from '../../src/cache/tags/generation-set.ts'
import { GenerationTable } from '../../src/cache/tags/generation-table.ts'
import { Holds } from '../../src/cache/writing/holds.ts'
import { KeyExpiry } from '../../src/cache/writing/key-expiry.ts'
import { isKeyGeneration } from '../../src/foundation/reserved-keys.ts'
import type { Defect } from './defect.ts'
import { searchSchedules } from './run-schedules.ts'
import type { Setting } from './setting.ts'

vi.mock('lru-cache', async (original) => (await import('./small-lru.ts')).smallLru(await original()))

const CALM: Setting = {
  ...{ processes: 3, actions: 20, invalidates: true, faults: false },
  ...{ ttlMs: 600_000, staleMs: 0, local: true },
}
const FAULTS: Setting = { ...CALM, faults: true }
const POLICIES: Setting = { ...CALM, policies: true }
const SLOTS: Setting = { ...CALM, slots: 'any' }
const COMPOSITES: Setting = { ...CALM, composites: true }
const TRANSACTIONS: Setting = { ...CALM, transactions: true }
const EXPIRIES: Setting = { ...POLICIES, expiries: true, staleMs: 20_000 }
const HOLDING: Setting = { ...POLICIES, holding: true }
const FAILURES: Setting = { ...POLICIES, failureMs: 8_000, ttlMs: 4_000, staleMs: 20_000 }
/** A second loader for a key is a defect here: nothing makes it necessary. */
const UNDISTURBED: Setting = { ...POLICIES, processes: 1, invalidates: false }
/** Each of them is to be caught within so many schedules. */
const SCHEDULES = 8_000
/** Seeds differ in how soon they lead to a defect: one finds within 600 schedules what another finds within 13,000. */
const SEED = 6

async function schedulesUntilCaught(setting: Setting, seed: number): Promise<number> {
  const { failure, schedules } = await searchSchedules(setting, SCHEDULES, seed)
  return failure === undefined ? Number.POSITIVE_INFINITY : schedules
}

describe('the simulation finds the defect', () => {
  const defects: readonly (readonly [Defect, Setting, seed?: number])[] = [
    ['fill ignores the token', CALM],
    ['a slot ignores its fence', SLOTS],
    ['pushes are lost', CALM],
    ['generations are captured at the fill', CALM],
    ['what is inherited is captured at the fill', COMPOSITES, 41],
    ['an expiry ignores what was written meanwhile', EXPIRIES],
    ['removals by pattern spare placeholders', CALM, 7],
    ['bump changes nothing', CALM],
    ['bump changes nothing', HOLDING],
    ['pushes are lost', HOLDING],
    ['old commands run after a reconnect', FAULTS],
    ['epochs are not told', FAULTS, 60],
    ['loads are stored under a hold', TRANSACTIONS],
    ['a delete ends a hold', TRANSACTIONS],
    ['the first change ends the hold of all', TRANSACTIONS],
    ['a delete spares placeholders', FAILURES],
    ['a failed load may be tried again at once', { ...CALM, invalidates: false, failureMs: 100 }],
  ]
  it.each(defects.map(([defect, setting, seed = SEED]) => [defect, setting, seed] as const))(
    'a server where %s',
    async (defect, setting, seed) => {
      const schedules = await schedulesUntilCaught({ ...setting, defects: [defect] }, seed)
      expect(schedules).toBeLessThan(SCHEDULES)
    },
    120_000,
  )

  const nothing = () => {}
  const rules: readonly (readonly [string, Setting, () => void, seed?: number])[] = [
    ['L2 a read is kept even if a change overtook it', CALM, () => breakKeep(), 30],
    ['L3 a read during an own write is kept', CALM, () => breakWriting(), 59],
    ['L4 flights stay open', CALM, () => breakAdmission()],
    [
      'L4 pushes raise no doubt',
      CALM,
      () => vi.spyOn(Flight.prototype, 'pushed').mockImplementation(nothing),
      17,
    ],
    [
      'G3 tags that the loader adds bind to any generation',
      CALM,
      () => vi.spyOn(GenerationTable.prototype, 'wasInvalidatedSince').mockReturnValue(false),
      1,
    ],
    [
      'O1 nothing is replayed',
      FAULTS,
      () => vi.spyOn(InvalidationOutbox.prototype, 'add').mockImplementation(nothing),
    ],
    [
      'T2 a restart is ignored',
      FAULTS,
      () => vi.spyOn(InvalidationOutbox.prototype, 'repeatRecent').mockImplementation(nothing),
      33,
    ],
    [
      'L4 a value that is being replaced is served even after an invalidation',
      POLICIES,
      () => vi.spyOn(CacheCore.prototype, 'isCoherent').mockReturnValue(true),
      14,
    ],
    [
      'a caller joins a load that every caller has left',
      UNDISTURBED,
      () => vi.spyOn(Flight.prototype, 'isAbandoned', 'get').mockReturnValue(false),
    ],
    ['a fill does not tell that a tag was invalidated', SLOTS, () => breakAnswer(), 22],
    [
      'G6 nothing is inherited',
      COMPOSITES,
      () => vi.spyOn(LoadInheritance.prototype, 'add').mockImplementation(nothing),
    ],
    ['a batch gives the value of one key to another', POLICIES, () => breakBatch()],
    ['refresh() is content with what others load', POLICIES, () => breakReload()],
    [
      'C1 what is called within a change is sent at once',
      TRANSACTIONS,
      () => vi.spyOn(OpenChanges.prototype, 'current', 'get').mockReturnValue(undefined),
      35,
    ],
    [
      'an own change does not end what is remembered of a failed load',
      { ...FAILURES, faults: true },
      () => breakMemory(),
    ],
    [
      'a load that an own change came before is remembered as failed',
      { ...FAILURES, faults: true },
      () => vi.spyOn(Flight.prototype, 'isClosed', 'get').mockReturnValue(false),
      2,
    ],
    ['that there is no value is bound to no generation', FAILURES, () => breakAbsence()],
    [
      'G7 an entry is as fresh after an expiry of its tag as before it',
      EXPIRIES,
      () => vi.spyOn(GenerationSet.prototype, 'staleInMs').mockReturnValue(Number.POSITIVE_INFINITY),
    ],
    [
      'G7 a stale window begins anew with each expiry',
      { ...EXPIRIES, ttlMs: 4_000, staleMs: 4_000 },
      () => vi.spyOn(GenerationSet.prototype, 'staleInMs').mockReturnValue(0),
      44,
    ],
    ['an expiry of a key spares the load that is under way', EXPIRIES, () => breakExpiry()],
    [
      'T8 a token is taken for proven by whoever gets it',
      { ...POLICIES, tokens: true },
      () => vi.spyOn(ResilientTier.prototype, 'hasNewsOf').mockReturnValue(true),
      50,
    ],
    ['a value that stays in the process is not bound to its key', HOLDING, () => breakBinding()],
    ['C3 the work of a change begins before its holds are placed', TRANSACTIONS, () => breakHolds()],
  ]
  it.each(rules.map(([rule, setting, mutate, seed = SEED]) => [rule, setting, mutate, seed] as const))(
    'a cache where %s',
    async (_rule, setting, mutate, seed) => {
      mutate()
      try {
        const schedules = await schedulesUntilCaught(setting, seed)
        expect(schedules).toBeLessThan(SCHEDULES)
      } finally {
        vi.restoreAllMocks()
      }
    },
    240_000,
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

/** A flight that all have left still admits nobody: whoever it admitted would look for another for ever. */
function breakAdmission(): void {
  vi.spyOn(Flight.prototype, 'standing', 'get').mockImplementation(function (this: Flight) {
    return this.isAbandoned ? 'closed' : 'open'
  })
}

function breakWriting(): void {
  vi.spyOn(LocalTier.prototype, 'writeBegan').mockImplementation(() => {})
  vi.spyOn(LocalTier.prototype, 'writeSettled').mockImplementation(() => {})
}

/** As where the values that are there are counted, and not the keys. */
function breakBatch(): void {
  const getOrSetMany = Cache.prototype.getOrSetMany
  vi.spyOn(Cache.prototype, 'getOrSetMany').mockImplementation(function (
    this: Cache,
    keys,
    loadMany,
    options,
  ) {
    const shifted: typeof loadMany = async (asked, context) => {
      const loaded = await loadMany(asked, context)
      const values = [...loaded.values()].filter((value) => value !== undefined)
      return new Map(values.map((value, index) => [asked[index] as string, value]))
    }
    return getOrSetMany.call(this, keys, shifted as never, options)
  })
}

function breakAnswer(): void {
  const { store } = FencedFill.prototype
  vi.spyOn(FencedFill.prototype, 'store').mockImplementation(async function (this: FencedFill, request) {
    const refusal = await store.call(this, request)
    return refusal === 'invalidated' ? undefined : refusal
  })
}

function breakMemory(): void {
  vi.spyOn(RememberedFailures.prototype, 'writeBegan').mockImplementation(() => {})
  vi.spyOn(RememberedFailures.prototype, 'writeSettled').mockImplementation(() => {})
}

function breakAbsence(): void {
  const { store } = LeasedFill.prototype
  vi.spyOn(LeasedFill.prototype, 'store').mockImplementation(function (
    this: LeasedFill,
    request,
    lease,
    value,
    stored,
  ) {
    const unbound = { ...stored, meta: { ...stored.meta, generations: [] } }
    return store.call(this, request, lease, value, value === undefined ? unbound : stored)
  })
}

function breakHolds(): void {
  const { place } = Holds.prototype
  vi.spyOn(Holds.prototype, 'place').mockImplementation(async function (this: Holds, ...request) {
    void place.apply(this, request)
    return { holds: [], failures: [] }
  })
}

function breakExpiry(): void {
  const { expire } = KeyExpiry.prototype
  vi.spyOn(KeyExpiry.prototype, 'expire').mockImplementation(function (this: KeyExpiry, storedKey) {
    const remove = vi.spyOn(ResilientTier.prototype, 'remove').mockResolvedValue(0)
    return expire.call(this, storedKey).finally(() => remove.mockRestore())
  })
}

function breakBinding(): void {
  const { generationKeys } = CacheCore.prototype
  vi.spyOn(CacheCore.prototype, 'generationKeys').mockImplementation(function (this: CacheCore, ...asked) {
    return generationKeys.apply(this, asked).filter((key) => !isKeyGeneration(key))
  })
}

function breakReload(): void {
  vi.spyOn(SingleFlight.prototype, 'reload').mockImplementation(function (this: SingleFlight, request) {
    return this.getOrLoad({ ...request, replaces: undefined }) as never
  })
}
