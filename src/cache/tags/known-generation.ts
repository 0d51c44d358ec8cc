/** What this process knows of one generation. Entries refer to it, so that one flag ends them all. */
export class KnownGeneration {
  readonly generation: string
  /** When it was read, and has not been in doubt since: a count of this process's events. */
  learnedAt: number
  /** Whether it is known to be the present one. */
  isLive: boolean
  /** Whether it may have been renewed; where neither is set, it is merely not known any more. */
  isDead = false

  constructor(generation: string, learnedAt: number, isLive: boolean) {
    this.generation = generation
    this.learnedAt = learnedAt
    this.isLive = isLive
  }
}
