// Everything that has to hold: `npm test`. Quick checks run two at a time; what starts servers or measures runs alone.
// `npm test -- unit` runs only the steps whose name begins with an argument.
import { spawn } from 'node:child_process'
import { delimiter } from 'node:path'

const PREPARATIONS = [
  ['programs', 'redis-server and python3 to test against', 'node testbed/provide-programs.mjs'],
  ['contenders', 'the libraries that the bench compares with', 'node bench/prepare.mjs'],
]
const CHECKS = [
  ['lint', 'format and lint', 'biome check --error-on-warnings .'],
  ['types', 'types of sources, tests, examples and bench', 'npm run --silent types'],
  ['scripts', 'the Lua scripts are embedded as they are', 'node tools/embed-lua.mjs --check'],
  ['floors', 'imports point down, no cycles', 'depcruise src'],
  [
    'floors-around',
    'no cycles in what stands around the sources',
    'depcruise --config tools/no-cycles.cjs bench examples runtimes testbed tests',
  ],
  ['dead-code', 'no dead code', 'knip'],
  ['docs', 'the API reference has no warnings', 'typedoc --emit none'],
]
const UNIT = [['unit', 'unit, contract, property, fault and package tests', 'vitest run']]
const SERVERS = [
  [
    'servers',
    'contract, protocol, coherence, leases and races on other servers',
    'node tools/run-on-servers.mjs',
  ],
]
const RUNTIMES = [['runtimes', 'every runtime that is supported', 'npm run --silent runtimes']]
const FAULTS = [
  ['faults', 'every fault under traffic, and a soak', 'npm run --silent faults -- all --at-once 3'],
]
const BENCH = [['bench', 'no ratio is far below its target', 'npm run --silent bench -- regression']]

/** Steps that take long, and seldom find anything. */
const FULL_ONLY = [...SERVERS, ...RUNTIMES, ...FAULTS, ...BENCH]

const wanted = process.argv.slice(2)
const isFull = process.env.CACHEWRIGHT_TRIALS === 'full'
const isWanted = (step) =>
  wanted.length === 0
    ? !FULL_ONLY.includes(step) || isFull
    : wanted.some((prefix) => step[0].startsWith(prefix))

const names = [PREPARATIONS, CHECKS, UNIT, FULL_ONLY].flat().map(([name]) => name)
const unknown = wanted.find((prefix) => !names.some((name) => name.startsWith(prefix)))
if (unknown !== undefined) {
  console.error(`There is no step ${unknown}. Steps: ${names.join(' ')}`)
  process.exit(1)
}

// As npm has it for its scripts.
const env = { ...process.env, PATH: `node_modules/.bin${delimiter}${process.env.PATH}` }

/** Ends with this process, however that ends. */
const running = new Set()
process.once('exit', () => {
  for (const child of running) child.kill()
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

await runAll(PREPARATIONS, 1)
await runAll(CHECKS, 2)
await runAll(UNIT, 1)
await runAll(FULL_ONLY, 1)
console.log('\nAll checks passed.')
if (wanted.length === 0 && !isFull) {
  console.log(
    'Trials were short, nothing was measured, and on this Node alone: CACHEWRIGHT_TRIALS=full runs all that CI runs.',
  )
}

async function runAll(steps, lanes) {
  const waiting = steps.filter(isWanted)
  const lane = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) await run(step, lanes > 1)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** Shows the output at once, or, beside other steps, when the step has ended. */
async function run([name, title, command], isBuffered) {
  const heading = `\n── ${name}: ${title}`
  if (!isBuffered) console.log(heading)
  const startMs = performance.now()
  const [program, ...args] = command.split(' ')
  const to = isBuffered ? 'pipe' : 'inherit'
  const child = spawn(program, args, { env, stdio: ['inherit', to, to] })
  running.add(child)
  const output = []
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => output.push(chunk))
  const status = await new Promise((resolve) => child.on('close', resolve))
  running.delete(child)
  if (isBuffered) process.stdout.write(`${heading}\n${Buffer.concat(output)}`)
  console.log(`   ${((performance.now() - startMs) / 1_000).toFixed(1)} s`)
  if (status === 0) return
  console.error(`\n${name} failed. Run it alone with: npm test -- ${name}`)
  process.exit(1)
}
