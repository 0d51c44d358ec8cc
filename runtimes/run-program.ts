import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Told } from './programs/checks.ts'
import type { Runtime } from './runtimes.ts'

const DONE_WITHIN_MS = 90_000
/** ioredis waits two seconds for a silent server to hang up. */
const ENDS_WITHIN_MS = 8_000

/** They end with this process, however that ends. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

/** How a program has gone. */
export interface Outcome {
  readonly passed: number
  readonly failures: readonly string[]
  /** What the runtime cannot do. */
  readonly left: readonly string[]
}

/** Runs a program with a runtime. It fails also if it does not end by itself once all of its checks have been made. */
export async function runProgram(
  { program, args }: Runtime,
  path: string,
  settings: object,
): Promise<Outcome> {
  const child = spawn(program, [...args, path, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, REDIS_URL: '', NODE_OPTIONS: '', DENO_NO_UPDATE_CHECK: '1' },
  })
  let passed = 0
  let isDone = false
  running.add(child)
  let isKilled = false
  const failures: string[] = []
  const left: string[] = []
  const other: string[] = []
  const endWithin = (ms: number, why: string) =>
    setTimeout(() => {
      failures.push(why)
      isKilled = true
      child.kill('SIGKILL')
    }, ms)
  let patience = endWithin(DONE_WITHIN_MS, `It was not done within ${DONE_WITHIN_MS} ms`)

  createInterface({ input: child.stderr }).on('line', (line) => other.push(line))
  createInterface({ input: child.stdout }).on('line', (line) => {
    const told = toldBy(line)
    if (told === undefined) other.push(line)
    else if ('passed' in told) passed++
    else if ('left' in told) left.push(told.left)
    else if ('failed' in told) failures.push(`${told.failed}\n${told.why}`)
    else {
      isDone = true
      clearTimeout(patience)
      patience = endWithin(ENDS_WITHIN_MS, `It did not end by itself within ${ENDS_WITHIN_MS} ms`)
    }
  })
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (...end) => resolve(end))
  })
  clearTimeout(patience)
  running.delete(child)
  if (code !== 0 && !isKilled) failures.push(`It ended with ${signal ?? code}`)
  else if (!isDone && failures.length === 0) failures.push('It ended before its checks were made')
  if (failures.length > 0) failures.push(...other)
  return { passed, failures, left }
}

function toldBy(line: string): Told | undefined {
  try {
    return JSON.parse(line) as Told
  } catch {
    return undefined
  }
}
