/** Counts of what has happened in a cache and its namespaces. A call over many keys counts once for each key. */
export interface CacheTotals {
  /** Calls answered with a fresh value of this process, without a round trip. */
  readonly localHits: number
  /** Calls answered with a fresh value from Redis. */
  readonly sharedHits: number
  /** Calls that found nothing to serve: they waited for a load, or got `undefined`. */
  readonly misses: number
  /** Calls answered with a stale value: while a new one was loaded, or because the load failed or was slow. */
  readonly staleServes: number
  /** Loader calls that have ended, including failed ones. */
  readonly loads: number
  readonly loadErrors: number
  /** Calls that were rejected with the failure of an earlier load, without calling the loader (`errorTtl`). */
  readonly rememberedErrors: number
  /** Seconds that these calls took, added up. */
  readonly loadSeconds: number
  /** Values that were loaded anew before they expired (XFetch). */
  readonly earlyRefreshes: number
  /** Changes (`change`) whose work has ended, also by an error. */
  readonly changes: number
  /** Loads whose value was not stored, since a change held its key or one of its tags. */
  readonly heldBack: number
  /** Entries that the local tier evicted for lack of room. */
  readonly evictions: number
  /** Bytes that were stored in Redis. */
  readonly bytesWritten: number
}

type Name = keyof CacheTotals

const STEP_MS = 1_000
const STEPS_PER_MINUTE = 60

/** The totals at the beginning of a second. */
interface Mark {
  readonly atMs: number
  readonly totals: CacheTotals
}

/**
 * Counts events, and keeps the totals at the beginning of each of the last sixty seconds. A counted event sets these
 * marks, not a timer, so an idle cache does nothing.
 */
export class Metrics {
  readonly #totals: { -readonly [name in Name]: number } = zero()
  readonly #marks: Mark[] = []
  #stepEndsMs = 0

  add(name: Name, amount: number, nowMs: number): void {
    if (nowMs >= this.#stepEndsMs) this.#mark(nowMs)
    this.#totals[name] += amount
  }

  /** As {@link localHit}. */
  sharedHit(nowMs: number): void {
    if (nowMs >= this.#stepEndsMs) this.#mark(nowMs)
    this.#totals.sharedHits++
  }

  /** Separate from {@link add}, since this happens millions of times a second. */
  localHit(nowMs: number): void {
    if (nowMs >= this.#stepEndsMs) this.#mark(nowMs)
    this.#totals.localHits++
  }

  /** The totals since the cache was created. */
  get totals(): CacheTotals {
    return { ...this.#totals }
  }

  /** The totals of the last sixty seconds, to the second. */
  lastMinute(nowMs: number): CacheTotals {
    const sinceMs = nowMs - STEPS_PER_MINUTE * STEP_MS
    const before = this.#marks.find(({ atMs }) => atMs >= sinceMs)?.totals ?? this.#totals
    const recent = zero()
    for (const name of Object.keys(recent) as Name[]) recent[name] = this.#totals[name] - before[name]
    return recent
  }

  #mark(nowMs: number): void {
    this.#stepEndsMs = Math.floor(nowMs) + STEP_MS
    this.#marks.push({ atMs: nowMs, totals: this.totals })
    if (this.#marks.length > STEPS_PER_MINUTE) this.#marks.shift()
  }
}

function zero(): { -readonly [name in Name]: number } {
  return {
    localHits: 0,
    sharedHits: 0,
    misses: 0,
    staleServes: 0,
    loads: 0,
    loadErrors: 0,
    rememberedErrors: 0,
    loadSeconds: 0,
    earlyRefreshes: 0,
    changes: 0,
    heldBack: 0,
    evictions: 0,
    bytesWritten: 0,
  }
}
