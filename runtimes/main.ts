// Runs the programs of `programs/` with each runtime that is installed, two runtimes at a time, and prints a line for
// each. `npm run runtimes -- bun deno` runs those whose name and version begin with an
// argument. Exit code: 1 if a check has failed.
import { fileURLToPath } from 'node:url'
import { type Standalone, startStandalone } from '../testbed/redis-standalone.ts'
import { bundleOf } from './bundle.ts'
import { runProgram } from './run-program.ts'
import { findRuntimes, type Runtime } from './runtimes.ts'

const LANES = 2

const programAt = (name: string) => fileURLToPath(new URL(`./programs/${name}.js`, import.meta.url))
const programs: readonly (readonly [string, string])[] = [
  ['contract', programAt('contract')],
  ['coherence', programAt('coherence')],
  ['bundle', await bundleOf(programAt('bundled'))],
  // The server does not answer any more when it ends.
  ['outage', programAt('outage')],
]

const { found, missing } = findRuntimes()
const wanted = process.argv.slice(2)
const isWanted = ({ title }: Runtime) =>
  wanted.length === 0 || wanted.some((start) => title.toLowerCase().startsWith(start.toLowerCase()))
const waiting = found.filter(isWanted)

await Promise.all(
  Array.from({ length: LANES }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await check(next)
  }),
)
if (missing.length > 0)
  console.log(`Not run, since they are not installed or do not run here: ${missing.join(', ')}`)

/** Runs all programs with one runtime, against servers of its own. */
async function check(runtime: Runtime): Promise<void> {
  const startMs = performance.now()
  const servers = await Promise.all([startStandalone(), startStandalone({ tls: true })])
  const settings = {
    server: settingsOf(servers[0]),
    tlsServer: settingsOf(servers[1]),
    runtimeArgs: runtime.args,
  }
  const parts: string[] = []
  const failures: string[] = []
  const left: string[] = []
  try {
    for (const [name, path] of programs) {
      const programStartMs = performance.now()
      const outcome = await runProgram(runtime, path, settings)
      parts.push(`${name} ${outcome.passed} in ${secondsSince(programStartMs)} s`)
      left.push(...outcome.left)
      failures.push(...outcome.failures.map((failure) => `${name}: ${failure}`))
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
  }
  console.log(
    `${failures.length === 0 ? '✓' : '✗'} ${runtime.title}: ${parts.join(', ')} (${secondsSince(startMs)} s)`,
  )
  for (const what of left) console.log(`    not on this runtime: ${what}`)
  for (const failure of failures) console.log(failure.replaceAll(/^/gm, '    '))
  if (failures.length > 0) process.exitCode = 1
}

function settingsOf({ ca, socketPath, url }: Standalone) {
  return { url, socketPath, ca }
}

function secondsSince(startMs: number): string {
  return ((performance.now() - startMs) / 1_000).toFixed(1)
}
