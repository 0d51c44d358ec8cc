import { test } from 'vitest'
import { useBuild } from '../support/build.ts'
import { useScene } from '../support/scene.ts'
import { expectNothingLeft } from './rounds.ts'

const scene = useScene({
  cluster: { replicasPerMaster: 0, nodeTimeoutMs: 60_000 },
  sentinel: { downAfterMs: 60_000 },
})
const { cluster, redis, sentinel } = scene
useBuild('package')

const ONE = () => ({ servers: { url: redis.url }, asked: [redis.process] })
const SENTINEL = () => ({
  servers: { sentinel: { name: sentinel.name, nodes: sentinel.urls } },
  asked: [sentinel.primary],
})
const CLUSTER = () => ({ servers: { cluster: cluster.urls }, asked: cluster.nodes })

test.each([
  ['a client of @redis/client', ONE],
  ['a cluster of @redis/client', CLUSTER],
  ['a client of ioredis 5', ONE],
  ['a client of ioredis 6', ONE],
  ['a client of ioredis 6 behind Sentinel', SENTINEL],
  ['a cluster of ioredis 6', CLUSTER],
])('P43 caches over %s leave nothing, and no listener on it', (kind, on) =>
  expectNothingLeft({ kind, ...on() }),
)
