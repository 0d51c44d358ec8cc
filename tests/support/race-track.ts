import { type CreateCacheOptions, createCache, type Duration, type EntryOptions } from 'cachewright'
import { afterAll, beforeAll } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { useBuild } from './build.ts'
import { type Change, type Participant, type Race, startChildren, startHere } from './participant.ts'

/** Rounds that follow one another on the same key: the later ones meet what the earlier ones left. */
const ROUNDS_PER_KEY = 4
/** Keys that are raced for at the same time. */
const LANES = 24
/** Then Redis is emptied: a removal by pattern walks through all keys, those of earlier rounds as well. */
const ROUNDS_PER_HEAT = 480
const PROCESSES = 4
const LOADS_PER_PROCESS = 2
/** A loader takes, and the change is made after, up to this long; callers come in the first half of it. */
const SPREAD_MS = 8

/** What is raced. */
interface Interleavings {
  readonly rounds: number
  /** How the cache is told of a change, a round each in turn. */
  readonly hows: readonly string[]
  readonly optionsOf?: (key: string) => EntryOptions
  readonly lateTagsOf?: (key: string) => readonly string[]
  /** Each key lies in a namespace of its own. */
  readonly isNamespaced?: boolean
  /** As in {@link Race}. */
  readonly hasPart?: boolean
  /** Each round begins with a value in Redis, stored with the same options. */
  readonly isPrimed?: boolean
  /** The source changes in a transaction of that length, and in as many at the same time. */
  readonly transactions?: {
    readonly commitMs: number
    readonly count: number
    readonly hold?: Duration
  }
  /** A plain cache-aside does the same at the same time. */
  readonly withPlain?: boolean
  /** As in {@link Race}. */
  readonly slots?: Race['slots']
}

/** What is raced on. */
interface TrackOptions {
  /** @default a single server */
  readonly cluster?: boolean
  /** Options of every cache. */
  readonly cache?: Omit<CreateCacheOptions, 'redis' | 'prefix'>
}

/** What it came to. */
interface Verdict {
  /** Cases in which a caller was served, or Redis held, a value older than an acknowledged change. */
  readonly wrong: readonly string[]
  /** In how many rounds the plain cache-aside was left with an older value. */
  readonly plainStale: number
  /** How many loads were not stored, since the change had come in between. */
  readonly defeated: number
  /** How many slots were filled. */
  readonly filled: number
  /** How often an older value was stored when a transaction had just been committed, and not yet ended. */
  readonly storedOld: number
  readonly loads: number
}

/** The race track of a test file, which is there as long as its tests run. */
export function useRaceTrack(options: TrackOptions = {}): RaceTrack {
  const track = new RaceTrack(options)
  useBuild('package')
  beforeAll(() => track.start())
  afterAll(() => track.stop())
  return track
}

/** Four processes with a cache each (this one among them), the Redis they share, and one that plays the source. */
class RaceTrack {
  readonly #prefix = 'race:'
  readonly #options: TrackOptions
  #redis: Standalone | undefined
  #cluster: RedisCluster | undefined
  #caches: CreateCacheOptions = {}
  #source: Standalone | undefined
  #participants: readonly Participant[] = []
  #tracks = 0

  constructor(options: TrackOptions) {
    this.#options = options
  }

  get redis(): Standalone {
    return this.#redis as Standalone
  }

