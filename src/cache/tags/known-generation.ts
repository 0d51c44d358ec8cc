/** What this process knows of one generation. Entries refer to this object, so one flag invalidates them all. */
export class KnownGeneration {
  readonly generation: string
  /** The moment of the {@link InvalidationLog} since which it has been live without a break. */
  learnedAt: number
  /** The moment at which the read was sent that last confirmed it. */
  confirmedAt: number
  /** Until when it may be believed, in milliseconds of the monotonic clock; `Infinity` if changes are announced. */
  believedUntilMs: number = Number.POSITIVE_INFINITY
  /** Whether this process believes that it is the current one. */
  isLive = false
  /** Whether it may have been replaced. If neither flag is set, this process does not know. */
  isDead = false

  constructor(generation: string, learnedAt: number, confirmedAt: number) {
    this.generation = generation
    this.learnedAt = learnedAt
    this.confirmedAt = confirmedAt
  }
}
