import { type Cache, CacheError, createCache, type EncryptionOptions } from 'cachewright'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitUntil } from '../../../testbed/wait-until.ts'
import { listedKeys } from '../../support/listed-keys.ts'
import { type LyingServer, startLyingServer } from '../../support/lying-server.ts'
import { useScene } from '../../support/scene.ts'
import { FUZZ_TIMEOUT_MS, fuzz } from './fuzz.ts'
import { KINDS, KINDS_IN_STEP, Liar, type Lie, mutateLies, seedsOf } from './lies.ts'

const TIMEOUT_MS = 100
/** Several steps of a call, each with a deadline, on a busy machine. */
const SETTLED_WITHIN_MS = 20 * TIMEOUT_MS
const KEYS = ['1', '2', '3', '4']
/** Told of what the server did, by a call that has nothing else to answer. */
const ADMISSIBLE = [
  ...[
    'CACHE_TIMEOUT',
    'CACHE_UNAVAILABLE',
    'CACHE_DISCONNECTED',
    'CACHE_AMBIGUOUS',
    'CACHE_REPLY',
    'CACHE_AUTH',
  ],
  ...['CACHE_UNDECODABLE', 'CACHE_PARTIAL_WRITE', 'CACHE_WRONG_TYPE', 'CACHE_NOT_A_COUNTER'],
]

/** Without it, a server may answer any plain value to anything: nothing but the order of replies tells them apart. */
const ENCRYPTION: EncryptionOptions = {
  keys: [{ id: 'k', secret: Buffer.alloc(32, 1) }],
  unencrypted: 'refuse',
}
const OPTIONS = {
  encryption: ENCRYPTION,
  prefix: 'f:',
  commandTimeout: `${TIMEOUT_MS}ms`,
  connectTimeout: '500ms',
} as const

/** A server can say that another process holds the lease of a key, and then a caller waits for that long. */
const CACHE_OPTIONS = { ...OPTIONS, lease: { ttl: '1s' }, coherence: { trust: '300ms' } } as const

/** Lies after which leases were left behind: the connection was lost, and with it the replies that granted them. */
const CORPUS: readonly (readonly Lie[])[] = [
  [
    { reply: 1, kind: 'mutated', seed: 4 },
    { reply: 0, kind: 'late', seed: 721477 },
    { reply: 10, kind: 'another', seed: 648393 },
  ],
]

const { later, redis, simple } = useScene({ simple: true, closeAfter: 'all', flush: false })

const strays: unknown[] = []
const onStray = (error: unknown) => strays.push(error)
beforeAll(() => void process.on('uncaughtException', onStray).on('unhandledRejection', onStray))
afterAll(() => void process.off('uncaughtException', onStray).off('unhandledRejection', onStray))

const storedUnder = (key: string) => ({ key, filler: ':1 +OK $5 *2 _ '.repeat(Number(key)) })

/** A cache and a backend over one server, which lies while the calls of an attempt run. */
class Victims {
  readonly #server: LyingServer
  readonly #cache: Cache
  readonly #backend: RedisCacheBackend | IoredisCacheBackend

  constructor(server: LyingServer, cache: Cache, backend: RedisCacheBackend | IoredisCacheBackend) {
    this.#server = server
    this.#cache = cache
    this.#backend = backend
  }

  async attempt(lies: readonly Lie[]): Promise<void> {
    await this.#recover()
    const liar = new Liar(lies)
    this.#server.lie = (_command, reply) => liar.tell(reply)
    const startMs = performance.now()
    await Promise.all([
      ...KEYS.map((key) => this.#answers(this.#backend.get(key), storedUnder(key), undefined)),
      ...KEYS.map((key) =>
        this.#answers(
          this.#cache.getOrSet(key, () => storedUnder(key)),
          storedUnder(key),
        ),
      ),
      this.#answers(this.#backend.exists('1'), true, false),
      this.#answers(this.#backend.setIfAbsent('6', storedUnder('6')), true, false),
      this.#answers(this.#backend.touch('6'), true, false),
      this.#answers(this.#backend.getAndDelete('6'), storedUnder('6'), undefined),
      this.#answers(this.#backend.existsMany(['1', '6']).then(Object.fromEntries), expect.anything()),
      this.#answers(listedKeys(this.#backend), expect.any(Array)),
      this.#answers(this.#backend.set('5', storedUnder('5')), true),
      this.#answers(this.#backend.getMany(['2', '5']).then(Object.fromEntries), expect.anything()),
      this.#answers(this.#backend.getTtl('1'), expect.any(Number), undefined),
      this.#answers(this.#cache.delete('4'), expect.any(Boolean)),
      this.#answers(this.#cache.invalidateTags(['a']), expect.any(Boolean)),
    ])
    expect(performance.now() - startMs).toBeLessThan(SETTLED_WITHIN_MS)
    expect(strays.splice(0)).toEqual([])
  }

