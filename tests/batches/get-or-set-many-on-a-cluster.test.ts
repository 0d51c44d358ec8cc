import { createCache } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startCluster({ masters: 3, replicasPerMaster: 0 })
})
afterAll(() => cluster.stop())

test('one loader call loads a batch over the slots of three masters, and every entry is stored', async () => {
  const nodes = cluster.urls
  // Time stands still: keys of a node that is slow to answer are not left to a second call.
  const options = { redis: { cluster: { nodes } }, prefix: 'many:', clock: new ManualClock() }
  await using mine = createCache(options)
  await using other = createCache(options)
  const keys = Array.from({ length: 300 }, (_, index) => `key${index}`)
  const asked: (readonly string[])[] = []
  const load = (missing: readonly string[]) => {
    asked.push(missing)
    return missing.map((key) => ({ key }))
  }
  await Promise.all([mine.initialize(), other.initialize()])
  const expected = keys.map((key) => [key, { key }])
  expect([...(await mine.getOrSetMany(keys, load, { tags: ['all'] }))]).toEqual(expected)
  expect(asked.map((one) => [...one].sort())).toEqual([[...keys].sort()])
  expect([...(await other.getOrSetMany(keys, load, { tags: ['all'] }))]).toEqual(expected)
  expect(asked.length).toBe(1)
  await other.invalidateTags(['all'])
  await other.deleteMany(['key1', 'key2'])
  expect([...(await other.getOrSetMany(keys, load, { tags: ['all'] }))]).toEqual(expected)
  expect(asked.slice(1).flat().sort()).toEqual([...keys].sort())
})
