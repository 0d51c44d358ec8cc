import { readFileSync, writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { runDefects } from './defects/run-defects.ts'
import { FAULTS } from './faults/all-faults.ts'
import { withTables } from './report/page.ts'
import { readResults, rowOf, writeResult } from './report/result.ts'
import { runSoak } from './soak/run-soak.ts'
import { runTable } from './table/run-table.ts'
import { missedBars } from './trial/bars.ts'
import type { Outcome } from './trial/outcome.ts'

const PAGE = 'docs/reliability.md'
const RESULTS = 'tests/faults/results'
const SHORT_SOAK_MINUTES = 5
const LONG_SOAK_MINUTES = 60

const program = new Command('faults')
  .description('Lets every fault happen to servers of its own, under steady traffic.')
  .showHelpAfterError()

program
  .command('table', { isDefault: true })
  .description('every fault once')
  .option('--only <text>', 'the faults whose name contains this', '')
  .option('--full', 'at full length', false)
  .option('--at-once <n>', 'how many trials run at the same time', Number, 2)
  .option('--seconds <n>', 'how long every fault lasts', Number)
  .option('--patience <seconds>', 'for how long it is waited for what has to become well', Number)
  .option('--record', `write the outcomes into ${RESULTS}, and the tables into ${PAGE}`, false)
  .action(({ atOnce, full, only, patience, record, seconds }) =>
    withSource(async (source) => {
      const patienceMs = patience === undefined ? undefined : patience * 1_000
      const trial = { isFull: full, lastsS: seconds, patienceMs, source: source.url }
      const outcomes = await runTable({ atOnce, only, ...trial })
      fail(...missesOf(outcomes))
      if (record) await write(outcomes, source)
    }),
  )

program
  .command('soak')
  .description('random faults for an hour or five minutes, which leave nothing behind')
  .option('--minutes <n>', `${LONG_SOAK_MINUTES} if CACHEWRIGHT_TRIALS is "long"`, Number, soakMinutes())
  .action(({ minutes }) => withSource(async ({ url }) => fail(...(await runSoak({ minutes, source: url })))))

program
  .command('defects')
  .description('every fault finds the defect that is put in for it')
  .action(async () => fail(...(await runDefects())))

program
  .command('all')
  .description('the table, and the soak beside it, as CI runs them')
  .option('--at-once <n>', 'how many trials run at the same time', Number, 2)
  .action(({ atOnce }) =>
    withSource(async ({ url }) => {
      const beside = runSoak({ minutes: soakMinutes(), source: url })
      const outcomes = await runTable({ alone: beside, atOnce, isFull: false, only: '', source: url })
      fail(...missesOf(outcomes), ...(await beside))
    }),
  )

await program.parseAsync()

async function withSource(run: (source: Standalone) => Promise<unknown>): Promise<void> {
  const source = await startStandalone()
  try {
    await run(source)
  } finally {
    await source.stop()
  }
}

function soakMinutes(): number {
  return process.env.CACHEWRIGHT_TRIALS === 'long' ? LONG_SOAK_MINUTES : SHORT_SOAK_MINUTES
}

function missesOf(outcomes: readonly Outcome[]): string[] {
  const missed = outcomes.filter((outcome) => missedBars(outcome).length > 0)
  console.log(`\n${outcomes.length - missed.length} of ${outcomes.length} faults met every bar.`)
  return missed.flatMap((outcome) => missedBars(outcome).map(({ what }) => `${outcome.fault}: ${what}`))
}

function fail(...reasons: readonly string[]): void {
  for (const reason of reasons) console.error(`✗ ${reason}`)
  if (reasons.length > 0) process.exitCode = 1
}

async function write(outcomes: readonly Outcome[], source: Standalone): Promise<void> {
  const info = String(await source.ask('INFO', 'server'))
  const [, product, version] =
    /^(valkey)_version:(\S+)/m.exec(info) ?? /^(redis)_version:(\S+)/m.exec(info) ?? []
  const server = `${product === 'valkey' ? 'Valkey' : 'Redis'} ${version}`
  const result = { server, node: process.version.slice(1), rows: outcomes.map(rowOf) }
  writeResult(
    RESULTS,
    result,
    FAULTS.map(({ name }) => name),
  )
  writeFileSync(PAGE, withTables(readFileSync(PAGE, 'utf8'), readResults(RESULTS)))
}
