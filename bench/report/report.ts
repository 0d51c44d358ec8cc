import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { Section } from '../measure/section.ts'
import { drawChart } from './chart.ts'
import { type Growth, growthOf } from './growth.ts'
import { formatReport } from './markdown.ts'
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

/** Writes a report as JSON, as Markdown and as a chart, named after its day. */
export function writeReport(report: Report, directory: string): readonly string[] {
  mkdirSync(directory, { recursive: true })
  const files = [
    ['json', formatJson(report)],
    ['md', formatReport(report)],
    ['svg', drawChart(report.sections)],
  ] as const
  return files.map(([extension, text]) => {
    const path = join(directory, `${report.date}.${extension}`)
    writeFileSync(path, text)
    return path
  })
}

/** The samples of a figure stand on one line. */
function formatJson(report: Report): string {
  const text = JSON.stringify(report, roundedNumbers, 1)
  return `${text.replaceAll(/\[[\d\s.,e+-]*\]/g, (list) => list.replaceAll(/\s+/g, ''))}\n`
}

/** Five digits: a file that is kept need not tell the noise. */
function roundedNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value
}
