import { LRUCache } from 'lru-cache'

/** Most invalidations that are remembered one by one. */
const MOST_REMEMBERED = 50_000

/**
 * The order of what this process does and hears: reads of generations, and invalidations of them.
 *
 * A moment is a count of such events. It answers whether a generation was invalidated between two moments, without a
 * clock.
 */
export class InvalidationLog {
  readonly #invalidatedAt: LRUCache<string, number>
  #now = 1
  /** Invalidations up to here are no longer told apart: every generation counts as invalidated. */
  #floor = 0

  constructor() {
    this.#invalidatedAt = new LRUCache({
      // Bounded by size: with `max`, lru-cache would allocate all of it at once.
      maxSize: MOST_REMEMBERED,
      sizeCalculation: () => 1,
      dispose: (at, _storedKey, reason) => {
        if (reason === 'evict') this.#floor = Math.max(this.#floor, at)
      },
    })
  }

  get now(): number {
    return this.#now
  }

  /** Ends the present moment, and returns the next. */
  advance(): number {
    return ++this.#now
  }

  invalidated(storedKey: string): void {
    this.#invalidatedAt.set(storedKey, ++this.#now)
  }

  /** Any generation may have been invalidated without notice. */
  epochBegan(): void {
    this.#floor = ++this.#now
  }

  /** Whether this process made or heard of an invalidation after that moment. */
  heardSince(storedKey: string, moment: number): boolean {
    return (this.#invalidatedAt.peek(storedKey) ?? 0) > moment
  }

  /** As {@link heardSince}, and `true` where this process cannot tell. */
  mayHaveBeenSince(storedKey: string, moment: number): boolean {
    return this.#floor > moment || this.heardSince(storedKey, moment)
  }
}
