import { LRUCache } from 'lru-cache'

/** The most invalidations that are remembered one by one. */
const MOST_REMEMBERED = 50_000

/**
 * The order of events in this process: its reads of generations, and the invalidations that it makes or is notified of.
 *
 * A moment is a count of these events. The log tells, without a clock, whether a generation was invalidated after a
 * moment.
 */
export class InvalidationLog {
  readonly #invalidatedAt: LRUCache<string, number>
  #now = 1
  /** The log has forgotten single invalidations up to this moment: every generation counts as invalidated at it. */
  #floor = 0

  constructor() {
    this.#invalidatedAt = new LRUCache({
      // With `max`, lru-cache would allocate memory for all invalidations at once.
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

  /** Begins the next moment, and returns it. */
  advance(): number {
    return ++this.#now
  }

  invalidated(storedKey: string): void {
    this.#invalidatedAt.set(storedKey, ++this.#now)
  }

  /** Any generation may have been invalidated without a notification. */
  epochBegan(): void {
    this.#floor = ++this.#now
  }

  /** Whether this process made an invalidation, or was notified of one, after that moment. */
  heardSince(storedKey: string, moment: number): boolean {
    return (this.#invalidatedAt.peek(storedKey) ?? 0) > moment
  }

  /** As {@link heardSince}, and `true` if this process cannot tell. */
  mayHaveBeenSince(storedKey: string, moment: number): boolean {
    return this.#floor > moment || this.heardSince(storedKey, moment)
  }
}
