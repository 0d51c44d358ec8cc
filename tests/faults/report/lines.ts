import { missedBars } from '../trial/bars.ts'
import type { Outcome } from '../trial/outcome.ts'

/** An outcome for the terminal: one line, and one for each bar that was missed. */
export function linesOf(outcome: Outcome): string {
  const { fault, heapGrowthBytes, modes, tookMs, unsettled } = outcome
  const sum = (of: (mode: Outcome['modes'][number]) => number) =>
    modes.reduce((total, mode) => total + of(mode), 0)
  const timesOf = (of: (mode: Outcome['modes'][number]) => number | undefined) =>
    modes.map((mode) => of(mode)?.toFixed(0) ?? 'never').join(' ')
  const facts = [
    `${sum(({ reads }) => reads)} reads`,
    `${sum(({ acknowledged }) => acknowledged)} of ${sum(({ changes }) => changes)} changes acknowledged`,
    `${sum(({ wrongCount }) => wrongCount)} wrong`,
    `${sum(({ lost }) => lost)} lost`,
    `stale for ${Math.max(...modes.map(({ stalestMs }) => stalestMs)).toFixed(0)} ms`,
    `${unsettled} unsettled`,
    `slowest ${Math.max(...modes.map(({ slowestMs }) => slowestMs)).toFixed(0)} ms`,
    `${sum(({ loadsInFault }) => loadsInFault)} loads for ${sum(({ readsInFault }) => readsInFault)} reads in it`,
    `hits after ${timesOf(({ firstHitMs }) => firstHitMs)} ms`,
    `for all keys after ${timesOf(({ allHitsMs }) => allHitsMs)} ms`,
    `local ones after ${timesOf(({ firstLocalHitMs }) => firstLocalHitMs)} ms`,
    `heap ${(heapGrowthBytes / 2 ** 20).toFixed(1)} MiB`,
    `${(tookMs / 1_000).toFixed(0)} s`,
  ]
  const missed = missedBars(outcome).map(({ what }) => `\n    ✗ ${what}`)
  return `${missed.length === 0 ? '✓' : '✗'} ${fault}\n    ${facts.join(', ')}${missed.join('')}`
}
