import { CacheError } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, expect, test } from 'vitest'
import type { RedisNode, RedisPort, SendCommand } from '../../src/redis/port/redis-port.ts'
import { listKeys } from '../../src/redis/store/list-keys.ts'
import { listedKeys } from '../support/listed-keys.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

/** A server that answers its scans with these keys, a page for each command, and has every key. */
function server(...pages: readonly (readonly string[])[]): RedisNode {
  const send: SendCommand = async (command) => {
    const [name, argument, count] = command.map(String)
    if (name === 'CLUSTER') return 'id host myself,master - 0 0 1 connected 0-16383\n'
    if (name !== 'SCAN') return '1'.repeat(Number(count))
    const page = Number(argument)
    const next = page + 1 === pages.length ? 0 : page + 1
    return [Buffer.from(String(next)), (pages[page] ?? []).map((key) => Buffer.from(key))]
  }
  return { send, suspect() {} }
}

const dead: RedisNode = {
  send: () => Promise.reject(new CacheError('CACHE_TIMEOUT', 'No reply')),
  suspect() {},
}

async function walked(masters: readonly RedisNode[]) {
  const port = { isCluster: true, masters: async () => masters } as Partial<RedisPort> as RedisPort
  const listed: string[] = []
  let failure: unknown
  try {
    for await (const batch of listKeys(port, '*', undefined)) listed.push(...batch)
  } catch (error) {
    failure = (error as CacheError).code
  }
  return { listed, failure }
}

describe('a walk over Redis', () => {
  test('lists a key once that its scans meet again', async () => {
    const one = server(['a', 'b', 'a'], [], ['b', 'c'])
    expect(await walked([one, server(['c', 'd'])])).toEqual({
      listed: ['a', 'b', 'c', 'd'],
      failure: undefined,
    })
  })

  test('visits the other masters before it fails because of one', async () => {
    expect(await walked([server(['a']), dead, server(['b'])])).toEqual({
      listed: ['a', 'b'],
      failure: 'CACHE_TIMEOUT',
    })
  })

  test('leaves out what is no key of a caller', async () => {
    const backend = new RedisCacheBackend({ url: scene.redis.url, prefix: 'p:' })
    scene.later(() => backend.shutdown())
    await backend.set('é', 1)
    await scene.redis.ask('SET', 'p:', 'the prefix alone')
    await scene.redis.ask('SET', 'p:\0namespace', 'a reserved key')
    await scene.redis.ask('EVAL', "return redis.call('SET', 'p:\\255', 'no UTF-8')", '0')
    await scene.redis.ask('SET', 'other', 'another prefix')
    expect(await scene.redis.ask('DBSIZE')).toBe(5)
    expect(await listedKeys(backend)).toEqual(['é'])
  })

  test('goes on when keys are removed meanwhile, and lists none of them', async () => {
    const backend = new RedisCacheBackend({ url: scene.redis.url, prefix: 'p:' })
    scene.later(() => backend.shutdown())
    await backend.setMany(Array.from({ length: 3_000 }, (_, index) => [`key:${index}`, 0] as const))
    const walk = backend.keys()[Symbol.asyncIterator]()
    const first = await walk.next()
    await scene.redis.ask('FLUSHALL')
    let rest = 0
    for (let next = await walk.next(); !next.done; next = await walk.next()) rest++
    expect(first.done).toBe(false)
    expect(rest).toBeLessThan(1_500)
  })
})
