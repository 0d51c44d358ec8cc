import { Command } from 'commander'
import { startStandalone } from '../../testbed/redis-standalone.ts'
import { FAULTS } from './faults/all-faults.ts'
import { linesOf } from './report/lines.ts'
import { missedBars } from './trial/bars.ts'
import type { Fault } from './trial/fault.ts'
import type { Outcome } from './trial/outcome.ts'
import { runTrial } from './trial/run-trial.ts'

interface Options {
  readonly atOnce: number
  readonly full: boolean
  readonly only: string
}

const program = new Command('faults')
  .description('Lets every fault happen to servers of its own, under steady traffic.')
  .option('--only <text>', 'the faults whose name contains this', '')
  .option('--full', 'at full length', false)
  .option('--at-once <n>', 'how many trials run at the same time', Number, 2)
  .showHelpAfterError()
  .parse()

const { atOnce, full, only } = program.opts<Options>()
const faults = FAULTS.filter(({ name }) => name.includes(only))
if (faults.length === 0) program.error(`No fault has "${only}" in its name`)
const outcomes = await runAll(faults)
const missed = outcomes.filter((outcome) => missedBars(outcome).length > 0)
console.log(`\n${outcomes.length - missed.length} of ${outcomes.length} faults met every bar.`)
if (missed.length > 0) process.exitCode = 1

async function runAll(waiting: Fault[]): Promise<Outcome[]> {
  const source = await startStandalone()
  const outcomes: Outcome[] = []
  const lane = async () => {
    for (let fault = waiting.shift(); fault !== undefined; fault = waiting.shift()) {
      const outcome = await runTrial(fault, { source: source.url, isFull: full })
      console.log(linesOf(outcome))
      outcomes.push(outcome)
    }
  }
  try {
    await Promise.all(Array.from({ length: atOnce }, lane))
    return outcomes
  } finally {
    await source.stop()
  }
}
