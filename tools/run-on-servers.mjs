// Runs the tests that depend most on the server on each server that can be provided beside the machine's own:
// `npm test -- servers`. By hand, names of servers may follow, and a command to run in place of these tests:
// `node tools/run-on-servers.mjs valkey-8`, `node tools/run-on-servers.mjs redis-8 valkey-9 -- npm run faults -- --record`.
// A server that cannot be had here is named, and is no failure.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { provideServer, SERVERS } from '../testbed/servers/provide-servers.mjs'

/** Parts of the paths of the tests of the contract, the protocol, coherence, leases and races. */
const TESTS = ['tests/backend/redis-', '.protocol.test', '.races.test', 'tests/coherence/', 'tests/leases/']

const TEST_COMMAND = [process.execPath, 'node_modules/vitest/vitest.mjs', 'run', ...TESTS]

const words = process.argv.slice(2)
const end = words.indexOf('--')
/** Only these, if any are named; else what CI runs. */
const named = end === -1 ? words : words.slice(0, end)
const [program, ...args] = end === -1 ? TEST_COMMAND : words.slice(end + 1)
const wanted = SERVERS.filter(({ inCi, name }) => (named.length === 0 ? inCi : named.includes(name)))

/** Ends with this process, however that ends. */
let running
process.once('exit', () => running?.kill())
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

const provided = await Promise.allSettled(wanted.map(provideServer))
const outcomes = []
for (const [index, { name }] of wanted.entries()) {
  const { value: server, reason } = provided[index]
  outcomes.push(
    server === undefined ? `${name}: not run, since ${reason.message}` : await runOn(name, server),
  )
}
console.log(`\n${outcomes.join('\n')}`)

async function runOn(name, { path, version }) {
  console.log(`\n${name}: version ${version}`)
  const startMs = performance.now()
  const env = { ...process.env, CACHEWRIGHT_REDIS_SERVER: path, CACHEWRIGHT_TRIALS: 'fewest' }
  running = spawn(program, args, { env, stdio: 'inherit' })
  const [status] = await once(running, 'close')
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(0)
  if (status !== 0) process.exitCode = 1
  return `${name}: ${status === 0 ? 'passed' : 'FAILED'} on version ${version} in ${seconds} s`
}
