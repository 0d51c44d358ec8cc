import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useBuild } from '../support/build.ts'
import {
  type ChildParticipant,
  type Participant,
  type Race,
  startChildren,
  startHere,
} from '../support/participant.ts'

const LEASE_MS = 500
const STALL_MS = 3 * LEASE_MS
/** One lease, with a margin for a busy machine. */
const ABOUT_A_LEASE_MS = LEASE_MS + 400

useBuild('package')

let redis: Standalone
let source: Standalone
let here: Participant
let owners: ChildParticipant[]

const options = () => ({
  redis: redis.url,
  source: source.url,
  cache: { prefix: 'lease:', lease: { ttl: `${LEASE_MS}ms` as const } },
})

beforeAll(async () => {
  ;[redis, source] = await Promise.all([startStandalone(), startStandalone()])
  here = await startHere(options())
  owners = await startChildren(5, options())
})

afterAll(async () => {
  await here.end()
  for (const owner of owners) owner.process.kill('SIGKILL')
  await Promise.all([redis.stop(), source.stop()])
})

const stored = (key: string) => redis.ask('EXISTS', `lease:${key}`)
const write = (key: string, version: number) => source.ask('SET', `source:${key}`, version)

/** Starts a load whose loader reads version 1, then sets the source to version 2. */
async function beginOldLoad(owner: Participant, race: Race): Promise<{ readonly loading: Promise<unknown> }> {
  await write(race.key, 1)
  const { loads } = await owner.counts()
  const loading = owner.load(race)
  loading.catch(() => {})
  if (race.blockMs === undefined)
    await waitUntil(async () => (await owner.counts()).loads > loads, { what: 'the loader to begin' })
  await waitUntil(async () => (await stored(race.key)) === 1, { what: 'the lease to be taken' })
  // The loader reads the source at once.
  await new Promise((resolve) => setTimeout(resolve, 50))
  await write(race.key, 2)
  return { loading }
}

/** Loads version 2 in this process. @returns the time it takes, in milliseconds */
async function takeOver(race: Race): Promise<number> {
  const beganMs = performance.now()
  expect(await here.load(race)).toBe(2)
  return performance.now() - beganMs
}

/** Expects version 2 in Redis, in the owner and in this process. */
async function expectNewer(owner: Participant, race: Race): Promise<void> {
  expect(await here.askRedis(race)).toBe(2)
  expect(await owner.settle(race)).toEqual([2, 2, 2])
  expect(await here.settle(race)).toEqual([2, 2, 2])
}

const STALLS = [
  {
    how: 'whose event loop is blocked',
    race: { blockMs: STALL_MS },
    stop: () => {},
    goOn: () => {},
  },
  {
    how: 'whose process is stopped',
    race: { loaderMs: 200 },
    stop: (owner: ChildParticipant) => owner.process.kill('SIGSTOP'),
    goOn: (owner: ChildParticipant) => owner.process.kill('SIGCONT'),
  },
]

describe('P23 an owner that stalls past its lease cannot write', () => {
  for (const [index, { goOn, how, race: stall, stop }] of STALLS.entries()) {
    test(`another process takes over within a lease from an owner ${how}`, async () => {
      const owner = owners[index] as ChildParticipant
      const race = { key: `taken-over-${index}` }
      const { loading } = await beginOldLoad(owner, { ...race, ...stall })
      stop(owner)
      try {
        expect(await takeOver(race)).toBeLessThan(ABOUT_A_LEASE_MS)
      } finally {
        goOn(owner)
      }
      expect(await loading).toBe(1) // the caller that was already waiting
      await expectNewer(owner, race)
    })

    test(`the late fill of an owner ${how} is refused even if no process took over`, async () => {
      const owner = owners[index] as ChildParticipant
      const race = { key: `left-alone-${index}` }
      const { loading } = await beginOldLoad(owner, { ...race, ...stall })
      stop(owner)
      await waitUntil(async () => (await stored(race.key)) === 0, { what: 'the lease to run out' })
      goOn(owner)
      expect(await loading).toBe(1)
      expect(await stored(race.key)).toBe(0)
      await expectNewer(owner, race)
    })

    test(`the late refresh of an owner ${how} does not replace a newer value`, async () => {
      const owner = owners[index] as ChildParticipant
      const race = {
        key: `refreshed-${index}`,
        options: { ttl: '1ms', staleWhileRevalidate: '1m' },
      } as const
      await write(race.key, 0)
      await here.load(race)
      const { loads } = await owner.counts()
      await write(race.key, 1)
      expect(await owner.load({ ...race, ...stall })).toBe(0) // the stale one, while it refreshes
      if (race.key === 'refreshed-1')
        await waitUntil(async () => (await owner.counts()).loads > loads, { what: 'the refresh to begin' })
      await new Promise((resolve) => setTimeout(resolve, 50))
      stop(owner)
      await write(race.key, 2)
      const forLong = { ...race, options: { ...race.options, ttl: '1m' } } as const
      try {
        // Stale values are served until another process may refresh.
        await waitUntil(async () => (await here.load(forLong)) === 2, { what: 'another to refresh' })
      } finally {
        goOn(owner)
      }
      await expectNewer(owner, race)
    })
  }

  test('another process takes over within a lease from a killed owner', async () => {
    for (const [index, owner] of owners.slice(2).entries()) {
      const race = { key: `killed-${index}` }
      await beginOldLoad(owner, { ...race, loaderMs: 60_000 })
      // The last owner is killed after it has renewed its lease.
      await new Promise((resolve) => setTimeout(resolve, index * LEASE_MS * 0.6))
      owner.process.kill('SIGKILL')
      expect(await takeOver(race)).toBeLessThan(ABOUT_A_LEASE_MS)
      expect(await here.askRedis(race)).toBe(2)
    }
  })
})
