import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Cache, createCache, type Namespace } from 'cachewright'
import type { Section } from '../measure/section.ts'
import { type Task, throughput } from '../measure/throughput.ts'
import { keyOf, OBJECT_1K } from './payloads.ts'
import { EVERY } from './policies.ts'
import type { Run, Scenario } from './scenario.ts'

/** Names the `dist` folder of another build of this library, to compare this one with. */
const OTHER_DIST = 'CACHEWRIGHT_OTHER_DIST'

const KEYS = 1_000
const KEYS_OF_A_BATCH = 100
const THIS = 'this build'
const OTHER = 'the other build'
const OTHER_WITH_TIMEOUT = 'the other build, hardTimeout'

type Build = typeof createCache

/**
 * The caches of one build: one with a local tier, one that reads Redis each time, and one with every policy, which also
 * has a namespace.
 */
interface Player {
  readonly name: string
  readonly local: Cache
  readonly shared: Cache
  readonly strict: Cache
  readonly space: Namespace
}

/** Reads and loads of this build beside those of another one, in turns. */
export const versions: Scenario = {
  name: 'versions',
  about: `this build beside another one, whose dist folder ${OTHER_DIST} names; empty without`,
  async measure(run) {
    const dist = process.env[OTHER_DIST]
    if (dist === undefined) return []
    const other = (await import(pathToFileURL(join(resolve(dist), 'index.js')).href)) as {
      readonly createCache: Build
    }
    await run.redis.ask('FLUSHALL')
    const players = [
      await open(OTHER, 'other:', other.createCache, run.redis.url),
      await open(THIS, 'this:', createCache, run.redis.url),
    ]
    try {
      return [
        await measureEach(run, players, 'local hit', 1, true, localHitOf),
        await measureEach(run, players, 'local hit with two tags', 1, true, taggedHitOf),
        await measureEach(run, players, 'local hit, every policy by the call', 1, true, strictCallOf),
        await measureEach(run, players, 'local hit, every policy by the cache', 1, true, strictCacheOf),
        await measureEach(run, players, 'local hit, every policy by the namespace', 1, true, strictSpaceOf),
        await measureEach(run, players, 'local hit, peek', 1, true, peekOf),
        await measureEach(run, players, 'Redis hit, getOrSet, 1 in flight', 1, false, sharedHitOf),
        await measureEach(run, players, 'Redis hit, getOrSet, 128 in flight', 128, false, sharedHitOf),
        await measureEach(run, players, 'Redis hit, get, 128 in flight', 128, false, sharedGetOf),
        await measureEach(run, players, 'Redis hit, hardTimeout, 128 in flight', 128, false, timedHitOf),
        await measureTimeouts(run, players),
        await measureEach(run, players, 'getOrSetMany of 100, local', 1, true, localBatchOf),
        await measureEach(run, players, 'getOrSetMany of 100, Redis', 4, false, sharedBatchOf),
        await measureEach(run, players, 'cold load, 16 in flight', 16, false, coldLoadOf),
      ]
    } finally {
      await Promise.all(
        players.flatMap(({ local, shared, strict }) =>
          [local, shared, strict].map((cache) => cache.shutdown()),
        ),
      )
    }
  },
}

const keyAt = (index: number) => keyOf(index % KEYS)
const TAGGED = { tags: ['users', 'shop'] }
const TIMED = { hardTimeout: '5s' } as const
const unwanted = () => Promise.reject(new Error('a hit loads nothing'))

async function open(name: string, prefix: string, build: Build, url: string): Promise<Player> {
  const local = build({ redis: url, prefix, ttl: '1h' })
  const shared = build({ redis: url, prefix, ttl: '1h', local: false })
  const strict = build({ redis: url, prefix: `${prefix}strict:`, ...EVERY })
  const space = strict.namespace('space', EVERY)
  for (let times = 0; times < 2; times++) {
    for (let id = 0; id < KEYS; id++) {
      await local.getOrSet(keyOf(id), () => OBJECT_1K.valueOf(id), TAGGED)
      await shared.get(keyOf(id))
      for (const one of [strict, space]) await one.getOrSet(keyOf(id), () => OBJECT_1K.valueOf(id))
    }
  }
  return { name, local, shared, strict, space }
}

const localHitOf =
  ({ local }: Player) =>
  (index: number) =>
    local.getOrSet(keyAt(index), unwanted)
const taggedHitOf =
  ({ local }: Player) =>
  (index: number) =>
    local.getOrSet(keyAt(index), unwanted, TAGGED)
const strictCallOf =
  ({ local }: Player) =>
  (index: number) =>
    local.getOrSet(keyAt(index), unwanted, EVERY)
const strictCacheOf =
  ({ strict }: Player) =>
  (index: number) =>
    strict.getOrSet(keyAt(index), unwanted)
const strictSpaceOf =
  ({ space }: Player) =>
  (index: number) =>
    space.getOrSet(keyAt(index), unwanted)
const peekOf =
  ({ local }: Player) =>
  (index: number) =>
    local.peek(keyAt(index))
const sharedHitOf =
  ({ shared }: Player) =>
  (index: number) =>
    shared.getOrSet(keyAt(index), unwanted)
const sharedGetOf =
  ({ shared }: Player) =>
  (index: number) =>
    shared.get(keyAt(index))
const timedHitOf =
  ({ shared }: Player) =>
  (index: number) =>
    shared.getOrSet(keyAt(index), unwanted, TIMED)

const batchAt = (index: number) =>
  Array.from({ length: KEYS_OF_A_BATCH }, (_, offset) => keyAt(index * KEYS_OF_A_BATCH + offset))
const localBatchOf =
  ({ local }: Player) =>
  (index: number) =>
    local.getOrSetMany(batchAt(index), unwanted)
const sharedBatchOf =
  ({ shared }: Player) =>
  (index: number) =>
    shared.getOrSetMany(batchAt(index), unwanted)

function coldLoadOf({ local }: Player): (index: number) => unknown {
  let loads = 0
  return () => local.getOrSet(`cold:${loads++}`, () => OBJECT_1K.valueOf(loads), { ttl: '10s' })
}

async function measureEach(
  { progress, redis, rounds, turnMs }: Run,
  players: readonly Player[],
  title: string,
  inFlight: number,
  isLocal: boolean,
  workOf: (player: Player) => Task['run'],
): Promise<Section> {
  progress(title)
  const tasks = players.map((player): Task => ({ contender: player.name, kind: 'ours', run: workOf(player) }))
  return {
    id: `versions/${title}`,
    title: `versions: ${title}`,
    figure: 'perSecond',
    baseline: OTHER,
    rows: await throughput(tasks, { redis, rounds, turnMs, inFlight, isLocal }),
  }
}

/** What a timeout costs a hit in Redis, within each build. */
async function measureTimeouts(run: Run, players: readonly Player[]): Promise<Section> {
  const title = 'Redis hit with and without hardTimeout, 128 in flight'
  run.progress(title)
  const tasks = players.flatMap((player): Task[] => [
    { contender: player.name, kind: 'ours', run: sharedHitOf(player) },
    {
      contender: player.name === THIS ? 'this build, hardTimeout' : OTHER_WITH_TIMEOUT,
      kind: 'ours',
      run: timedHitOf(player),
    },
  ])
  const { redis, rounds, turnMs } = run
  return {
    id: 'versions/hardTimeout',
    title: `versions: ${title}`,
    figure: 'perSecond',
    baseline: THIS,
    rows: await throughput(tasks, { redis, rounds, turnMs, inFlight: 128 }),
  }
}
