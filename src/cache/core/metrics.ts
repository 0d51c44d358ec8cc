import { WeakValues } from '../../foundation/weak-values.ts'
import { type AllCounts, type Counted, Counts, sumOf } from './counts.ts'

/** Counts what happens in one key space. Whoever counts holds on to it. */
export class Metrics {
  readonly #counts: Counts
  readonly #totals: Counts['totals']
  #secondEndsMs = 0

  constructor(counts: Counts) {
    this.#counts = counts
    this.#totals = counts.totals
  }

  add(name: keyof Counted, amount: number, nowMs: number): void {
    if (nowMs >= this.#secondEndsMs) this.#mark(nowMs)
    this.#totals[name] += amount
  }

  /** As {@link localHit}. */
  sharedHit(nowMs: number, loadCostMs: number): void {
    if (nowMs >= this.#secondEndsMs) this.#mark(nowMs)
    this.#totals.sharedHits++
    this.#totals.savedMs += loadCostMs
  }

  /** Separate from {@link add}, since this happens millions of times a second. */
  localHit(nowMs: number, loadCostMs: number): void {
    if (nowMs >= this.#secondEndsMs) this.#mark(nowMs)
    this.#totals.localHits++
    this.#totals.savedMs += loadCostMs
  }

  #mark(nowMs: number): void {
    this.#secondEndsMs = this.#counts.mark(nowMs)
  }
}

/** So many names are counted apart, and more only while somebody holds their namespaces. */
const MOST_NAMES = 1_000
/** So many names are left when those that nobody holds are given up. */
const NAMES_LEFT = MOST_NAMES / 2

/**
 * The counts of a cache, by key space. Each is counted once, where it happened; the counts of a cache or a namespace are
 * the sum of its own and of those within it, which is made when somebody asks.
 *
 * Names of namespaces may be made of input. So if there are too many, the counts of those that nobody holds any more go
 * to the namespace around them: no sum changes, and the name begins anew. Those that were made longest ago go first.
 */
export class MetricsByName {
  /** The counts of the cache itself. */
  readonly root: Metrics
  readonly #rootCounts = new Counts()
  /** By the prefix of the names in the local tier: `users:`. */
  readonly #counts = new Map<string, Counts>()
  readonly #metrics = new WeakValues<Metrics>()
  #mostNames = MOST_NAMES

  constructor() {
    this.root = new Metrics(this.#rootCounts)
  }

  /** What counts in the key space with this prefix; empty for that of the cache. */
  of(prefix: string): Metrics {
    if (prefix === '') return this.root
    const known = this.#metrics.get(prefix)
    if (known !== undefined) return known
    const counts = this.#counts.get(prefix) ?? new Counts()
    // It is the last one now.
    this.#counts.delete(prefix)
    this.#counts.set(prefix, counts)
    const metrics = new Metrics(counts)
    this.#metrics.set(prefix, metrics)
    if (this.#counts.size > this.#mostNames) this.#giveUpUnheld()
    return metrics
  }

  /** The number of key spaces that are counted apart. */
  get size(): number {
    return this.#counts.size
  }

  /** The counts of the cache, with all of its namespaces and collections. */
  all(nowMs: number): AllCounts {
    return sumOf([this.#rootCounts, ...this.#counts.values()], nowMs)
  }

  /** The counts of the key space with this prefix, and of those within it. */
  within(prefix: string, nowMs: number): AllCounts {
    const counts = [...this.#counts].filter(([name]) => name.startsWith(prefix)).map(([, one]) => one)
    return sumOf(counts, nowMs)
  }

  #giveUpUnheld(): void {
    const unheld = [...this.#counts.keys()].filter((prefix) => this.#metrics.get(prefix) === undefined)
    const givenUp = new Set(unheld.slice(0, this.#counts.size - NAMES_LEFT))
    /** Those around the present one that stay, the nearest last: in order, what lies within a key space follows it. */
    const around: [prefix: string, counts: Counts][] = [['', this.#rootCounts]]
    for (const [prefix, counts] of [...this.#counts].sort(([one], [other]) => (one < other ? -1 : 1))) {
      while (!prefix.startsWith(around.at(-1)?.[0] ?? '')) around.pop()
      if (!givenUp.has(prefix)) {
        around.push([prefix, counts])
        continue
      }
      around.at(-1)?.[1].absorb(counts)
      this.#counts.delete(prefix)
    }
    this.#mostNames = Math.max(MOST_NAMES, 2 * this.#counts.size)
  }
}
