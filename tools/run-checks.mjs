// Everything that has to hold, in the order in which it fails fastest: `npm test`.
// `npm test -- unit` runs only the steps whose name begins with an argument.
import { spawnSync } from 'node:child_process'

const STEPS = [
  ['programs', 'redis-server and python3 to test against', 'node', ['testbed/provide-programs.mjs']],
  ['lint', 'format and lint', 'npx', ['biome', 'check', '--error-on-warnings', '.']],
  ['scripts', 'the Lua scripts are embedded as they are', 'node', ['tools/embed-lua.mjs', '--check']],
  ['types', 'types of sources, tests, examples and type tests', 'npx', ['tsc', '--noEmit']],
  ['types-bench', 'types of the bench', 'npm', ['run', '--silent', 'types:bench']],
  ['floors', 'imports point down, no cycles', 'npx', ['depcruise', 'src']],
  [
    'floors-around',
    'no cycles in what stands around the sources',
    'npx',
    ['depcruise', '--config', 'tools/no-cycles.cjs', 'bench', 'examples', 'testbed', 'tests'],
  ],
  ['dead-code', 'no dead code', 'npx', ['knip']],
  ['docs', 'the API reference has no warnings', 'npx', ['typedoc', '--emit', 'none']],
  ['unit', 'unit, contract, property, fault and package tests', 'npx', ['vitest', 'run']],
  ['bench', 'no ratio is far below its target', 'npm', ['run', '--silent', 'bench', '--', 'regression']],
]

const wanted = process.argv.slice(2)
const isWanted = (name) => wanted.length === 0 || wanted.some((prefix) => name.startsWith(prefix))

for (const [name, title, command, args] of STEPS.filter(([name]) => isWanted(name))) {
  console.log(`\n── ${name}: ${title}`)
  const startMs = performance.now()
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  if (status !== 0) {
    console.error(`\n${name} failed. Run it alone with: npm test -- ${name}`)
    process.exit(1)
  }
  console.log(`   ${((performance.now() - startMs) / 1_000).toFixed(1)} s`)
}
console.log('\nAll checks passed.')
