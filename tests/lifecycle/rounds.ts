import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { RedisReply } from '../../testbed/redis-command.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { trials } from '../support/trials.ts'

const LIBRARY = new URL('../../dist', import.meta.url).href
const CHILD = fileURLToPath(new URL('../support/children/rounds-child.mjs', import.meta.url))
/** What is going on when a cache is shut down, a round each in turn. */
const MOMENTS = [
  ...['at rest', 'initializing', 'at rest', 'loading', 'at rest', 'refreshing', 'at rest', 'reserving'],
  ...['at rest', 'waiting for another', 'at rest', 'clearing', 'away', 'frozen', 'frozen at once'],
]
const ROUNDS = MOMENTS.length * trials(1, 2, 100)
/** The heap is looked at this often. */
const SAMPLES = 15
/** A cache that is not let go of takes seventy times as much. The engine itself warms up during the first hundreds of rounds. */
const MOST_GROWTH_BYTES = 10_000
const WARM_ROUNDS = 100
/** On each server, with the copies of generations that a cluster has. */
const MOST_KEYS = 40
/** The last ones may still be reachable from a stack or a cache of the engine. */
const MOST_ALIVE = 3

/** A server that is asked what the rounds left in it. */
interface Asked {
  readonly pid: number | undefined
  ask(...command: readonly (string | number)[]): Promise<RedisReply>
}

/** Rounds of one kind of cache, in a process of their own. */
interface Rounds {
  readonly kind: string
  /** What the child needs to know of the servers. */
  readonly servers: Readonly<Record<string, unknown>>
  /** The servers that it freezes now and then. */
  readonly asked: readonly Asked[]
}

/** What a child has found. */
interface Report {
  /** What there was more of, or less, after a round than before the first one. */
  readonly left: readonly string[]
  readonly failures: readonly string[]
  /** The bytes of the heap after so many rounds. */
  readonly samples: readonly (readonly [round: number, bytes: number])[]
  /** The caches that were not collected. */
  readonly alive: number
}

/** Runs the rounds, and expects that they have left nothing: in the process, in its heap, or in Redis. */
export async function expectNothingLeft({ asked, kind, servers }: Rounds): Promise<void> {
  const child = fork(CHILD, { execArgv: ['--expose-gc', '--stack-trace-limit=40'] })
  try {
    const pids = asked.map(({ pid }) => pid)
    child.send({
      kind,
      library: LIBRARY,
      moments: MOMENTS,
      rounds: ROUNDS,
      samples: SAMPLES,
      servers: { ...servers, pids },
    })
    await messageOf(child)
    const connectedBefore = await connectionsOf(asked)
    child.send('go')
    const { alive, failures, left, samples } = (await messageOf(child)) as Report
    expect({ failures, left: left.slice(0, 8) }).toEqual({ failures: [], left: [] })
    expect(alive).toBeLessThanOrEqual(MOST_ALIVE)
    if (ROUNDS > WARM_ROUNDS) expect(growthPerRound(samples)).toBeLessThan(MOST_GROWTH_BYTES)
    await waitUntil(async () => (await connectionsOf(asked)) === connectedBefore, {
      what: `${connectedBefore} connections to be left`,
    })
    await expectOnlyExpiring(asked)
    const ended = once(child, 'exit')
    child.send('end')
    expect(await ended).toEqual([0, null])
  } finally {
    child.kill('SIGKILL')
  }
}

async function messageOf(child: ReturnType<typeof fork>): Promise<unknown> {
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code, signal]) => {
      throw new Error(`The child has ended (${signal ?? code})`)
    }),
  ])
  return message
}

/** The connections of clients: not those of this question, of replicas and of sentinels. */
async function connectionsOf(asked: readonly Asked[]): Promise<number> {
  const lists = await Promise.all(asked.map((server) => server.ask('CLIENT', 'LIST')))
  return lists
    .flatMap((list) => String(list).trim().split('\n'))
    .filter((line) => !/ name=sentinel-| flags=[SM] | cmd=client/.test(line)).length
}

/** Every key has a time to live, and there is none for each round. */
async function expectOnlyExpiring(asked: readonly Asked[]): Promise<void> {
  for (const server of asked) {
    const keys = (await server.ask('KEYS', '*')) as string[]
    expect(keys.length).toBeLessThan(MOST_KEYS)
    const lives = await Promise.all(keys.map((key) => server.ask('PTTL', key)))
    expect(keys.filter((_key, index) => lives[index] === -1)).toEqual([])
  }
}

/** How much the heap grows with each round: the slope of the line through the last two thirds of the samples. */
function growthPerRound(samples: Report['samples']): number {
  const late = samples.slice(Math.floor(samples.length / 3))
  const mean = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length
  const meanRound = mean(late.map(([round]) => round))
  const meanBytes = mean(late.map(([, bytes]) => bytes))
  const spread = late.reduce((sum, [round]) => sum + (round - meanRound) ** 2, 0)
  const together = late.reduce((sum, [round, bytes]) => sum + (round - meanRound) * (bytes - meanBytes), 0)
  return together / spread
}
