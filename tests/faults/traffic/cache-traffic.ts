import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Cache } from 'cachewright'
import { type CallCounts, CallLog } from './call-log.ts'
import type { LoopStalls } from './loop-stalls.ts'
import { KEYS, keyOf, LOADER_MS, PROBES, probeOf, sharedNowMs } from './setting.ts'
import type { Source } from './source.ts'

const READERS = 3
const READ_PAUSE_MS = 60
const CHANGE_PAUSE_MS = 70
const PROBE_PAUSE_MS = 50
const ONCE_TTL = '2s'

/** What is stored: whose value it is, and which version. */
interface Stored {
  readonly key: string
  readonly version: number
}

/** A version that a read returned. Times by `sharedNowMs`. */
export interface SeenVersion {
  readonly key: string
  readonly version: number
  readonly beganMs: number
  /** Whether it may come of a local copy. */
  readonly isLocal: boolean
}

/** A change that was acknowledged. */
export interface Acknowledged {
  readonly key: string
  readonly version: number
  readonly atMs: number
}

/** A read past the local tier that changes nothing: whether Redis had the value. */
export interface Probe {
  readonly key: string
  readonly beganMs: number
  readonly endedMs: number
  readonly isHit: boolean
  /** Whether the local tier served another key meanwhile, which is always asked for. */
  readonly isLocalHit: boolean
}

/** What the traffic of a cache has come to since it was last asked. */
export interface TrafficReport {
  readonly seen: readonly SeenVersion[]
  readonly acknowledged: readonly Acknowledged[]
  readonly probes: readonly Probe[]
  /** Values of other keys, and what is no value of the source at all. */
  readonly foreign: readonly string[]
  /** Sums since the start. */
  readonly changes: number
  readonly loads: number
  readonly reads: number
  readonly calls: CallCounts
}

/** Steady reads and changes over one cache, of values that the source numbers. */
export class CacheTraffic {
  readonly #cache: Cache
  readonly #source: Source
  readonly #isOwn: (number: number) => boolean
  readonly #slowness: number
  readonly #calls: CallLog
  #seen: SeenVersion[] = []
  #acknowledged: Acknowledged[] = []
  #probes: Probe[] = []
  #foreign: string[] = []
  #changes = 0
  #loads = 0
  #reads = 0
  #isOver = false

  /**
   * @param isOwn whether this cache changes the key of this number; two values set at the same time have no order
   * @param slowness how many times as long as usual it pauses between calls
   */
  constructor(
    cache: Cache,
    source: Source,
    stalls: LoopStalls,
    isOwn: (number: number) => boolean,
    slowness: number,
  ) {
    this.#slowness = slowness
    this.#cache = cache
    this.#source = source
    this.#isOwn = isOwn
    this.#calls = new CallLog(stalls)
  }

  get unsettled(): number {
    return this.#calls.unsettled
  }

  start(): void {
    const readers = Array.from({ length: READERS }, () => this.#repeat(READ_PAUSE_MS, () => this.#read()))
    for (const loop of [...readers, this.#repeat(CHANGE_PAUSE_MS, () => this.#change()), this.#probeAll()])
      loop.catch((error) => this.#foreign.push(`the traffic has ended: ${error?.stack}`))
  }

  stop(): void {
    this.#isOver = true
  }

  report(): TrafficReport {
    const report = {
      seen: this.#seen,
      acknowledged: this.#acknowledged,
      probes: this.#probes,
      foreign: this.#foreign,
      changes: this.#changes,
      loads: this.#loads,
      reads: this.#reads,
      calls: this.#calls.counts(),
    }
    this.#seen = []
    this.#acknowledged = []
    this.#probes = []
    this.#foreign = []
    return report
  }

  /** The keys whose value is older than the source's, past the local tier or from it. */
  async outdated(): Promise<string[]> {
    const outdated: string[] = []
    for (let number = 0; number < KEYS; number++) {
      const key = keyOf(number)
      const current = await this.#source.read(key)
      const inRedis = await this.#cache.get<Stored>(key, { local: false })
      if (inRedis !== undefined && inRedis.version !== current) outdated.push(`${key} in Redis`)
      const served = await this.#cache.getOrSet<Stored>(key, async () => ({ key, version: current }))
      if (served.version !== current) outdated.push(`${key} as it is served`)
    }
    return outdated
  }

  async #repeat(pauseMs: number, act: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      await act()
      await pause(Math.random() * 2 * pauseMs * this.#slowness)
    }
  }

  async #read(): Promise<void> {
    const key = keyOf(below(KEYS))
    const choice = Math.random()
    if (choice < 0.7) {
      await this.#see([key], true, () =>
        this.#calls.run('getOrSet', () =>
          this.#cache.getOrSet(key, () => this.#load(key), { tags: [tagOf(key)] }),
        ),
      )
    } else if (choice < 0.8) {
      const keys = [key, keyOf(below(KEYS)), keyOf(below(KEYS)), keyOf(below(KEYS))]
      const load = async (missing: readonly string[]) =>
        new Map(await Promise.all(missing.map(async (each) => [each, await this.#load(each)] as const)))
      const options = { tags: keys.map(tagOf) }
      await this.#see(keys, true, () =>
        this.#calls.run('getOrSetMany', () => this.#cache.getOrSetMany(keys, load, options)),
      )
    } else if (choice < 0.85) {
      await this.#readOnce()
    } else {
      const options = choice < 0.95 ? { local: false } : {}
      await this.#see([key], options.local !== false, () =>
        this.#calls.run('get', () => this.#cache.get<Stored>(key, options)),
      )
    }
  }

  /** Reads a key that is never read again, so that whatever is kept for a key has to be given up. */
  async #readOnce(): Promise<void> {
    const key = `once:${randomUUID()}`
    const load = async () => ({ key, version: 0 })
    await this.#see([key], true, () =>
      this.#calls.run('getOrSet', () => this.#cache.getOrSet(key, load, { ttl: ONCE_TTL })),
    )
  }

