import type { Standalone } from '../../testbed/redis-standalone.ts'
import type { Contender } from '../contenders/contender.ts'
import type { Section } from '../measure/section.ts'

/** What a run gives to its scenarios. */
export interface Run {
  readonly redis: Standalone
  /** Who takes part, as far as a scenario is for them. */
  readonly contenders: readonly Contender[]
  /** Interleaved rounds that count. */
  readonly rounds: number
  readonly turnMs: number
  /** The sizes that targets are about, and no others. */
  readonly isQuick: boolean
  progress(text: string): void
}

/** A kind of work that is measured. */
export interface Scenario {
  readonly name: string
  readonly about: string
  measure(run: Run): Promise<readonly Section[]>
}
