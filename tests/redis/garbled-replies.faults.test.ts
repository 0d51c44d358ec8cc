import { RedisCacheBackend } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

interface Described {
  readonly key: string
  readonly filler: string
}

const KEYS = Array.from({ length: 2_000 }, (_, number) => `key:${String(number).padStart(5, '0')}`)
const BATCH = 50
/** The values name their key, and their filler holds what a lost parser would take for replies. */
const describedBy = (key: string): Described => ({
  key,
  filler: ':1 +OK $5 *2 _ '.repeat(Number(key.slice(-1))),
})

const scene = useScene({ cluster: { replicasPerMaster: 0 }, flush: false })
const { redis, cluster } = scene

const common = { commandTimeout: '250ms', prefix: 'p:' } as const

async function behindProxy(serializer: 'json' | 'v8'): Promise<[RedisCacheBackend<Described>, TcpProxy[]]> {
  const proxy = await scene.proxy()
  return [await filled(new RedisCacheBackend({ ...common, serializer, url: proxy.url })), [proxy]]
}

async function ioredisBehindProxy(): Promise<[RedisCacheBackend<Described>, TcpProxy[]]> {
  const proxy = await scene.proxy()
  const client = new Redis(proxy.url)
  client.on('error', () => {})
  scene.later(() => client.disconnect())
  return [await filled(new RedisCacheBackend({ ...common, client })), [proxy]]
}

async function clusterBehindProxies(): Promise<[RedisCacheBackend<Described>, TcpProxy[]]> {
  const proxies = await Promise.all(cluster.nodes.map(({ port }) => scene.proxy({ port })))
  const nodeAddressMap = Object.fromEntries(
    cluster.nodes.map(({ port }, index) => [
      `127.0.0.1:${port}`,
      { host: '127.0.0.1', port: (proxies[index] as TcpProxy).port },
    ]),
  )
  const nodes = proxies.map(({ url }) => url)
  // One slot a node would do; a tag in the prefix keeps batches whole.
  const backend = new RedisCacheBackend<Described>({
    ...common,
    prefix: '{one}:',
    cluster: { nodes, nodeAddressMap },
  })
  return [await filled(backend), proxies]
}

async function filled(backend: RedisCacheBackend<Described>): Promise<RedisCacheBackend<Described>> {
  scene.later(() => backend.shutdown())
  await backend.initialize()
  const values = KEYS.map((key) => [key, describedBy(key)] as const)
  await waitUntil(() => backend.setMany(values), { what: 'the values, although the machine is busy' })
  return backend
}

/** Reads every key, in batches of one tick each, and fails on a value that is not its key's own. */
async function readAll(backend: RedisCacheBackend<Described>): Promise<number> {
  const reads: Promise<Described | undefined>[] = []
  for (let start = 0; start < KEYS.length; start += BATCH) {
    for (const key of KEYS.slice(start, start + BATCH)) reads.push(backend.get(key))
    await new Promise((resolve) => process.nextTick(resolve))
  }
  let hits = 0
  for (const [index, value] of (await Promise.all(reads)).entries()) {
    if (value === undefined) continue
    hits++
    expect(value).toEqual(describedBy(KEYS[index] as string))
  }
  return hits
}

async function recovers(backend: RedisCacheBackend<Described>): Promise<void> {
  await waitUntil(async () => (await readAll(backend)) === KEYS.length, {
    what: 'every key to be a hit again',
  })
}

/** Replaces the first `from` in the stream by `to`, once. */
function replaceOnce(
  proxies: readonly TcpProxy[],
  from: string,
  to: string,
): { readonly isDone: () => boolean } {
  let isDone = false
  for (const proxy of proxies) {
    proxy.garble = (reply) => {
      const at = isDone ? -1 : reply.indexOf(from)
      if (at === -1) return reply
      isDone = true
      return Buffer.concat([reply.subarray(0, at), Buffer.from(to), reply.subarray(at + from.length)])
    }
  }
  return { isDone: () => isDone }
}

