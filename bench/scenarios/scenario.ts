import type { Standalone } from '../../testbed/redis-standalone.ts'
import type { Section } from '../measure/section.ts'

/** What a run gives to its scenarios. */
export interface Run {
  readonly redis: Standalone
  /** Interleaved rounds that count. */
  readonly rounds: number
  readonly turnMs: number
  /** Fewer sizes, for a look. */
  readonly isQuick: boolean
  progress(text: string): void
}

/** A kind of work that is measured. */
export interface Scenario {
  readonly name: string
  readonly about: string
  measure(run: Run): Promise<readonly Section[]>
}
