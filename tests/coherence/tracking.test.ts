import type { Cache, CreateCacheOptions } from 'cachewright'
import { describe, expect, test } from 'vitest'
import type { RedisReply } from '../../testbed/redis-command.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, inMode, warmed } from '../support/cache-states.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ cluster: { replicasPerMaster: 0 }, sentinel: {}, caches: IMPATIENT })
const { redis: standalone, cluster, sentinel } = scene

type Ask = (...command: readonly string[]) => Promise<RedisReply>

const DEPLOYMENTS: readonly (readonly [
  name: string,
  redis: () => CreateCacheOptions['redis'],
  ask: (key: string) => Promise<Ask>,
])[] = [
  ['a single server', () => standalone.url, async () => standalone.ask],
  [
    'a cluster',
    () => ({ cluster: { nodes: cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`) } }),
    async (key) => {
      const port = await cluster.masterOf(await cluster.slotOf(key))
      return (...command) => cluster.ask(port, ...command)
    },
  ],
  [
    'a primary behind Sentinel',
    () => ({
      sentinel: {
        name: sentinel.name,
        nodes: sentinel.urls,
      },
    }),
    async () =>
      (...command) =>
        sentinel.primary.ask(...command),
  ],
]

describe.each(DEPLOYMENTS)('P31 tracking at %s', (_name, redis, askerOf) => {
  async function pair(): Promise<readonly [Cache, Cache]> {
    const caches = [scene.cache({ redis: redis() }), scene.cache({ redis: redis() })] as const
    for (const cache of caches) await inMode(cache, 'tracking')
    return caches
  }

  test('a change by another cache drops the entry from the local tier', async () => {
    const [mine, other] = await pair()
    for (let round = 0; round < 6; round++) {
      const key = `key:${round}`
      await warmed(mine, key)
      expect(mine.peek(key)).toBe('loaded')
      if (round % 2 === 0) await other.set(key, 'changed')
      else await other.delete(key)
      await dropped(mine, key)
      expect(await mine.get(key)).toBe(round % 2 === 0 ? 'changed' : undefined)
    }
  })

  test('a change by another program drops the entry from the local tier', async () => {
    const [mine] = await pair()
    for (const command of [
      ['SET', 'p:key', '"foreign"'],
      ['DEL', 'p:key'],
      ['UNLINK', 'p:key'],
      ['PEXPIRE', 'p:key', '0'],
      ['RENAME', 'p:key', 'p:key2'],
    ]) {
      const ask = await askerOf('p:key')
      await ask('DEL', 'p:key')
      await warmed(mine, 'key')
      await ask(...command).catch((error: Error) => {
        if (!error.message.startsWith('CROSSSLOT')) throw error
        return ask('DEL', 'p:key')
      })
      await dropped(mine, 'key')
      expect(await mine.get('key')).toBe(command[0] === 'SET' ? 'foreign' : undefined)
    }
  })

  test('a tag invalidation by another cache or program drops the tagged entries from the local tier', async () => {
    const [mine, other] = await pair()
    const ask = await askerOf('p:\0tag:users')
    for (const invalidate of [
      () => other.invalidateTags(['users']),
      () => ask('DEL', 'p:\0tag:users'),
      () => ask('SET', 'p:\0tag:users', 'sixteen bytes ok'),
    ]) {
      let loads = 0
      const load = () => ++loads
      const options = { tags: ['users'] }
      await waitUntil(
        async () => {
          await mine.getOrSet('tagged', load, options)
          return mine.peek('tagged') !== undefined
        },
        { what: 'a local copy' },
      )
      const before = loads
      await invalidate()
      await dropped(mine, 'tagged')
      expect(await mine.getOrSet('tagged', load, options)).toBe(before + 1)
    }
  })

  test('a flush empties the local tier', async () => {
    const [mine] = await pair()
    await warmed(mine, 'key')
    const ask = await askerOf('p:key')
    await ask('FLUSHALL')
    await dropped(mine, 'key')
    expect(await mine.get('key')).toBeUndefined()
  })

  test('a fill stays in the local tier of its own cache, even when another cache reads it', async () => {
    const [mine, other] = await pair()
    await warmed(mine, 'key')
    await warmed(other, 'key', () => 'never')
    expect(other.peek('key')).toBe('loaded')
    expect(mine.peek('key')).toBe('loaded')
  })
})