  async #see(
    keys: readonly string[],
    isLocal: boolean,
    read: () => Promise<Stored | ReadonlyMap<string, Stored | undefined> | undefined>,
  ): Promise<void> {
    const beganMs = sharedNowMs()
    const answer = await read()
    this.#reads++
    for (const key of keys) {
      const value = answer instanceof Map ? answer.get(key) : answer
      if (value === undefined) continue
      if (value.key !== key) this.#foreign.push(`${key} was answered with ${JSON.stringify(value)}`)
      else this.#seen.push({ key, version: value.version, beganMs, isLocal })
    }
  }

  async #load(key: string): Promise<Stored> {
    this.#loads++
    const version = await this.#source.read(key)
    await pause(Math.random() * LOADER_MS)
    return { key, version }
  }

  async #change(): Promise<void> {
    const number = below(KEYS)
    if (!this.#isOwn(number)) return
    const key = keyOf(number)
    const version = await this.#source.commit(key)
    this.#changes++
    const isDone = await this.#tell(key, version)
    if (isDone === true || isDone === 1) this.#acknowledged.push({ key, version, atMs: sharedNowMs() })
  }

  /** Tells the cache of a change, in one of the ways that there are. */
  #tell(key: string, version: number): Promise<unknown> {
    const choice = Math.random()
    if (choice < 0.4) return this.#calls.run('delete', () => this.#cache.delete(key))
    if (choice < 0.7) return this.#calls.run('invalidateTags', () => this.#cache.invalidateTags([tagOf(key)]))
    return this.#calls.run('set', () => this.#cache.set(key, { key, version }, { tags: [tagOf(key)] }))
  }

  /** Whether a value that was asked for a moment ago is served of the local tier. */
  async #isServedLocally(): Promise<boolean> {
    const isLocal = this.#cache.peek(LOCAL_KEY) !== undefined
    await this.#calls.run('getOrSet', () =>
      this.#cache.getOrSet(LOCAL_KEY, async () => ({ key: LOCAL_KEY, version: 0 })),
    )
    return isLocal
  }

  /** One probe after the other, over keys that nobody changes. */
  async #probeAll(): Promise<void> {
    for (let number = 0; !this.#isOver; number = (number + 1) % PROBES) {
      const isHit = await this.#probe(probeOf(number))
      // What was just loaded is asked for once more, so that the first hit does not wait for a round over all keys.
      if (!isHit) await this.#probe(probeOf(number))
    }
  }

  async #probe(key: string): Promise<boolean> {
    const beganMs = sharedNowMs()
    let isLoaded = false
    const load = async () => {
      isLoaded = true
      return { key, version: 0 }
    }
    const value = await this.#calls.run('getOrSet', () => this.#cache.getOrSet(key, load, { local: false }))
    if (value !== undefined && value.key !== key)
      this.#foreign.push(`${key} was answered with ${JSON.stringify(value)}`)
    const isHit = !isLoaded && value !== undefined
    const endedMs = sharedNowMs()
    const isLocalHit = await this.#isServedLocally()
    this.#probes.push({ key, beganMs, endedMs, isHit, isLocalHit })
    await pause(PROBE_PAUSE_MS * this.#slowness)
    return isHit
  }
}

const LOCAL_KEY = 'local'

const tagOf = (key: string): string => `tag:${key}`

const below = (bound: number): number => Math.floor(Math.random() * bound)
