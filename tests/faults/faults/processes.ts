import { type Single, startSingle } from '../deployments/single.ts'
import { TIMES } from '../traffic/setting.ts'
import { type Fault, faultsOf } from '../trial/fault.ts'

const HOUR_MS = 3_600_000

/** What happens to the processes that use the cache. */
export const PROCESSES: readonly Fault[] = faultsOf<Single>(startSingle, [
  {
    name: 'a process stopped, and continued without its connections',
    seconds: [5, 30],
    strike: async ({ server }, fleet) => {
      const thaw = fleet.freezeOne()
      await server.ask('CLIENT', 'KILL', 'TYPE', 'normal')
      await server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
      return async () => thaw()
    },
  },
  {
    name: 'a process stopped, and continued',
    seconds: [5, 30],
    strike: async (_single, fleet) => {
      const thaw = fleet.freezeOne()
      return async () => thaw()
    },
  },
  {
    name: 'event loops that stand still past a lease',
    seconds: [1, 5],
    strike: async (_single, fleet) => {
      await fleet.stall(TIMES.leaseMs + 1_000)
      return async () => {}
    },
  },
  {
    name: 'the clock of a process jumps an hour forth',
    seconds: [2, 10],
    strike: (_single, fleet) => withClock(HOUR_MS, (byMs) => fleet.setClock(byMs)),
  },
  {
    name: 'the clock of a process jumps an hour back',
    seconds: [2, 10],
    strike: (_single, fleet) => withClock(-HOUR_MS, (byMs) => fleet.setClock(byMs)),
  },
])

async function withClock(byMs: number, set: (byMs: number) => Promise<void>) {
  await set(byMs)
  return () => set(0)
}
