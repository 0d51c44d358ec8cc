import { cpus } from 'node:os'
import type { Section } from '../measure/section.ts'
import { type Growth, growthOf } from './growth.ts'
import { type Target, type Verdict, verdictsOn } from './verdicts.ts'

/** Everything that a run has found. */
export interface Report {
  /** The day, as `YYYY-MM-DD`. */
  readonly date: string
  readonly tookMs: number
  readonly rounds: number
  readonly machine: {
    readonly node: string
    readonly redis: string
    readonly cpu: string
    readonly cores: number
  }
  readonly verdicts: readonly Verdict[]
  readonly growths: readonly Growth[]
  readonly sections: readonly Section[]
}

export function reportOn(
  sections: readonly Section[],
  targets: readonly Target[],
  run: { readonly rounds: number; readonly tookMs: number; readonly redis: string },
): Report {
  const growths = growthOf(sections)
  const processors = cpus()
  return {
    date: new Date().toISOString().slice(0, 10),
    tookMs: Math.round(run.tookMs),
    rounds: run.rounds,
    machine: {
      node: process.version,
      redis: run.redis,
      cpu: processors[0]?.model ?? 'unknown',
      cores: processors.length,
    },
    verdicts: verdictsOn(targets, sections, growths),
    growths,
    sections,
  }
}
