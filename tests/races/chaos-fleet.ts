import { setTimeout as pause } from 'node:timers/promises'
import { type Cache, type CreateCacheOptions, createCache } from 'cachewright'

/** How long a local copy may be served after a change was acknowledged: `coherence.trust` with messages, `local.ttl` without. */
const BOUND_MS = 1_000
/** A local copy in mode `'ttl'` lives one round trip longer; clocks are read a moment later. */
const SLACK_MS = 300
const KEYS = 12
const READERS_PER_CACHE = 3

/** What the processes of a fleet have seen. */
interface FleetCounts {
  reads: number
  loads: number
  changes: number
  /** Also deletes that found nothing to delete. */
  unacknowledged: number
  /** Reads that were older than an acknowledged change, which a failover may have lost. */
  explained: number
}

/** Whether a server may have forgotten, when a read began, a change that was acknowledged then. */
export type MayBeLost = (acknowledgedAtMs: number, readAtMs: number) => boolean

/**
 * Caches of one mode, which stand for processes, over a source of numbered values. Every change is made at the source
 * first. A read that began after a change was acknowledged must not give an older value: past the local tier at once,
 * from a local copy after {@link BOUND_MS}.
 */
export class ChaosFleet {
  readonly name: string
  readonly wrong: string[] = []
  readonly counts: FleetCounts = { reads: 0, loads: 0, changes: 0, unacknowledged: 0, explained: 0 }
  readonly #caches: readonly Cache[]
  readonly #mayBeLost: MayBeLost
  readonly #source = new Map<string, number>()
  /** Of each key, the acknowledged versions, the oldest first. */
  readonly #acknowledged = new Map<string, { readonly version: number; readonly atMs: number }[]>()
  #isOver = false

  constructor(name: string, options: readonly CreateCacheOptions[], mayBeLost: MayBeLost) {
    this.name = name
    this.#mayBeLost = mayBeLost
    this.#caches = options.map((each) =>
      createCache({
        ...{
          prefix: `${name}:`,
          ttl: '5m',
          commandTimeout: '400ms',
          connectTimeout: '3s',
          local: { ttl: '1s' },
        },
        ...each,
        coherence: { trust: BOUND_MS / 1_000, ...each.coherence },
      }),
    )
  }

  /** Reads and changes until it is told to end. */
  async run(): Promise<void> {
    await Promise.all(
      this.#caches.flatMap((cache) => [
        this.#changes(cache, this.#caches.indexOf(cache)),
        ...Array.from({ length: READERS_PER_CACHE }, () => this.#reads(cache)),
      ]),
    )
  }

  /** When all is well again, nothing older may be left, and every process must work. */
  async settle(): Promise<void> {
    this.#isOver = true
    for (const cache of this.#caches) {
      for (let number = 0; number < KEYS; number++) {
        const key = keyOf(number)
        const beganMs = performance.now()
        const value = await cache.get<number>(key, { local: false })
        if (value !== undefined) this.#judge(key, value, beganMs, 0, 'when all is well again', false)
      }
    }
  }

  end(): void {
    this.#isOver = true
  }

  async close(): Promise<void> {
    await Promise.all(this.#caches.map((cache) => cache.shutdown()))
  }

  toString(): string {
    return `${this.name}: ${JSON.stringify(this.counts)}, ${this.wrong.length} wrong`
  }

  /** Each process changes keys of its own: two values that are set at the same time have no order. */
  async #changes(cache: Cache, place: number): Promise<void> {
    while (!this.#isOver) {
      const key = keyOf(below(KEYS / this.#caches.length) * this.#caches.length + place)
      const version = (this.#source.get(key) ?? 0) + 1
      this.#source.set(key, version)
      const choice = Math.random()
      const tags = [`tag:${key}`]
      this.counts.changes++
      const isAcknowledged =
        choice < 0.5
          ? await cache.delete(key)
          : choice < 0.75
            ? await cache.invalidateTags(tags)
            : await cache.set(key, version, { tags })
      if (isAcknowledged) this.#acknowledge(key, version)
      else this.counts.unacknowledged++
      await pause(Math.random() * 40)
    }
  }

  async #reads(cache: Cache): Promise<void> {
    while (!this.#isOver) {
      const key = keyOf(below(KEYS))
      const beganMs = performance.now()
      if (Math.random() < 0.2) {
        const value = await cache.get<number>(key, { local: false })
        if (value !== undefined) this.#judge(key, value, beganMs, 0, 'past the local tier', true)
      } else {
        const value = await cache.getOrSet(key, () => this.#load(key), { tags: [`tag:${key}`] })
        this.#judge(key, value, beganMs, BOUND_MS + SLACK_MS, 'through the local tier', true)
      }
      this.counts.reads++
      await pause(Math.random() * 6)
    }
  }

  async #load(key: string): Promise<number> {
    this.counts.loads++
    const version = this.#source.get(key) ?? 0
    await pause(Math.random() * 8)
    return version
  }

  #acknowledge(key: string, version: number): void {
    const versions = this.#acknowledged.get(key) ?? []
    versions.push({ version, atMs: performance.now() })
    this.#acknowledged.set(key, versions)
  }

  #judge(key: string, value: number, beganMs: number, boundMs: number, how: string, isLive: boolean): void {
    const missed = (this.#acknowledged.get(key) ?? []).find(
      ({ atMs, version }) => version > value && atMs <= beganMs - boundMs,
    )
    if (missed === undefined) return
    if (isLive && this.#mayBeLost(missed.atMs, beganMs)) {
      this.counts.explained++
      return
    }
    const ageMs = Math.round(beganMs - missed.atMs)
    this.wrong.push(
      `${how}: ${key} gave v${value}, but v${missed.version} had been acknowledged ${ageMs} ms before, at ${Math.round(beganMs)}`,
    )
  }
}

function keyOf(number: number): string {
  return `key:${number}`
}

function below(count: number): number {
  return Math.floor(Math.random() * count)
}