const GARBLED: readonly (readonly [what: string, from: string, to: string])[] = [
  ['a digit is lost from the length of a batch', `*${BATCH}\r\n`, `*${String(BATCH).slice(1)}\r\n`],
  [
    'the last digit is lost from the length of a batch',
    `*${BATCH}\r\n`,
    `*${String(BATCH).slice(0, -1)}\r\n`,
  ],
  ['a batch loses an element of its length', `*${BATCH}\r\n`, `*${BATCH - 1}\r\n`],
  ['a batch gains an element of its length', `*${BATCH}\r\n`, `*${BATCH + 1}\r\n`],
  ['a digit is added to the length of a batch', `*${BATCH}\r\n`, `*1${BATCH}\r\n`],
  ['a whole reply is injected', `*${BATCH}\r\n`, `+OK\r\n*${BATCH}\r\n`],
  ['a null is injected', `*${BATCH}\r\n`, `_\r\n*${BATCH}\r\n`],
  ['a byte is injected before a reply', `*${BATCH}\r\n`, `x*${BATCH}\r\n`],
  ['the line end of a length is lost', `*${BATCH}\r\n`, `*${BATCH}\n`],
]

describe("P1 a garbled reply stream never yields another key's value", () => {
  for (const [name, open] of [
    ['a single server, json', () => behindProxy('json')],
    ['a single server, v8', () => behindProxy('v8')],
    ['ioredis', ioredisBehindProxy],
    ['one node of a cluster', clusterBehindProxies],
  ] as const) {
    for (const [what, from, to] of GARBLED) {
      test(`${what} (${name})`, async () => {
        const [backend, proxies] = await open()
        const garbled = replaceOnce(proxies, from, to)
        await readAll(backend)
        expect(garbled.isDone()).toBe(true)
        await recovers(backend)
      })
    }
  }

  test('a byte is injected or lost at 60 places of the stream (v8)', async () => {
    const [backend, [proxy]] = await behindProxy('v8')
    for (let trial = 0; trial < 60; trial++) {
      const position = (trial * 7_919) % 60_000
      let seen = 0
      ;(proxy as TcpProxy).garble = (reply) => {
        const at = position - seen
        seen += reply.length
        if (at < 0 || at >= reply.length) return reply
        const injected = trial % 2 === 0 ? Buffer.from('5') : Buffer.alloc(0)
        return Buffer.concat([reply.subarray(0, at), injected, reply.subarray(at + 1 - injected.length)])
      }
      await readAll(backend)
      ;(proxy as TcpProxy).garble = (reply) => reply
      await waitUntil(async () => (await backend.get(KEYS[0] as string)) !== undefined, {
        what: 'the next hit',
      })
    }
    await recovers(backend)
  }, 60_000)
})

describe("P1 a listener that throws never causes another key's value", () => {
  test('a listener throws at every event while the connection is cut repeatedly', async () => {
    const [backend] = await behindProxy('json')
    let thrown = 0
    for (const event of [
      'hit',
      'miss',
      'set',
      'delete',
      'error',
      'connect',
      'disconnect',
      'invalidate',
    ] as const) {
      backend.on(event, () => {
        thrown++
        throw new Error(`a listener of '${event}'`)
      })
    }
    for (let round = 0; round < 5; round++) {
      const reading = readAll(backend)
      await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal')
      await Promise.all([reading, backend.get('none'), backend.set('other', describedBy('key:00001'))])
      await recovers(backend)
    }
    expect(thrown).toBeGreaterThan(KEYS.length)
  })

  test('the logger throws, too', async () => {
    const proxy = await startTcpProxy(redis.port)
    scene.later(() => proxy.stop())
    const fail = () => {
      throw new Error('the log is full')
    }
    const logger = { debug: fail, warn: fail, error: fail }
    const backend = await filled(new RedisCacheBackend({ ...common, logger, url: proxy.url }))
    for (const event of ['hit', 'connect', 'disconnect', 'error'] as const) backend.on(event, fail)
    const reading = readAll(backend)
    proxy.cut()
    await reading
    await recovers(backend)
  })
})
