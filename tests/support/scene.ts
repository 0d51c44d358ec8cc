import { type Cache, type CreateCacheOptions, createCache } from 'cachewright'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { type ClusterOptions, type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { type RedisSentinel, type SentinelOptions, startSentinel } from '../../testbed/redis-sentinel.ts'
import { type Standalone, type StandaloneOptions, startStandalone } from '../../testbed/redis-standalone.ts'
import { startTcpProxy, type TcpProxy, type TcpProxyOptions } from './tcp-proxy.ts'

/** Options of caches that give Redis up soon, so that an outage costs a test little. */
export const IMPATIENT: CreateCacheOptions = { prefix: 'p:', commandTimeout: '250ms', connectTimeout: '3s' }

const PATIENT: CreateCacheOptions = { prefix: 'shop:', ttl: '5m', commandTimeout: '10s' }

/** The servers that a test file needs. */
export interface SceneOptions {
  /** @default a server with the testbed's own arguments */
  readonly redis?: StandaloneOptions | false
  /** Starts a server without RESP3 too. @default false */
  readonly simple?: boolean
  /** Starts a cluster too. @default none */
  readonly cluster?: ClusterOptions
  /** Starts a primary behind Sentinel too. @default none */
  readonly sentinel?: SentinelOptions
  /** What every cache is opened with, unless the test says otherwise. @default a long timeout and ttl */
  readonly caches?: CreateCacheOptions
  /** Empties every server before each test. @default true */
  readonly flush?: boolean
  /**
   * When that which was opened is closed: after each test, or after all of them, for those that run side by side.
   * @default 'each'
   */
  readonly closeAfter?: 'each' | 'all'
}

/** Caches and other things that tests open, and that are closed after them, the latest first. */
export interface Closing {
  /** A cache: a process of its own, as far as Redis can tell. In a scene it is on `redis` unless the options name something else. */
  cache(options?: CreateCacheOptions): Cache
  /** The same, connected. */
  open(options?: CreateCacheOptions): Promise<Cache>
  /** Has something else closed. */
  later(close: () => unknown): void
}

/**
 * Real servers, which run as long as the tests of the file do, and what these open. A server may be named before it
 * runs: what is asked of it goes to the running one.
 */
export interface Scene extends Closing {
  readonly redis: Standalone
  readonly simple: Standalone
  readonly cluster: RedisCluster
  readonly sentinel: RedisSentinel
  /** A proxy in front of `redis`, or of the server at another port. */
  proxy(options?: TcpProxyOptions & { readonly port?: number }): Promise<TcpProxy>
  /** Another server, stopped when caches are closed. */
  server(options?: StandaloneOptions): Promise<Standalone>
}

/** Starts the servers before the tests of the file, and stops them after. */
export function useScene(options: SceneOptions = {}): Scene {
  const { caches = PATIENT, closeAfter = 'each', flush = true } = options
  const running: { -readonly [name in keyof Servers]?: Servers[name] } = {}
  beforeAll(async () => Object.assign(running, await startServers(options)))
  beforeEach(() => (flush ? flushAll(running) : undefined))
  afterAll(() => Promise.all(Object.values(running).map((server) => server?.stop())))

  const redis = handleOf(() => running.redis)
  const closing = useClosing({ caches, closeAfter, urlOf: () => redis.url })
  afterEach(() => running.redis?.resume())
  return {
    redis,
    simple: handleOf(() => running.simple),
    cluster: handleOf(() => running.cluster),
    sentinel: handleOf(() => running.sentinel),
    ...closing,
    async proxy({ port = redis.port, ...passing } = {}) {
      const proxy = await startTcpProxy(port, passing)
      closing.later(() => proxy.stop())
      return proxy
    },
    async server(own) {
      const server = await startStandalone(own)
      closing.later(() => server.stop())
      return server
    },
  }
}

/** Closes what the tests of this file or `describe` have opened. Without `urlOf`, each cache says what it is on. */
export function useClosing({
  caches = PATIENT,
  closeAfter = 'each',
  urlOf,
}: Pick<SceneOptions, 'caches' | 'closeAfter'> & { readonly urlOf?: () => string }): Closing {
  const closers: (() => unknown)[] = []
  const after = closeAfter === 'each' ? afterEach : afterAll
  after(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })
  const later = (close: () => unknown) => {
    closers.push(close)
  }
  const cache = (options: CreateCacheOptions = {}) => {
    const isElsewhere = options.client !== undefined || options.backend !== undefined || 'redis' in options
    const server = isElsewhere || urlOf === undefined ? {} : { redis: urlOf() }
    const opened = createCache({ ...server, ...caches, ...options })
    later(() => opened.shutdown())
    return opened
  }
  return {
    later,
    cache,
    async open(options) {
      const opened = cache(options)
      await opened.initialize()
      return opened
    },
  }
}

interface Servers {
  readonly redis: Standalone
  readonly simple: Standalone
  readonly cluster: RedisCluster
  readonly sentinel: RedisSentinel
}

async function startServers(options: SceneOptions): Promise<Partial<Servers>> {
  const [redis, simple, cluster, sentinel] = await Promise.all([
    options.redis === false ? undefined : startStandalone(options.redis),
    options.simple ? startStandalone({ args: ['--rename-command', 'HELLO', ''] }) : undefined,
    options.cluster && startCluster(options.cluster),
    options.sentinel && startSentinel(options.sentinel),
  ])
  return {
    ...(redis && { redis }),
    ...(simple && { simple }),
    ...(cluster && { cluster }),
    ...(sentinel && { sentinel }),
  }
}

async function flushAll({ redis, simple, cluster, sentinel }: Partial<Servers>): Promise<void> {
  const servers = [redis, simple, ...(cluster?.nodes ?? []), sentinel?.primary]
  await Promise.all(servers.map((server) => server?.ask('FLUSHALL')))
}

/** Stands for a server before it has been started, so that test files can name it at their top. */
function handleOf<T extends object>(started: () => T | undefined): T {
  return new Proxy({} as T, {
    get(_target, name) {
      const server = started()
      if (server === undefined)
        throw new Error('The scene does not have this server, or it has not been started')
      const member: unknown = Reflect.get(server, name, server)
      return typeof member === 'function' ? member.bind(server) : member
    },
  })
}
