/** What has been received from another publisher. */
interface Publisher {
  /** The number of the next message in order. */
  next: number
  /** Numbers greater than `next` that have arrived out of order. */
  readonly early: Set<number>
  /** When the first message after the missing `next` arrived; `undefined` while none is missing. */
  gapSinceMs: number | undefined
  lastMessageAtMs: number
}

/** A publisher is forgotten when nothing has come from it for this many times the trust. */
const FORGOTTEN_AFTER = 20
/** The most publishers. More than that do not share a channel. */
const MOST_PUBLISHERS = 10_000
/** The most numbers, over all publishers, that have arrived out of order. */
const MOST_EARLY = 10_000

/**
 * What a number says of the messages of its publisher:
 *
 * - `'in-order'`: it is the next one, or one that comes early
 * - `'repeated'`: it has been counted before, so one of the two may be forged, and the message that it belongs to may
 *   be lost
 * - `'crowded'`: there is no room to count it
 */
export type Numbered = 'in-order' | 'repeated' | 'crowded'

/** The publishers on a channel, by the numbers of their messages. Its memory is bounded, whoever publishes. */
export class Publishers {
  readonly #trustMs: number
  readonly #publishers = new Map<string, Publisher>()
  #earlyCount = 0

  constructor(trustMs: number) {
    this.#trustMs = trustMs
  }

  /** The publishers and the early numbers that are remembered. */
  get size(): number {
    return this.#publishers.size + this.#earlyCount
  }

  clear(): void {
    this.#publishers.clear()
    this.#earlyCount = 0
  }

  /** Counts a message. */
  record(id: string, number: number, nowMs: number): Numbered {
    const publisher = this.#publishers.get(id)
    if (publisher === undefined) {
      if (this.#publishers.size >= MOST_PUBLISHERS) return 'crowded'
      const first = { next: number + 1, early: new Set<number>(), gapSinceMs: undefined }
      this.#publishers.set(id, { ...first, lastMessageAtMs: nowMs })
      return 'in-order'
    }
    publisher.lastMessageAtMs = nowMs
    if (number < publisher.next || publisher.early.has(number)) return 'repeated'
    if (number === publisher.next) publisher.next++
    else if (this.#earlyCount >= MOST_EARLY) return 'crowded'
    else this.#addEarly(publisher, number)
    this.#closeGap(publisher, nowMs)
    return 'in-order'
  }

  /**
   * Whether messages are lost. On a cluster, messages of one publisher may overtake one another. So a missing one counts
   * as lost only after half of the trust. The numbers that have come early are then the last ones that have arrived.
   */
  haveLost(nowMs: number): boolean {
    let haveLost = false
    for (const [id, publisher] of this.#publishers) {
      const { gapSinceMs, lastMessageAtMs } = publisher
      if (gapSinceMs !== undefined && nowMs - gapSinceMs > this.#trustMs / 2) {
        haveLost = true
        this.#skipGap(publisher)
      } else if (nowMs - lastMessageAtMs > FORGOTTEN_AFTER * this.#trustMs) {
        this.#skipGap(publisher)
        this.#publishers.delete(id)
      }
    }
    return haveLost
  }

  #addEarly({ early }: Publisher, number: number): void {
    early.add(number)
    this.#earlyCount++
  }

  #closeGap(publisher: Publisher, nowMs: number): void {
    while (publisher.early.delete(publisher.next)) {
      publisher.next++
      this.#earlyCount--
    }
    publisher.gapSinceMs = publisher.early.size === 0 ? undefined : (publisher.gapSinceMs ?? nowMs)
  }

  #skipGap(publisher: Publisher): void {
    for (const number of publisher.early) publisher.next = Math.max(publisher.next, number + 1)
    this.#earlyCount -= publisher.early.size
    publisher.early.clear()
    publisher.gapSinceMs = undefined
  }
}
