import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { startStandalone } from '../testbed/redis-standalone.ts'
import { measureAll } from './measure-all.ts'
import { checkRegression } from './regression.ts'
import { formatSection, formatVerdicts } from './report/markdown.ts'
import { reportOn } from './report/report.ts'
import { writeReport } from './report/write-report.ts'
import { SCENARIOS } from './scenarios/scenarios.ts'
import { TARGETS } from './targets.ts'

/** From where this file is emitted to `bench/results`. */
const RESULTS = fileURLToPath(new URL('../../results', import.meta.url))

const program = new Command('bench')
  .description('Measures cachewright, other libraries and hand-written code, on a redis-server of its own.')
  .showHelpAfterError()

program
  .command('run', { isDefault: true })
  .description('all scenarios; writes bench/results/<date>.json, .md and .svg')
  .option('--only <scenario...>', 'these scenarios, and writes nothing')
  .option('--rounds <n>', 'interleaved rounds that count', Number, 5)
  .option('--quick', 'short turns, and the sizes that targets are about; writes nothing')
  .option('--list', 'tells what scenarios there are')
  .action(async (options: RunOptions) => {
    if (options.list) {
      for (const { about, name } of SCENARIOS) console.log(`${name.padEnd(18)}${about}`)
      return
    }
    await run(options)
  })

program
  .command('regression')
  .description('a short run against hand-written code that fails where a ratio is far below its target')
  .action(async () => {
    if (!(await checkRegression())) process.exitCode = 1
  })

await program.parseAsync()

interface RunOptions {
  readonly only?: readonly string[]
  readonly rounds: number
  readonly quick?: boolean
  readonly list?: boolean
}

async function run({ only, quick = false, rounds }: RunOptions): Promise<void> {
  const unknown = only?.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name)) ?? []
  if (unknown.length > 0) program.error(`No scenario is named ${unknown.join(', ')}: see --list`)
  const scenarios = SCENARIOS.filter(({ name }) => only === undefined || only.includes(name))
  const startMs = performance.now()
  const redis = await startStandalone({ args: ['--slowlog-log-slower-than', '5000'] })
  try {
    const version = /redis_version:(\S+)/.exec(String(await redis.ask('INFO', 'server')))?.[1] ?? 'unknown'
    const sections = await measureAll(scenarios, { redis, rounds, isQuick: quick })
    const tookMs = performance.now() - startMs
    const report = reportOn(sections, TARGETS, { rounds, tookMs, redis: version })
    for (const section of sections) console.log(`\n${formatSection(section, report.verdicts)}`)
    if (report.verdicts.length > 0) console.log(`\n${formatVerdicts(report.verdicts)}`)
    if (report.verdicts.some(({ isAside, isMet }) => !isMet && !isAside)) process.exitCode = 1
    if (only === undefined && !quick) console.log(`\n${writeReport(report, RESULTS).join('\n')}`)
  } finally {
    await redis.stop()
  }
}
