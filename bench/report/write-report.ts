import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { drawChart } from './chart.ts'
import { formatReport } from './markdown.ts'
import type { Report } from './report.ts'

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
