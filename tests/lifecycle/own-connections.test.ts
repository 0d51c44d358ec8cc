import { test } from 'vitest'
import { useBuild } from '../support/build.ts'
import { useScene } from '../support/scene.ts'
import { expectNothingLeft } from './rounds.ts'

const scene = useScene({
  simple: true,
  cluster: { replicasPerMaster: 0, nodeTimeoutMs: 60_000 },
  sentinel: { downAfterMs: 60_000 },
})
const { cluster, redis, sentinel, simple } = scene
useBuild('package')

test.each([
  ['a single server', () => ({ servers: { url: redis.url }, asked: [redis.process] })],
  ['the bus', () => ({ servers: { url: simple.url }, asked: [simple.process] })],
  ['a cluster', () => ({ servers: { cluster: cluster.urls }, asked: cluster.nodes })],
  ['Sentinel', () => ({ servers: { sentinel: sentinelOptions() }, asked: [sentinel.primary] })],
  ['a backend in Redis', () => ({ servers: { url: redis.url }, asked: [redis.process] })],
  ['the memory of the process', () => ({ servers: {}, asked: [] })],
  ['a backend in memory', () => ({ servers: {}, asked: [] })],
])('P43 caches over %s that are made and shut down leave nothing', (kind, on) =>
  expectNothingLeft({ kind, ...on() }),
)

const sentinelOptions = () => ({ name: sentinel.name, nodes: sentinel.urls })
