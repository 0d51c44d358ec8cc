import assert from 'node:assert/strict'
import type { CacheError, CreateCacheOptions } from 'cachewright'
import { type NodeRedisOptions, RedisCacheBackend } from 'cachewright/redis'
import { beforeEach, describe, it } from 'vitest'
import { askRedis } from '../../testbed/redis-command.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'

type Provider = NonNullable<NodeRedisOptions['credentialsProvider']>
type Listener = Parameters<Extract<Provider, { subscribe: unknown }>['subscribe']>[0]

/** The service that hands out passwords, which Redis accepts for a while. */
class TokenService {
  token = 'first'
  requests = 0
  readonly refusals: Error[] = []
  readonly listeners = new Set<Listener>()

  readonly async: Provider = {
    type: 'async-credentials-provider',
    credentials: async () => {
      this.requests++
      return { username: 'app', password: this.token }
    },
  }

  readonly streaming: Provider = {
    type: 'streaming-credentials-provider',
    subscribe: async (listener) => {
      this.requests++
      this.listeners.add(listener)
      return [{ username: 'app', password: this.token }, { dispose: () => this.listeners.delete(listener) }]
    },
    onReAuthenticationError: (error) => this.refusals.push(error),
  }

  renew(token: string): void {
    this.token = token
    for (const listener of this.listeners) listener.onNext({ username: 'app', password: token })
  }
}

