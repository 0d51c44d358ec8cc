import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePort } from '../../testbed/free-port.ts'
import { askRedis } from '../../testbed/redis-command.ts'
import { startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useBuild } from '../support/build.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TIMEOUT_MS = 90_000

useBuild('examples')

/** The demo's TMPDIR: holds the directory of a server that it starts, until that server stops. */
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cw-demo-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** A run of the demo, under way. */
interface Demo {
  readonly output: () => string
  readonly errors: () => string
  readonly exitCode: Promise<number | null>
  interrupt(): void
}

function startDemo(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Demo {
  const { REDIS_URL: _url, CACHEWRIGHT_REDIS_SERVER: _server, ...inherited } = process.env
  const child = spawn(process.execPath, [join(ROOT, 'build/examples/demo/main.js'), ...args], {
    env: { ...inherited, TMPDIR: directory, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = { output: '', errors: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text.output += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text.errors += chunk
  })
  return {
    output: () => text.output,
    errors: () => text.errors,
    exitCode: once(child, 'close').then(([code]) => code as number | null),
    interrupt: () => child.kill('SIGINT'),
  }
}

/** The whole story, whatever the cache lies in. */
function expectStory(output: string): void {
  expect(output).toContain('135,233 places')
  expect(output).toContain('Kópavogur')
  expect(output).toMatch(/nearest places .* times/)
  expect(output).toMatch(/misspelt name .* times/)
  expect(output).toMatch(/hit ratio +\d+\.\d %/)
  expect(output).toMatch(/asked:nearest +\d+\n +asked:spelling +\d+\n +countries +\d+: /)
  expect(output).toMatch(/invalidatePattern\(glob`answer:\$\{country\}:\*`\) → [1-9]/)
  expect(output).toMatch(/about all other countries +(\d+) +\1\n/)
  expect(output).toContain("from 'cachewright/redis'")
  expect(output.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(output).not.toContain('\x1b')
}

function expectRedisShown(output: string): void {
  expect(output).toMatch(/10 gets as \d+ MGET/)
  expect(output).toMatch(/asked:nearest +string +\d+ s +\d+ B/)
  expect(output).toMatch(/GET cachewright-demo:answer:\S+\n +\[\{"name":"/)
}

test('without arguments the demo starts and stops its own server', { timeout: TIMEOUT_MS }, async () => {
  const demo = startDemo(['--questions', '10'])
  expect(await demo.exitCode).toBe(0)
  expect(demo.errors()).toBe('')
  expectStory(demo.output())
  expectRedisShown(demo.output())
  await expectServerGone(demo.output())
})

test('Ctrl-C ends the demo and its server at once', { timeout: TIMEOUT_MS }, async () => {
  const demo = startDemo(['--questions', '3000'])
  await waitUntil(() => demo.output().includes('3,000 questions'), {
    what: 'the long part',
    timeoutMs: 60_000,
  })
  demo.interrupt()
  expect(await demo.exitCode).toBe(130)
  expect(demo.errors()).toBe('')
  await expectServerGone(demo.output())
})

test('the demo uses the given Redis and leaves it unchanged', { timeout: TIMEOUT_MS }, async () => {
  const redis = await startStandalone({ password: 'sesame' })
  try {
    await redis.ask('SET', 'foreign', 'untouched')
    const demo = startDemo(['--questions', '10', '--redis', redis.url])
    expect(await demo.exitCode).toBe(0)
    expect(demo.errors()).toBe('')
    expectStory(demo.output())
    expectRedisShown(demo.output())
    expect(demo.output()).toMatch(
      new RegExp(`at\\s+127\\.0\\.0\\.1:${redis.port},\\s+named\\s+by\\s+--redis`),
    )
    expect(demo.output()).not.toContain('sesame')
    expect(await redis.ask('KEYS', '*')).toEqual(['foreign'])
  } finally {
    await redis.stop()
  }
})

test('--keep leaves the keys of the demo, each with a TTL', { timeout: TIMEOUT_MS }, async () => {
  const redis = await startStandalone()
  try {
    const demo = startDemo(['--questions', '1', '--keep'], { REDIS_URL: redis.url })
    expect(await demo.exitCode).toBe(0)
    expect(demo.output()).toMatch(/named\s+by\s+REDIS_URL/)
    const keys = (await redis.ask('KEYS', '*')) as string[]
    expect(keys).toContain('cachewright-demo:countries')
    for (const key of keys) {
      expect(key).toMatch(/^cachewright-demo:/)
      expect(await redis.ask('PTTL', key)).toBeGreaterThan(0)
    }
  } finally {
    await redis.stop()
  }
})

test('the demo runs in memory without a server', { timeout: TIMEOUT_MS }, async () => {
  symlinkSync(process.execPath, join(directory, 'node'))
  const demo = startDemo(['--questions', '10'], { PATH: directory })
  expect(await demo.exitCode).toBe(0)
  expect(demo.errors()).toBe('')
  expectStory(demo.output())
  expect(demo.output()).toContain('The cache is the memory of this process')
  expect(demo.output()).not.toContain('MGET')
})

test('the demo reports in one line that the given Redis is unreachable', {
  timeout: TIMEOUT_MS,
}, async () => {
  const port = await freePort()
  const demo = startDemo(['--redis', `redis://user:sesame@127.0.0.1:${port}`])
  expect(await demo.exitCode).toBe(1)
  expect(demo.errors().trim()).toMatch(
    new RegExp(
      `^The Redis that --redis names cannot be used: .*127\\.0\\.0\\.1:${port}.*\\[CACHE_UNAVAILABLE\\]$`,
    ),
  )
  expect(demo.output() + demo.errors()).not.toContain('sesame')
})

test('the demo refuses an invalid number of questions', { timeout: TIMEOUT_MS }, async () => {
  const demo = startDemo(['--questions', 'many'])
  expect(await demo.exitCode).toBe(1)
  expect(demo.errors()).toContain('whole number')
})

/** Expects that the server's directory is removed and its port is closed. */
async function expectServerGone(output: string): Promise<void> {
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(output)?.[1])
  expect(port).toBeGreaterThan(0)
  await waitUntil(() => readdirSync(directory).length === 0, { what: 'the directory of the server to go' })
  await expect(askRedis({ port }, 'PING')).rejects.toThrow('ECONNREFUSED')
}
