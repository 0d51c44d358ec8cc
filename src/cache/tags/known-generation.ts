/** What this process knows of one generation. Entries refer to this object, so one flag invalidates them all. */
export class KnownGeneration {
  readonly generation: string
  /** Since when it has been live without a break: a moment of the {@link InvalidationLog}. */
  learnedAt: number
  /** Before which moment the read was sent that last confirmed it. */
  confirmedAt: number
  /** Until when it may be believed where nobody tells of changes, in milliseconds of the monotonic clock. */
  believedUntilMs: number = Number.POSITIVE_INFINITY
  /** Whether it is the current one, as far as this process knows. */
  isLive = false
  /** Whether it may have been replaced. Where neither flag is set, this process does not know. */
  isDead = false

  constructor(generation: string, learnedAt: number, confirmedAt: number) {
    this.generation = generation
    this.learnedAt = learnedAt
    this.confirmedAt = confirmedAt
  }
}