describe('credentials that expire', () => {
  const scene = useScene({
    cluster: { masters: 3, replicasPerMaster: 0 },
    sentinel: {},
    caches: { prefix: 'shop:', errors: 'throw', commandTimeout: '5s' },
  })
  let tokens: TokenService

  const portsOf = {
    'one server': () => [scene.redis.port],
    'one server on the bus': () => [scene.redis.port],
    'a cluster': () => scene.cluster.nodes.map(({ port }) => port),
    Sentinel: () => [scene.sentinel.primary.port],
  }
  type Place = keyof typeof portsOf
  const onePlace = (): CreateCacheOptions['redis'] => ({ url: `redis://127.0.0.1:${scene.redis.port}` })
  const placeOf: Record<Place, () => CreateCacheOptions['redis']> = {
    'one server': onePlace,
    'one server on the bus': onePlace,
    'a cluster': () => ({ cluster: { nodes: scene.cluster.urls } }),
    Sentinel: () => ({
      sentinel: { name: scene.sentinel.name, nodes: scene.sentinel.urls },
    }),
  }
  const PLACES = Object.keys(portsOf) as Place[]

  /** Asks every server of the place. */
  const askAll = (place: Place, ...command: string[]) =>
    Promise.all(portsOf[place]().map((port) => askRedis({ port }, ...command)))
  const accept = (place: Place, token: string) =>
    askAll(place, 'ACL', 'SETUSER', 'app', 'reset', 'on', `>${token}`, '~*', '&*', '+@all')

  const opened = async (place: Place, credentialsProvider: Provider) => {
    const redis = { ...(placeOf[place]() as object), clientOptions: { credentialsProvider } }
    const mode = place === 'one server on the bus' ? 'bus' : 'tracking'
    return scene.open({ redis, coherence: { mode } })
  }

  beforeEach(async () => {
    tokens = new TokenService()
    for (const place of PLACES) await accept(place, 'first')
  })

  for (const place of PLACES) {
    it(`each connection asks for a new token, on ${place}`, async () => {
      const cache = await opened(place, tokens.async)
      await cache.set('key', 1)
      const before = tokens.requests
      await accept(place, 'second')
      tokens.token = 'second'
      await askAll(place, 'CLIENT', 'KILL', 'USER', 'app')
      await waitUntil(
        async () => {
          const stored = await cache.set('key', 2).catch(() => false)
          return stored && cache.coherence === (place === 'one server on the bus' ? 'bus' : 'tracking')
        },
        { what: 'the cache is back' },
      )
      assert.ok(tokens.requests > before)
      assert.equal(await cache.get('key', { local: false }), 2)
    })
  }

  it('a stream of tokens signs in again on connections in use', async () => {
    const cache = await opened('one server', tokens.streaming)
    const signIns = async () =>
      Number(/cmdstat_auth:calls=(\d+)/.exec(String(await scene.redis.ask('INFO', 'commandstats')))?.[1] ?? 0)
    const before = await signIns()
    await scene.redis.ask('ACL', 'SETUSER', 'app', '>second')
    tokens.renew('second')
    await waitUntil(async () => (await signIns()) > before, { what: 'AUTH' })
    assert.equal(await cache.set('key', 1), true)
    assert.deepEqual([tokens.requests, tokens.refusals], [1, []])
  })

  it('a stream whose token is refused tells its provider, and the connection goes on', async () => {
    const cache = await opened('one server', tokens.streaming)
    tokens.renew('not accepted')
    await waitUntil(() => tokens.refusals.length > 0, { what: 'the refusal' })
    assert.equal(await cache.set('key', 1), true)
  })

  it('a stream has as many listeners as there are connections, and none after shutdown', async () => {
    const cache = await opened('one server', tokens.streaming)
    for (let lost = 1; lost <= 5; lost++) {
      await scene.redis.ask('CLIENT', 'KILL', 'USER', 'app')
      await waitUntil(() => tokens.requests > lost && cache.coherence === 'tracking', {
        what: 'the cache is back',
      })
      await waitUntil(() => tokens.listeners.size === 1, { what: 'the old listener is gone' })
    }
    await cache.shutdown()
    assert.equal(tokens.listeners.size, 0)
  })

  it('a provider that fails is told by name, without its message, and asked again', async () => {
    let isDown = true
    const provider: Provider = {
      type: 'async-credentials-provider',
      credentials: async () => {
        if (isDown) throw Object.assign(new Error('token eyJhbGciOi was refused'), { code: 'ETOKEN' })
        return { username: 'app', password: 'first' }
      },
    }
    const backend = new RedisCacheBackend({ ...urlOf(), clientOptions: { credentialsProvider: provider } })
    scene.later(() => backend.shutdown())
    await assert.rejects(backend.initialize(), {
      code: 'CACHE_UNAVAILABLE',
      message: 'Redis is not available (credentialsProvider failed: ETOKEN)',
    })
    isDown = false
    assert.equal(await backend.set('key', 1), true)
  })

  it('a provider that does not answer is given connectTimeout', async () => {
    const provider: Provider = {
      type: 'async-credentials-provider',
      credentials: () => new Promise(() => {}),
    }
    const backend = new RedisCacheBackend({
      ...urlOf(),
      clientOptions: { credentialsProvider: provider },
      connectTimeout: '200ms',
    })
    scene.later(() => backend.shutdown())
    await assert.rejects(backend.initialize(), { code: 'CACHE_TIMEOUT' })
  })

  const urlOf = () => ({ url: `redis://127.0.0.1:${scene.redis.port}` })
  const REFUSED: readonly (readonly [what: string, options: () => object, message: RegExp])[] = [
    [
      'a function',
      () => ({ credentialsProvider: async () => ({}) }),
      /credentialsProvider must be an object, not a function/,
    ],
    [
      'an unknown kind',
      () => ({ credentialsProvider: { type: 'iam' } }),
      /type of clientOptions.credentialsProvider must be 'async-credentials-provider' or 'stream/,
    ],
    [
      'a name of Object.prototype',
      () => ({ credentialsProvider: { type: 'toString' } }),
      /type of clientOptions.credentialsProvider/,
    ],
    [
      'a missing method',
      () => ({ credentialsProvider: { type: 'streaming-credentials-provider', subscribe() {} } }),
      /must have a method 'onReAuthenticationError'/,
    ],
    [
      'a password beside it',
      () => ({ credentialsProvider: tokens.async, password: 'secret' }),
      /password has no effect beside credentialsProvider/,
    ],
  ]
  for (const [what, clientOptions, message] of REFUSED) {
    it(`refused: ${what}`, () => {
      const create = () => new RedisCacheBackend({ ...urlOf(), clientOptions: clientOptions() })
      assert.throws(create, (error: CacheError) => {
        assert.equal(error.code, 'CACHE_INVALID_OPTIONS')
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /secret/)
        return true
      })
    })
  }

  it('refused: a password in the URL beside it, of a server or of nodes of a cluster', () => {
    const clientOptions = { credentialsProvider: tokens.async }
    const url = 'redis://app:secret@127.0.0.1:6379'
    for (const where of [{ url }, { cluster: { nodes: [url] } }]) {
      assert.throws(() => new RedisCacheBackend({ ...where, clientOptions }), {
        code: 'CACHE_INVALID_OPTIONS',
        message: 'The password in the URL has no effect beside clientOptions.credentialsProvider',
      })
    }
  })

  it('refused: what @redis/client would cache or track beside this library', () => {
    for (const name of ['clientSideCache', 'emitInvalidate']) {
      const clientOptions = { [name]: true } as NodeRedisOptions
      assert.throws(() => new RedisCacheBackend({ ...urlOf(), clientOptions }), {
        code: 'CACHE_INVALID_OPTIONS',
      })
    }
  })
})
