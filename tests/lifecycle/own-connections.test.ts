import { test } from 'vitest'
import { useBuild } from '../support/build.ts'
import { useScene } from '../support/scene.ts'
import { trials } from '../support/trials.ts'
import { expectNothingLeft } from './rounds.ts'

const ROUNDS = trials(24, 160)
/** Those in which nobody answers take as long as their deadlines. */
const IN_AN_OUTAGE = trials(4, 15)

const scene = useScene({
  simple: true,
  cluster: { replicasPerMaster: 0, nodeTimeoutMs: 60_000 },
  sentinel: { downAfterMs: 60_000 },
})
const { cluster, redis, sentinel, simple } = scene
useBuild('package')

const KINDS = [
  ['a single server', () => ({ servers: { url: redis.url }, asked: [redis.process] })],
  ['the bus', () => ({ servers: { url: simple.url }, asked: [simple.process] })],
  ['a cluster', () => ({ servers: { cluster: cluster.urls }, asked: cluster.nodes })],
  [
    'Sentinel',
    () => ({
      servers: { sentinel: { name: sentinel.name, nodes: sentinel.urls } },
      asked: [sentinel.primary],
    }),
  ],
  ['the memory of the process', () => ({ servers: {}, asked: [] })],
] as const

test.each(KINDS)('P43 caches over %s that are used and shut down, one after the other, leave nothing', async (kind, on) => {
  const { asked, servers } = on()
  const pids = asked.map(({ pid }) => pid)
  const moments = ['at rest']
  await expectNothingLeft({ asked, kind, moments, rounds: ROUNDS, servers: { ...servers, pids } })
})

test.each(KINDS)('P43 nor do those over %s that are shut down in the middle of something', async (kind, on) => {
  const { asked, servers } = on()
  const pids = asked.map(({ pid }) => pid)
  const moments = ['initializing', 'loading', 'refreshing', 'waiting for another', 'reserving', 'clearing']
  await expectNothingLeft({ asked, kind, moments, rounds: ROUNDS, servers: { ...servers, pids } })
})
test.each(KINDS)('P43 nor do those over %s that are shut down while it does not answer', async (kind, on) => {
  const { asked, servers } = on()
  const pids = asked.map(({ pid }) => pid)
  const moments = ['away', 'frozen', 'frozen at once']
  await expectNothingLeft({ asked, kind, moments, rounds: IN_AN_OUTAGE, servers: { ...servers, pids } })
})
