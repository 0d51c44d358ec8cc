import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { describe, expect, test } from 'vitest'
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
})
