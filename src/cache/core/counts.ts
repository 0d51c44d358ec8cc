import type { LocalUsage } from '../local/local-shelf.ts'

/**
 * Counts of what has happened in a namespace or a collection, and in those within it. A call over many keys counts once
 * for each key.
 */
export interface NamespaceTotals {
  /** Calls answered with a fresh value of this process, without a round trip. */
  readonly localHits: number
  /** Calls answered with a fresh value from Redis. */
  readonly sharedHits: number
  /** Calls that found nothing to serve: they waited for a load, or got `undefined`. */
  readonly misses: number
  /** Calls answered with a stale value: while a new one was loaded, or because the load failed or was slow. */
  readonly staleServes: number
  /**
   * Seconds that the loads of all hits took, added up: each local or shared hit adds what the load of its value took, in
   * whatever process. A value that was stored by `set`, and a plain value, add nothing.
   */
  readonly savedSeconds: number
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
  /** Bytes that were stored in Redis. */
  readonly bytesWritten: number
  /**
   * Entries that were evicted from this process for lack of room: those of a namespace count the room that it has for
   * itself (`local`), and those within it; the room that all share counts for the cache alone.
   */
  readonly evictions: number
}

/** Counts of what has happened in a cache, its namespaces and its collections. */
export type CacheTotals = NamespaceTotals

/** {@link NamespaceTotals} as they are counted: a hit adds the milliseconds that its entry has. */
export type Counted = Omit<NamespaceTotals, 'savedSeconds'> & { readonly savedMs: number }

type Changeable = { -readonly [name in keyof Counted]: number }

/**
 * What has happened in a namespace or a collection, and in those within it. Plain data, which can be logged, compared and
 * sent as it is.
 */
export interface NamespaceStats {
  /**
   * Since the name was first used in this cache. If there are more than a thousand names, one that no namespace and no
   * collection has any more may begin anew.
   */
  readonly total: NamespaceTotals
  /** In the last sixty seconds, to the second. */
  readonly lastMinute: NamespaceTotals
  /** What it keeps in the room that it has for itself in this process; absent if it has none. As for a cache. */
  readonly local?: LocalUsage
}

/** The counts of one or more key spaces. */
export type AllCounts = Pick<NamespaceStats, 'total' | 'lastMinute'>

const SECOND_MS = 1_000
const SECONDS_PER_MINUTE = 60

/** The totals at the beginning of a second, which counts from the beginning of the clock. */
interface Mark {
  readonly second: number
  readonly totals: Counted
}

/**
 * Totals, and what they were at the beginning of each of the last sixty seconds in which something was counted. The first
 * count of a second sets its mark, not a timer, so an idle cache does nothing.
 */
export class Counts {
  readonly totals: Changeable = zero()
  #marks: Mark[] = []

  /** Called before the first count of each second. @returns when that second ends, in milliseconds of the clock */
  mark(nowMs: number): number {
    const second = Math.floor(nowMs / SECOND_MS)
    const last = this.#marks.at(-1)
    if (last === undefined || last.second < second) {
      this.#keepSince(second)
      this.#marks.push({ second, totals: { ...this.totals } })
    }
    return (second + 1) * SECOND_MS
  }

  /** What was counted in the last sixty seconds, to the second. */
  lastMinute(nowMs: number): Counted {
    return minus(this.totals, this.#before(firstOfMinute(Math.floor(nowMs / SECOND_MS))))
  }

  /** Adds what others have counted, as if it had been counted here. */
  absorb(others: Counts): void {
    const seconds = new Set([...this.#marks, ...others.#marks].map(({ second }) => second))
    const inOrder = [...seconds].sort((one, other) => one - other)
    this.#marks = inOrder.map((second) => ({
      second,
      totals: plus(this.#before(second), others.#before(second)),
    }))
    this.#keepSince(inOrder.at(-1) ?? 0)
    Object.assign(this.totals, plus(this.totals, others.totals))
  }

  /** The totals at the beginning of a second of the last minute. */
  #before(second: number): Counted {
    return this.#marks.find((mark) => mark.second >= second)?.totals ?? this.totals
  }

  /** Drops the marks that no question of this second or later asks for. */
  #keepSince(second: number): void {
    const first = this.#marks.findIndex((mark) => mark.second >= firstOfMinute(second))
    this.#marks.splice(0, first < 0 ? this.#marks.length : first)
  }
}

/** The totals of all these counts together. */
export function sumOf(counts: Iterable<Counts>, nowMs: number): AllCounts {
  let total: Counted = zero()
  let lastMinute: Counted = zero()
  for (const one of counts) {
    total = plus(total, one.totals)
    lastMinute = plus(lastMinute, one.lastMinute(nowMs))
  }
  return { total: told(total), lastMinute: told(lastMinute) }
}

function firstOfMinute(second: number): number {
  return second - SECONDS_PER_MINUTE + 1
}

function told({ savedMs, ...totals }: Counted): CacheTotals {
  return { ...totals, savedSeconds: savedMs / 1_000 }
}

function plus(one: Counted, other: Counted): Counted {
  return combined(one, other, 1)
}

function minus(one: Counted, other: Counted): Counted {
  return combined(one, other, -1)
}

function combined(one: Counted, other: Counted, sign: 1 | -1): Counted {
  const result = zero()
  for (const name of NAMES) result[name] = one[name] + sign * other[name]
  return result
}

function zero(): Changeable {
  return {
    localHits: 0,
    sharedHits: 0,
    misses: 0,
    staleServes: 0,
    savedMs: 0,
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

const NAMES = Object.keys(zero()) as readonly (keyof Counted)[]
