import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'

const SHUTDOWN_WITHIN_MS = 4_000
const EXITS_WITHIN_MS = 4_000
const LIBRARY = new URL('../../dist', import.meta.url).href

let redis: Standalone
let simple: Standalone
let cluster: RedisCluster
const children: ChildProcess[] = []
const healers: (() => unknown)[] = []

beforeAll(async () => {
  ;[redis, simple, cluster] = await Promise.all([
    startStandalone(),
    startStandalone({ args: ['--rename-command', 'HELLO', ''] }),
    startCluster({ replicasPerMaster: 0 }),
  ])
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const heal of healers.splice(0)) await heal()
})
afterAll(() => Promise.all([redis.stop(), simple.stop(), cluster.stop()]))

interface Told {
  readonly options?: object
  readonly client?: string
  readonly when: string
}

interface Child {
  readonly process: ChildProcess
  readonly said: unknown[]
}

function startChild({ client, options = {}, when }: Told): Child {
  const child = fork(fileURLToPath(new URL('../support/children/cache-child.mjs', import.meta.url)), {
    execArgv: [],
  })
  children.push(child)
  const said: unknown[] = []
  child.on('message', (message) => said.push(message))
  const common = { timeout: '300ms', connectTimeout: '1s', prefix: 'p:' }
  child.send({ library: LIBRARY, options: { ...common, ...options }, client, when })
  return { process: child, said }
}

async function expectToExit({ process: child, said }: Child): Promise<void> {
  await waitUntil(() => said.length > 0 || child.exitCode !== null, { what: 'the child to shut down' })
  const { shutdownMs } = said.shift() as { shutdownMs: number }
  expect(shutdownMs).toBeLessThan(SHUTDOWN_WITHIN_MS)
  await waitUntil(() => child.exitCode !== null || child.signalCode !== null, {
    what: 'the process to exit by itself',
    timeoutMs: EXITS_WITHIN_MS,
  })
  expect(child.exitCode).toBe(0)
}

const nodes = () => cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)
const KINDS: readonly (readonly [name: string, kind: () => Omit<Told, 'when'>, isBus: boolean])[] = [
  ['a single server', () => ({ options: { redis: redis.url } }), false],
  ['a cluster', () => ({ options: { redis: { cluster: { nodes: nodes() } } } }), false],
  ['the bus', () => ({ options: { redis: simple.url } }), true],
  ['ioredis', () => ({ client: redis.url }), true],
  ['memory alone', () => ({}), false],
  ['no Redis', () => ({ options: { redis: 'redis://127.0.0.1:1' } }), false],
]

describe.each(KINDS)('P43 a process that used createCache with %s ends by itself', (_name, kind, isBus) => {
  test('whatever it did before shutdown()', async () => {
    const begun = isBus ? [] : ['at once']
    const whens = ['at rest', 'loading', 'clearing', ...begun]
    await Promise.all(whens.map((when) => expectToExit(startChild({ ...kind(), when }))))
  })

  if (isBus) {
    test('though shutdown() came while it connected', async () => {
      await expectToExit(startChild({ ...kind(), when: 'at once' }))
    })
  }
})

test('P43 a process whose cache was never used ends by itself', async () => {
  await expectToExit(startChild({ options: { redis: redis.url }, when: 'unused' }))
})

describe('P43 a process ends by itself in an outage, too', () => {
  for (const [name, server, kind] of [
    ['a single server', () => redis, () => ({ options: { redis: redis.url } }), false],
    ['the bus', () => simple, () => ({ options: { redis: simple.url } })],
  ] as const) {
    test(`while ${name} says nothing`, async () => {
      const child = startChild({ ...kind(), when: 'silent' })
      await waitUntil(() => child.said.shift() === 'ready', { what: 'the child to be ready' })
      server().pause()
      healers.push(() => server().resume())
      child.process.send('paused')
      await expectToExit(child)
    })

    test(`when ${name} is gone`, async () => {
      const child = startChild({ ...kind(), when: 'gone' })
      await waitUntil(() => child.said.shift() === 'ready', { what: 'the child to be ready' })
      await server().kill()
      healers.push(() => server().restart())
      child.process.send('gone')
      await expectToExit(child)
    })
  }
})
