import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Mode } from '../traffic/setting.ts'
import type { ModeOutcome, Outcome } from '../trial/outcome.ts'

/** What all faults came to on one server. */
export interface Result {
  /** Its name and version, as in "Redis 7.0.15". */
  readonly server: string
  readonly node: string
  readonly rows: readonly ResultRow[]
}

/** What one fault came to. Sums over all modes and processes, unless it is said otherwise. */
export interface ResultRow {
  readonly fault: string
  readonly lastedS: number
  readonly reads: number
  readonly acknowledged: number
  readonly wrong: number
  readonly lost: number
  readonly failed: number
  readonly unsettled: number
  /** By how much a call missed its deadline, at most, in milliseconds; 0 if none did. */
  readonly lateMs: number
  /** The age of the oldest value that the local tier served after its change was acknowledged, in milliseconds. */
  readonly staleMs: number
  readonly loadsInFault: number
  readonly readsInFault: number
  readonly heapGrowthBytes: number
  /** From the end of the fault until Redis answers, in milliseconds. */
  readonly firstHitMs: Readonly<Partial<Record<Mode, number | null>>>
}

export function rowOf({ fault, heapGrowthBytes, lastedMs, modes, unsettled }: Outcome): ResultRow {
  const sum = (of: (mode: ModeOutcome) => number) => modes.reduce((total, mode) => total + of(mode), 0)
  const most = (of: (mode: ModeOutcome) => number) => Math.round(Math.max(0, ...modes.map(of)))
  return {
    fault,
    lastedS: Math.round(lastedMs / 1_000),
    reads: sum(({ reads }) => reads),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    wrong: sum(({ wrongCount }) => wrongCount),
    lost: sum(({ lost }) => lost),
    failed: sum(({ failed }) => failed),
    unsettled,
    lateMs: most(({ lateMs }) => lateMs),
    staleMs: most(({ stalestMs }) => stalestMs),
    loadsInFault: sum(({ loadsInFault }) => loadsInFault),
    readsInFault: sum(({ readsInFault }) => readsInFault),
    heapGrowthBytes: Math.max(0, heapGrowthBytes),
    firstHitMs: Object.fromEntries(
      modes.map(({ firstHitMs, mode }) => [mode, firstHitMs === undefined ? null : Math.round(firstHitMs)]),
    ),
  }
}

/**
 * Writes a result beside those of other servers: one file for each server and major version. Faults that were not tried
 * keep what was recorded before.
 *
 * @param order the names of all faults
 */
export function writeResult(folder: string, result: Result, order: readonly string[]): void {
  mkdirSync(folder, { recursive: true })
  const path = `${folder}/${result.server.toLowerCase().replace(/ (\d+).*/, '-$1')}.json`
  const before: readonly ResultRow[] = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).rows : []
  const byName = new Map([...before, ...result.rows].map((row) => [row.fault, row]))
  const rows = order.flatMap((name) => byName.get(name) ?? [])
  writeFileSync(path, `${JSON.stringify({ ...result, rows }, undefined, 2)}\n`)
}

export function readResults(folder: string): Result[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'))
  return files.map((file) => JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')))
}