  async start(): Promise<void> {
    const isCluster = this.#options.cluster === true
    const [redis, source, cluster] = await Promise.all([
      isCluster ? undefined : startStandalone(),
      startStandalone(),
      isCluster ? startCluster({ masters: 3, replicasPerMaster: 0 }) : undefined,
    ])
    this.#redis = redis
    this.#source = source
    this.#cluster = cluster
    const nodes = cluster?.urls
    const at = nodes === undefined ? redis?.url : { cluster: { nodes } }
    const cache = { ...this.#options.cache, prefix: this.#prefix }
    this.#caches = { ...cache, redis: at }
    const options = { redis: at, source: source.url, cache }
    const [here, children] = await Promise.all([startHere(options), startChildren(PROCESSES - 1, options)])
    this.#participants = [here, ...children]
  }

  async stop(): Promise<void> {
    await Promise.all(this.#participants.map((one) => one.end()))
    await Promise.all([this.#redis?.stop(), this.#source?.stop(), this.#cluster?.stop()])
  }

  async run(settings: Interleavings): Promise<Verdict> {
    const track = ++this.#tracks
    const wrong: string[] = []
    const before = await this.#counts()
    let plainStale = 0
    for (let first = 0; first < settings.rounds; first += ROUNDS_PER_HEAT) {
      if (first > 0) await this.#emptyRedis()
      const end = Math.min(first + ROUNDS_PER_HEAT, settings.rounds)
      plainStale += await this.#heat(track, { ...settings, first, end }, wrong)
    }
    const after = await this.#counts()
    return {
      wrong,
      plainStale,
      defeated: after.defeated - before.defeated,
      filled: after.filled - before.filled,
      storedOld: after.storedOld - before.storedOld,
      loads: after.loads - before.loads,
    }
  }

  /** The rounds from `first` to before `end`. Returns in how many the plain cache-aside was left with an older value. */
  async #heat(
    track: number,
    settings: Interleavings & { readonly first: number; readonly end: number },
    wrong: string[],
  ): Promise<number> {
    const { end, hows } = settings
    let plainStale = 0
    let next = settings.first
    const keys: { race: Race; version: number }[] = []
    const lane = async () => {
      while (next < end) {
        const number = next
        next += ROUNDS_PER_KEY
        const mayLag = this.#options.cluster === true || this.#options.cache?.coherence?.mode === 'bus'
        const race = { ...raceFor(`${track}-${number}`, settings), mayLag }
        let version = 1
        for (let round = number; round < Math.min(number + ROUNDS_PER_KEY, end); round++) {
          const how = hows[round % hows.length] as string
          const isStale = await this.#round(race, ++version, how, settings, wrong)
          if (isStale) plainStale++
        }
        keys.push({ race, version })
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    await this.#askNewcomer(keys, wrong)
    return plainStale
  }

  async #emptyRedis(): Promise<void> {
    await this.#redis?.ask('FLUSHALL')
    for (const port of (await this.#cluster?.masters()) ?? []) await this.#cluster?.ask(port, 'FLUSHALL')
  }

  /** Returns whether the plain cache-aside is left with an older value. */
  async #round(
    race: Race,
    version: number,
    how: string,
    { hasPart, isPrimed, transactions }: Interleavings,
    wrong: string[],
  ): Promise<boolean> {
    const accuse = (who: string, values: readonly (number | undefined)[]) => {
      for (const value of values) {
        if (value !== undefined && value < version)
          wrong.push(`${race.key} v${version} ${how}: ${who} got v${value} of [${values}]`)
      }
    }
    const change = this.#changeOf(race, version, how)
    const changer = this.#anybody()
    const older = { ...change, version: version - 1, asks: false, afterMs: 0 }
    await changer.change({
      ...older,
      how: isPrimed ? 'set' : hasPart ? 'delete, perhaps with the part' : 'delete',
    })

    const loads = this.#participants.flatMap((one) =>
      // A refresh that is raced for is one of several already.
      Array.from({ length: isPrimed ? 1 : LOADS_PER_PROCESS }, () =>
        one.load({ ...race, afterMs: random(SPREAD_MS / 2), loaderMs: random(SPREAD_MS) }),
      ),
    )
    const { commitMs, count = 1, hold } = transactions ?? {}
    const changers = [changer, ...Array.from({ length: count - 1 }, () => this.#anybody())]
    const ownValues = changers.map((one) =>
      one.change({ ...change, commitMs, hold, afterMs: random(SPREAD_MS) }),
    )
    accuse('the changing process', await Promise.all(ownValues))
    const looks = Math.random() < 0.5 ? this.#participants : []
    await Promise.all(looks.map(async (one) => accuse('who looks at once', await one.look(race))))

    await Promise.all(loads)
    // Before another caller asks, and so fills.
    const settled = await Promise.all(this.#participants.map((one) => one.settle(race)))
    for (const values of settled) accuse('who looks later', values)
    accuse('a process without a local tier', [await this.#anybody().askRedis(race)])
    if (!race.withPlain) return false
    return ((await changer.plainValue(race)) ?? version) < version
  }

  #changeOf(race: Race, version: number, how: string): Change {
    const { key, lateTags = [], namespace, options } = race
    const pattern = `${key.slice(0, -1)}?`
    return {
      ...{ ...race, how, version, pattern },
      // A change by another program is told by a push, which may come a moment later.
      asks: !how.startsWith('foreign') && Math.random() < 0.7,
      storedKey: `${this.#prefix}${namespace === undefined ? '' : `${namespace}:`}${key}`,
      changedTags: [...(options?.tags ?? []), ...lateTags].slice(0, 1),
    }
  }

  /** A process that starts now must not find anything older in Redis, either. */
  async #askNewcomer(keys: readonly { race: Race; version: number }[], wrong: string[]): Promise<void> {
    const newcomer = createCache({ ...this.#caches, errors: 'throw' })
    await Promise.all(
      keys.map(async ({ race, version }) => {
        const space = race.namespace === undefined ? newcomer : newcomer.namespace(race.namespace)
        const value = await space.get<number>(race.key)
        if (value !== undefined && value !== version)
          wrong.push(`${race.key} v${version}: a newcomer got v${value}`)
      }),
    )
    await newcomer.shutdown()
  }

  /** @throws Error if anything failed on the way */
  async #counts(): Promise<Omit<Verdict, 'wrong' | 'plainStale'>> {
    const counts = await Promise.all(this.#participants.map((one) => one.counts()))
    const failures = counts.flatMap((one) => one.failures)
    if (failures.length > 0) throw new Error(`${failures.length} operations failed: ${failures[0]}`)
    return {
      loads: counts.reduce((sum, one) => sum + one.loads, 0),
      defeated: counts.reduce((sum, one) => sum + one.defeated, 0),
      filled: counts.reduce((sum, one) => sum + one.filled, 0),
      storedOld: counts.reduce((sum, one) => sum + one.storedOld, 0),
    }
  }

  #anybody(): Participant {
    return this.#participants[Math.floor(Math.random() * this.#participants.length)] as Participant
  }
}

function raceFor(key: string, settings: Interleavings): Race {
  return {
    key,
    namespace: settings.isNamespaced ? `ns-${key}` : undefined,
    options: settings.optionsOf?.(key),
    lateTags: settings.lateTagsOf?.(key),
    hasPart: settings.hasPart,
    withPlain: settings.withPlain,
    slots: settings.slots,
  }
}

function random(most: number): number {
  return Math.random() * most
}
