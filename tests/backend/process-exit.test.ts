import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { type RedisSentinel, startSentinel } from '../../testbed/redis-sentinel.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TIMEOUT = '300ms'
/** ioredis itself waits two seconds for a silent server to hang up; an idle socket or a ping timer would hold on longer. */
const EXITS_WITHIN_MS = 4_000
const SHUTDOWN_WITHIN_MS = 2_500
const SPEAKS_WITHIN_MS = 8_000

let standalone: Standalone
let cluster: RedisCluster
let sentinel: RedisSentinel
const children: ChildProcess[] = []
const healers: (() => unknown)[] = []

beforeAll(async () => {
  ;[standalone, cluster, sentinel] = await Promise.all([
    startStandalone(),
    startCluster({ replicasPerMaster: 0, nodeTimeoutMs: 60_000 }),
    startSentinel({ downAfterMs: 60_000 }),
  ])
})

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const heal of healers.splice(0)) await heal()
})

afterAll(async () => {
  await Promise.all([standalone.stop(), cluster.stop(), sentinel.stop()])
})

interface Deployment {
  readonly kind: string
  readonly options: () => object
  readonly servers: () => readonly {
    pause(): void
    resume(): void
    kill(): Promise<void>
    restart(): Promise<void>
  }[]
}

const common = { timeout: TIMEOUT, connectTimeout: '1s' }
const DEPLOYMENTS: readonly Deployment[] = [
  { kind: 'single server', options: () => ({ url: standalone.url }), servers: () => [standalone] },
  {
    kind: 'cluster',
    options: () => ({ cluster: { nodes: cluster.nodes.map(({ port }) => `redis://127.0.0.1:${port}`) } }),
    servers: () => cluster.nodes,
  },
  {
    kind: 'sentinel',
    options: () => ({
      sentinel: {
        name: sentinel.name,
        nodes: sentinel.sentinels.map(({ port }) => `redis://127.0.0.1:${port}`),
      },
    }),
    servers: () => [sentinel.primary],
  },
  { kind: 'ioredis', options: () => ({ url: standalone.url }), servers: () => [standalone] },
  {
    kind: 'ioredis cluster',
    options: () => ({ nodes: cluster.nodes.map(({ host, port }) => ({ host, port })) }),
    servers: () => cluster.nodes,
  },
]

/** A process, and what it has said and nobody has listened to yet. */
interface Child {
  readonly process: ChildProcess
  readonly said: unknown[]
}

function startChild(kind: string, options: object, when: string): Child {
  const child = fork(fileURLToPath(new URL('../support/children/backend-child.mjs', import.meta.url)), {
    execArgv: [],
  })
  const said: unknown[] = []
  child.on('message', (message) => said.push(message))
  children.push(child)
  child.send({
    library: pathToFileURL(join(ROOT, 'dist')).href,
    kind,
    when,
    options: { ...common, ...options },
  })
  return { process: child, said }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null

/** The child's next message. @throws Error where it is silent instead */
async function messageOf({ said }: Child): Promise<unknown> {
  await waitUntil(() => said.length > 0, { what: 'the child to say something', timeoutMs: SPEAKS_WITHIN_MS })
  return said.shift()
}

/** Resolves once the child has shut its backend down and has ended. */
async function expectToExit(child: Child): Promise<void> {
  const { shutdownMs } = (await messageOf(child)) as { shutdownMs: number }
  expect(shutdownMs).toBeLessThan(SHUTDOWN_WITHIN_MS)
  await waitUntil(() => hasEnded(child.process), {
    what: 'the process to exit by itself',
    timeoutMs: EXITS_WITHIN_MS,
  })
  expect([child.process.exitCode, child.process.signalCode]).toEqual([0, null])
}

describe('P43 shutdown() leaves no handle or timer, and the process exits', () => {
  test('memory', async () => {
    await expectToExit(startChild('memory', {}, 'at rest'))
  })

  for (const { kind, options, servers } of DEPLOYMENTS) {
    test(`${kind}: at rest, before it was used, and while it connects`, async () => {
      await Promise.all(
        ['at rest', 'unused', 'at once'].map((when) => expectToExit(startChild(kind, options(), when))),
      )
    })

    test(`${kind}: while record structures are to be published, and while they are`, async () => {
      const learning = { ...options(), serializer: 'msgpack' }
      await expectToExit(startChild(kind, learning, 'learning'))
      const child = startChild(kind, learning, 'learning in silence')
      await messageOf(child)
      for (const server of servers()) {
        server.pause()
        healers.push(() => server.resume())
      }
      child.process.send('paused')
      await expectToExit(child)
    })

    test(`${kind}: while Redis hangs, for a moment and for long, with calls in flight`, async () => {
      const hanging = ['silent', 'silent for long'].map((when) => startChild(kind, options(), when))
      await Promise.all(hanging.map(messageOf))
      for (const server of servers()) {
        server.pause()
        healers.push(() => server.resume())
      }
      for (const child of hanging) child.process.send('paused')
      await Promise.all(hanging.map(expectToExit))
    })
  }

  for (const { kind, options, servers } of DEPLOYMENTS.slice(0, 3)) {
    test(`${kind}: while a reconnect is pending`, async () => {
      const child = startChild(kind, options(), 'redialling')
      await messageOf(child)
      for (const server of servers()) healers.push(() => server.restart())
      await Promise.all(servers().map((server) => server.kill()))
      await expectToExit(child)
    })
  }

  for (const { kind, options, servers } of [
    ...DEPLOYMENTS.slice(0, 2),
    {
      ...(DEPLOYMENTS[2] as Deployment),
      kind: 'sentinel whose sentinels hang',
      servers: () => sentinel.sentinels,
    },
  ]) {
    test(`${kind}: after attempts to connect that were given up and one that succeeded`, async () => {
      for (const server of servers()) {
        server.pause()
        healers.push(() => server.resume())
      }
      const child = startChild(kind, { ...options(), connectTimeout: '200ms' }, 'retried')
      await messageOf(child)
      for (const server of servers()) server.resume()
      child.process.send('resumed')
      await expectToExit(child)
    })
  }
})
