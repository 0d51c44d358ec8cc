import { describe, test } from 'vitest'
import { useExitingChildren } from '../support/exiting-children.ts'
import { useScene } from '../support/scene.ts'

const TIMEOUT = '300ms'
const SHUTDOWN_WITHIN_MS = 2_500

const scene = useScene({
  cluster: { replicasPerMaster: 0, nodeTimeoutMs: 60_000 },
  sentinel: { downAfterMs: 60_000 },
  flush: false,
})
const { redis: standalone, cluster, sentinel } = scene
const { expectToExit, messageOf, start } = useExitingChildren('backend-child.mjs', SHUTDOWN_WITHIN_MS)

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

const common = { commandTimeout: TIMEOUT, connectTimeout: '1s' }
const DEPLOYMENTS: readonly Deployment[] = [
  { kind: 'single server', options: () => ({ url: standalone.url }), servers: () => [standalone] },
  {
    kind: 'cluster',
    options: () => ({ cluster: { nodes: cluster.urls } }),
    servers: () => cluster.nodes,
  },
  {
    kind: 'sentinel',
    options: () => ({
      sentinel: {
        name: sentinel.name,
        nodes: sentinel.urls,
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

function startChild(kind: string, options: object, when: string) {
  return start({ kind, when, options: { ...common, ...options } })
}

describe('P43 shutdown() leaves no handle or timer, and the process exits', () => {
  test('memory: at rest', async () => {
    await expectToExit(startChild('memory', {}, 'at rest'))
  })

  for (const { kind, options, servers } of DEPLOYMENTS) {
    test(`${kind}: at rest, before first use, and during connect`, async () => {
      await Promise.all(
        ['at rest', 'unused', 'at once'].map((when) => expectToExit(startChild(kind, options(), when))),
      )
    })

    test(`${kind}: before and during the publication of record structures`, async () => {
      const learning = { ...options(), serializer: 'msgpack' }
      await expectToExit(startChild(kind, learning, 'learning'))
      const child = startChild(kind, learning, 'learning in silence')
      await messageOf(child)
      for (const server of servers()) {
        server.pause()
        scene.later(() => server.resume())
      }
      child.process.send('paused')
      await expectToExit(child)
    })

    test(`${kind}: during a short and a long hang of Redis, with calls in flight`, async () => {
      const hanging = ['silent', 'silent for long'].map((when) => startChild(kind, options(), when))
      await Promise.all(hanging.map(messageOf))
      for (const server of servers()) {
        server.pause()
        scene.later(() => server.resume())
      }
      for (const child of hanging) child.process.send('paused')
      await Promise.all(hanging.map(expectToExit))
    })
  }

  for (const { kind, options, servers } of DEPLOYMENTS.slice(0, 3)) {
    test(`${kind}: while a reconnect is pending`, async () => {
      const child = startChild(kind, options(), 'redialling')
      await messageOf(child)
      for (const server of servers()) scene.later(() => server.restart())
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
    test(`${kind}: after connection attempts that timed out and one that succeeded`, async () => {
      for (const server of servers()) {
        server.pause()
        scene.later(() => server.resume())
      }
      const child = startChild(kind, { ...options(), connectTimeout: '1s' }, 'retried')
      await messageOf(child)
      for (const server of servers()) server.resume()
      child.process.send('resumed')
      await expectToExit(child)
    })
  }
})
