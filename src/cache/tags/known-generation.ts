import { type GenerationValue, isExpired } from '../../codec/envelope/generation-value.ts'

/** What this process knows of one generation. Entries refer to this object, so one flag invalidates them all. */
export class KnownGeneration {
  readonly value: GenerationValue
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

  constructor(value: GenerationValue, learnedAt: number, confirmedAt: number) {
    this.value = value
    this.generation = value.generation
    this.learnedAt = learnedAt
    this.confirmedAt = confirmedAt
  }

  /** Whether an entry that is bound to this generation is valid: it is the current one, or was until it expired. */
  admits(generation: string): boolean {
    return generation === this.generation || isExpired(this.value, generation)
  }
}
