import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { keySlot } from '../../src/redis/slots/key-slot.ts'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { trials } from '../support/trials.ts'

describe('hash slots', () => {
  let cluster: RedisCluster

  beforeAll(async () => {
    cluster = await startCluster({ replicasPerMaster: 0 })
  })

  afterAll(() => cluster.stop())

  it('are the same as in Redis', async () => {
    const [node] = cluster.nodes
    const key = fc
      .array(fc.constantFrom('{', '}', 'a', 'user', ':', 'é', '🚀', '\0'), { minLength: 1 })
      .map((parts) => parts.join(''))
    await fc.assert(
      fc.asyncProperty(key, async (name) => {
        assert.equal(keySlot(name), await node?.ask('CLUSTER', 'KEYSLOT', name), JSON.stringify(name))
      }),
      { numRuns: trials(500, 5_000) },
    )
  })
})
