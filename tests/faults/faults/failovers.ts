import type { RedisProcess } from '../../../testbed/redis-process.ts'
import { waitUntil } from '../../../testbed/wait-until.ts'
import { NAME, type Pair, startPair } from '../deployments/pair.ts'
import { cutOff, type Sentinels, startSentinels } from '../deployments/sentinels.ts'
import type { Fleet } from '../traffic/fleet.ts'
import { type Fault, faultsOf } from '../trial/fault.ts'

const FAILOVER_WITHIN_MS = 40_000

const OF_NAMES = faultsOf<Pair>(startPair, [
  {
    name: 'DNS: the primary dies, and its name moves to the replica',
    seconds: [2, 10],
    mayLose: true,
    before: (pair, fleet) => pointTo(pair, fleet, pair.primary),
    strike: async (pair, fleet) => {
      await pair.primary.kill()
      return async () => {
        await pair.promote(pair.replica)
        await pointTo(pair, fleet, pair.replica)
      }
    },
  },
  {
    name: 'DNS: the roles change, and the name moves',
    seconds: [2, 10],
    mayLose: true,
    before: (pair, fleet) => pointTo(pair, fleet, pair.primary),
    strike: async (pair, fleet) => {
      await pair.promote(pair.replica)
      return () => pointTo(pair, fleet, pair.replica)
    },
  },
  {
    name: 'DNS: the roles change, and change back',
    seconds: [2, 10],
    mayLose: true,
    before: (pair, fleet) => pointTo(pair, fleet, pair.primary),
    strike: async (pair, fleet) => {
      await pair.promote(pair.replica)
      await pointTo(pair, fleet, pair.replica)
      return async () => {
        await pair.promote(pair.primary)
        await pointTo(pair, fleet, pair.primary)
      }
    },
  },
  {
    name: 'DNS: a split, in which the old primary goes on with some processes',
    seconds: [3, 10],
    mayLose: true,
    before: (pair, fleet) => pointTo(pair, fleet, pair.primary),
    strike: async (pair, fleet) => {
      await pair.replica.ask('REPLICAOF', 'NO', 'ONE')
      await fleet.resolveInOne(NAME, pair.doors.get(pair.replica)?.host ?? '')
      pair.doors.get(pair.primary)?.cut()
      return async () => {
        await pair.promote(pair.replica)
        await pointTo(pair, fleet, pair.replica)
      }
    },
  },
])

const OF_SENTINELS = faultsOf<Sentinels>(startSentinels, [
  {
    name: 'Sentinel: failover on demand',
    seconds: [1, 10],
    mayLose: true,
    strike: async ({ sentinel }) => {
      await sentinel.failover()
      return async () => {}
    },
  },
  {
    name: 'Sentinel: failover there and back',
    seconds: [3, 10],
    mayLose: true,
    strike: async ({ sentinel }) => {
      await sentinel.failover()
      return () => sentinel.failover()
    },
  },
  {
    name: 'Sentinel: the primary dies',
    seconds: [1, 10],
    mayLose: true,
    strike: async ({ sentinel }) => {
      const before = await sentinel.current()
      await before.kill()
      return () => hasReplaced({ sentinel }, before)
    },
  },
  {
    name: 'Sentinel: the primary is stopped, replaced, and continued',
    seconds: [1, 10],
    mayLose: true,
    strike: async ({ sentinel }) => {
      const before = await sentinel.current()
      before.pause()
      return async () => {
        await hasReplaced({ sentinel }, before)
        before.resume()
      }
    },
  },
  {
    name: 'Sentinel: a split, in which the old primary goes on',
    seconds: [3, 10],
    mayLose: true,
    strike: async ({ sentinel }) => {
      const before = await sentinel.current()
      const rejoin = await cutOff(before)
      await hasReplaced({ sentinel }, before)
      return async () => {
        await rejoin()
        await sentinel.settled()
      }
    },
  },
])

/** What happens to a primary with a replica. */
export const FAILOVERS: readonly Fault[] = [...OF_NAMES, ...OF_SENTINELS]

async function pointTo({ doors }: Pair, fleet: Fleet, server: RedisProcess): Promise<void> {
  await fleet.resolve(NAME, doors.get(server)?.host ?? '')
}

async function hasReplaced({ sentinel }: Pick<Sentinels, 'sentinel'>, before: RedisProcess): Promise<void> {
  await waitUntil(async () => (await sentinel.current()) !== before, {
    what: 'a failover',
    timeoutMs: FAILOVER_WITHIN_MS,
  })
}
