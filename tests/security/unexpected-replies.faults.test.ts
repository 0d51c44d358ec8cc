import { type CacheError, createCache } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { beforeAll, describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { EVERY_OPERATION } from '../support/every-operation.ts'
import { type LyingServer, startLyingServer } from '../support/lying-server.ts'
import { useScene } from '../support/scene.ts'

const { later, redis } = useScene({ closeAfter: 'all', flush: false })
const OPTIONS = { prefix: 'p:', commandTimeout: '500ms' } as const

/** Replies of every form, as a server may send them to any command. */
const REPLIES = [
  ':5\r\n',
  ':-7\r\n',
  '+OK\r\n',
  '_\r\n',
  '$-1\r\n',
  '$0\r\n\r\n',
  '$3\r\nabc\r\n',
  ',1.5\r\n',
  ',nan\r\n',
  '#t\r\n',
  '(3492890328409238509324850943850943825024385\r\n',
  '*-1\r\n',
  '*0\r\n',
  '*1\r\n$1\r\na\r\n',
  '*2\r\n_\r\n_\r\n',
  '*2\r\n$1\r\n0\r\n*1\r\n_\r\n',
  '*2\r\n$1\r\nx\r\n*0\r\n',
  '*4\r\n$8\r\nacquired\r\n$1\r\nx\r\n$1\r\nx\r\n$1\r\nx\r\n',
  '*4\r\n$4\r\nheld\r\n$1\r\n1\r\n$3\r\nInf\r\n$1\r\n0\r\n',
  '%1\r\n$1\r\na\r\n$1\r\nb\r\n',
  '~1\r\n$1\r\na\r\n',
  '=7\r\ntxt:abc\r\n',
] as const
/** Commands whose replies belong to the handshake, or are ignored. */
const SPARED = ['HELLO', 'CLIENT', 'INFO', 'PING', 'AUTH', 'SELECT', 'PUBLISH', 'SUBSCRIBE']

const NO_ERROR = 'no error'
/** What a caller may be told of a reply that cannot be the answer to its command. */
const ADMISSIBLE = [
  NO_ERROR,
  'CACHE_DISCONNECTED',
  'CACHE_UNAVAILABLE',
  'CACHE_AMBIGUOUS',
  'CACHE_PARTIAL_WRITE',
]

let server: LyingServer
beforeAll(async () => {
  server = await startLyingServer(redis.port)
  later(() => server.stop())
})

const EVERYTHING = new RegExp(`^(?!${SPARED.join('|')})`)

describe('a reply that its command cannot have', () => {
  test('is refused by every operation of a backend', async () => {
    // Each has a connection of its own, since the first such reply ends a connection.
    const asked = EVERY_OPERATION.map(({ name, run }) => {
      const backend = new RedisCacheBackend({ ...OPTIONS, url: server.url, errors: 'throw' })
      later(() => backend.shutdown())
      return { backend, name, run }
    })
    for (const reply of REPLIES) {
      for (const { backend } of asked) await waitUntil(() => answers(backend), { what: 'the connection' })
      server.lie = lieTo(EVERYTHING, reply)
      const codes = await Promise.all(asked.map(({ backend, run }) => run(backend).then(nothing, codeOf)))
      server.lie = truth
      for (const [index, code] of codes.entries()) {
        expect(ADMISSIBLE, `${asked[index]?.name}, ${JSON.stringify(reply)}`).toContain(code)
      }
    }
  })

  test('a count of more keys or members than the command has is refused', async () => {
    const backend = new RedisCacheBackend({ ...OPTIONS, url: server.url, errors: 'throw' })
    later(() => backend.shutdown())
    const counts: readonly [count: number, run: () => Promise<unknown>][] = [
      [2, () => backend.delete('one')],
      [3, () => backend.deleteMany(['one', 'two'])],
      [3, () => backend.addManyToSet('set', ['a', 'b'])],
      [2, () => backend.exists('one')],
    ]
    for (const [count, run] of counts) {
      await waitUntil(() => answers(backend), { what: 'the connection' })
      server.lie = lieTo(/^(EVAL|UNLINK|EXISTS)/, `:${count}\r\n`)
      await expect(run()).rejects.toMatchObject({ code: 'CACHE_DISCONNECTED' })
      server.lie = truth
    }
  })

  test.each(['EVAL', 'MGET', 'TIME', 'SET'])('to %s fails no load of a cache', async (name) => {
    const codes = new Set<string>()
    const cache = createCache({ ...OPTIONS, redis: server.url, coherence: { trust: '300ms' } })
    later(() => cache.shutdown())
    cache.on('error', ({ error }) => codes.add(error.code))
    await cache.initialize()
    for (const [index, reply] of REPLIES.entries()) {
      const load = () => cache.getOrSet(`key:${index}`, () => index, { tags: [`tag:${index}`] })
      server.lie = lieTo(new RegExp(`^${name}`), reply)
      expect(await load()).toBe(index)
      await Promise.all([
        cache.set('other', 1),
        cache.invalidateTags([`tag:${index}`]),
        cache.delete('other'),
        cache.clear(),
      ])
      server.lie = truth
      expect(await load()).toBe(index)
    }
    for (const code of codes) expect(ADMISSIBLE).toContain(code)
  })
})

function truth(_command: readonly Buffer[], reply: Buffer): Buffer {
  return reply
}

/** Sends `reply` to every command with such a name. */
function lieTo(name: RegExp, reply: string): LyingServer['lie'] {
  return ([word], honest) => (name.test(String(word)) ? Buffer.from(reply) : honest)
}

function nothing(): string {
  return NO_ERROR
}

function codeOf(error: CacheError): string {
  return error.code
}

function answers(backend: RedisCacheBackend): Promise<boolean> {
  return backend.exists('none').then(
    () => true,
    () => false,
  )
}