  /** A call answers one of these, or rejects with an error that says what the server did. */
  async #answers(call: Promise<unknown>, ...answers: readonly unknown[]): Promise<void> {
    let answer: unknown
    try {
      answer = await call
    } catch (error) {
      if (!(error instanceof CacheError)) throw error
      expect(ADMISSIBLE).toContain(error.code)
      return
    }
    const isExpected = answers.some((one) => {
      try {
        expect(answer).toEqual(one)
        return true
      } catch {
        return false
      }
    })
    if (!isExpected) throw new Error(`Answered ${JSON.stringify(answer)}`)
  }

  async #recover(): Promise<void> {
    this.#server.lie = (_command, reply) => reply
    await waitUntil(
      async () => {
        const isStored = await this.#backend
          .setMany(KEYS.map((key) => [key, storedUnder(key)] as const))
          .catch(() => false)
        return isStored && this.#cache.coherence !== 'none'
      },
      { what: 'the connections' },
    )
  }
}

async function overNodeRedis(port: number): Promise<Victims> {
  const server = await startLyingServer(port)
  later(() => server.stop())
  const cache = createCache({ ...CACHE_OPTIONS, redis: server.url })
  const backend = new RedisCacheBackend({
    ...OPTIONS,
    prefix: 'g:',
    url: server.url,
    serializer: 'v8',
    errors: 'throw',
  })
  for (const victim of [cache, backend]) later(() => victim.shutdown())
  await Promise.all([cache.initialize(), backend.initialize()])
  return new Victims(server, cache, backend)
}

async function overIoredis(port: number): Promise<Victims> {
  const server = await startLyingServer(port)
  later(() => server.stop())
  const client = new Redis(server.url, { connectTimeout: 500 })
  client.on('error', () => {})
  later(() => client.disconnect())
  const cache = createCache({ ...CACHE_OPTIONS, client })
  const backend = new IoredisCacheBackend({
    ...OPTIONS,
    prefix: 'g:',
    client,
    serializer: 'v8',
    errors: 'throw',
  })
  for (const victim of [cache, backend]) later(() => victim.shutdown())
  await Promise.all([cache.initialize(), backend.initialize()])
  return new Victims(server, cache, backend)
}

describe('a server that lies never makes a call hang, crash, or answer what is not so', () => {
  test.each([
    ['RESP3', KINDS, () => overNodeRedis(redis.port)],
    ['RESP2', KINDS, () => overNodeRedis(simple.port)],
    // The client throws at a surplus reply and at an unknown push, where nobody can catch that.
    ['ioredis', KINDS_IN_STEP, () => overIoredis(redis.port)],
  ] as const)(
    '%s',
    async (_name, kinds, open) => {
      const victims = await open()
      const { inputs } = await fuzz({
        share: 1 / 3,
        seeds: seedsOf(kinds),
        corpus: CORPUS.filter((lies) =>
          lies.every(({ kind }) => (kinds as readonly string[]).includes(kind)),
        ),
        mutate: (lies, chance) => mutateLies(lies, kinds, chance),
        attempt: (lies) => victims.attempt(lies),
        longestMs: 10 * SETTLED_WITHIN_MS,
        show: (lies) => JSON.stringify(lies),
      })
      expect(inputs).toBeGreaterThan(0)
    },
    FUZZ_TIMEOUT_MS,
  )
})
