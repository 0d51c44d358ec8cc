import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { describe, expect, test } from 'vitest'
import { ACQUIRE_LEASE, INCREMENT_COUNTERS, RESERVE_KEY } from '../../src/redis/scripts/embedded-scripts.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene({ flush: false })

const BACKENDS = [
  ['its own client', async (url: string) => new RedisCacheBackend({ url, commandTimeout: '200ms' })],
  ["a caller's ioredis 5", (url: string) => over(new Redis5(url))],
  ["a caller's ioredis 6", (url: string) => over(new Redis(url))],
] as const

async function over(client: Redis | Redis5): Promise<IoredisCacheBackend> {
  ;(client as Redis).on('error', () => {})
  scene.later(() => client.disconnect())
  await waitUntil(() => client.status === 'ready', { what: "the caller's connection" })
  return new IoredisCacheBackend({ client, commandTimeout: '200ms' })
}

const STRAYS: readonly (readonly [name: string, reply: string])[] = [
  ['a text', '$5\r\nother\r\n'],
  ['an error', '-ERR other\r\n'],
]
/** `ioredis` cannot take it: its parser throws where nobody can catch it, on every connection of the program. */
const NOTHING = ['nothing', '_\r\n'] as const

describe.each(BACKENDS)('P1 a reply that no command waits for, with %s', (name, open) => {
  test.each(name.includes('ioredis') ? STRAYS : [...STRAYS, NOTHING])(
    'answers no later command: %s',
    async (_reply, stray) => {
      const proxy = await scene.proxy()
      const backend = await open(proxy.url)
      scene.later(() => backend.shutdown())
      await backend.set('key', 'value')
      proxy.garble = (reply) => Buffer.concat([reply, Buffer.from(stray)])
      for (let round = 0; round < 3; round++) expect([undefined, 'value']).toContain(await backend.get('key'))
      proxy.garble = (reply) => reply
      await waitUntil(async () => (await backend.get('key')) === 'value', { what: 'a hit' })
    },
  )

  test('the reply to a TIME never passes for the values of two keys', async () => {
    const proxy = await scene.proxy()
    const backend = await open(proxy.url)
    scene.later(() => backend.shutdown())
    await backend.setMany({ one: 1, two: 2 })
    const read = [
      () => backend.getMany(['one', 'two']).then((found) => [...found.values()]),
      () => Promise.all([backend.get('one'), backend.get('two')]),
    ]
    for (const values of read) {
      proxy.garble = () => Buffer.from('*2\r\n$10\r\n1764350000\r\n$6\r\n930674\r\n')
      for (const value of await values()) expect([undefined, 1, 2]).toContain(value)
      proxy.garble = (reply) => reply
      await waitUntil(async () => (await backend.get('one')) === 1, { what: 'a hit' })
    }
  })
})

test.each([
  ['of a lease', ACQUIRE_LEASE, ['token', '1000', '1000', '', 'replace', '0']],
  ['of a slot', RESERVE_KEY, ['0123456789abcde0', '1000', '']],
  ['of counters', INCREMENT_COUNTERS, ['', '', '1', '1', '0', '', '0', '0']],
])('P1 the reply %s begins with a number, so it never passes for values', async (_what, script, args) => {
  const reply = await scene.redis.ask('EVAL', script, 1, `p:${args[0]}`, ...args)
  expect((reply as unknown[])[0]).toBe(0)
})
