import { describe, expect, test } from 'vitest'
import { useExitingChildren } from '../support/exiting-children.ts'
import { useScene } from '../support/scene.ts'

const SHUTDOWN_WITHIN_MS = 4_000

const scene = useScene({ simple: true, cluster: { replicasPerMaster: 0 }, flush: false })
const { redis, simple, cluster } = scene
const { expectToExit, messageOf, start } = useExitingChildren('cache-child.mjs', SHUTDOWN_WITHIN_MS)

interface Told {
  readonly options?: object
  readonly client?: string
  readonly when: string
}

function startChild({ client, options = {}, when }: Told) {
  const common = { commandTimeout: '300ms', connectTimeout: '1s', prefix: 'p:' }
  return start({ options: { ...common, ...options }, client, when })
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
  test('after shutdown() at rest, during a load and during a clear', async () => {
    const begun = isBus ? [] : ['at once']
    const whens = ['at rest', 'loading', 'clearing', ...begun]
    await Promise.all(whens.map((when) => expectToExit(startChild({ ...kind(), when }))))
  })

  if (isBus) {
    test('after shutdown() during connect', async () => {
      await expectToExit(startChild({ ...kind(), when: 'at once' }))
    })
  }
})

test('P43 a process whose cache was never used ends by itself', async () => {
  await expectToExit(startChild({ options: { redis: redis.url }, when: 'unused' }))
})

describe('P43 a process ends by itself in an outage', () => {
  for (const [name, server, kind] of [
    ['a single server', () => redis, () => ({ options: { redis: redis.url } }), false],
    ['the bus', () => simple, () => ({ options: { redis: simple.url } })],
  ] as const) {
    test(`while ${name} hangs`, async () => {
      const child = startChild({ ...kind(), when: 'silent' })
      expect(await messageOf(child)).toBe('ready')
      server().pause()
      scene.later(() => server().resume())
      child.process.send('paused')
      await expectToExit(child)
    })

    test(`after ${name} is killed`, async () => {
      const child = startChild({ ...kind(), when: 'gone' })
      expect(await messageOf(child)).toBe('ready')
      await server().kill()
      scene.later(() => server().restart())
      child.process.send('gone')
      await expectToExit(child)
    })
  }
})
