import { createClient } from '@redis/client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { SharedTier } from '../../src/backend/seams/shared-tier.ts'
import { SYSTEM_CLOCK } from '../../src/foundation/time/clock.ts'
import { NodeRedisConnection } from '../../src/redis/node-redis/connection.ts'
import { parseRedisUrl } from '../../src/redis/node-redis/redis-address.ts'
import { DeadlinePort } from '../../src/redis/port/deadline-port.ts'
import { disconnected, fromErrorReply } from '../../src/redis/port/redis-errors.ts'
import type { BatchingPort, RedisArgument } from '../../src/redis/port/redis-port.ts'
import { RedisStore } from '../../src/redis/store/redis-store.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'

const TOKEN = `${'t'.repeat(15)}\0`
const OTHER_TOKEN = `${'o'.repeat(15)}\0`
const ENTRY = Buffer.from('entry')

let redis: Standalone
const closers: (() => unknown)[] = []

beforeAll(async () => {
  redis = await startStandalone()
})
afterAll(() => redis.stop())

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** A store whose tier is on the bus. */
async function openOnBus(): Promise<{ readonly store: RedisStore; readonly tier: SharedTier }> {
  const address = parseRedisUrl(redis.url)
  const timeouts = { commandTimeoutMs: 1_000, connectTimeoutMs: 5_000 }
  const connection = new NodeRedisConnection(
    { locate: async () => address, options: {}, ...timeouts },
    { connected() {}, disconnected() {} },
  )
  const store = new RedisStore(
    new DeadlinePort(connection, timeouts.commandTimeoutMs, timeouts.connectTimeoutMs),
  )
  const limits = { localTtlMs: 1_000, trustMs: 30_000 }
  const tier = store.share({ coherence: 'bus', prefix: 'p:', clock: SYSTEM_CLOCK, ...limits })
  tier.watch({ invalidated() {}, epochBegan() {}, restarted() {} })
  await store.open()
  tier.start()
  closers.push(async () => {
    await tier.stop()
    await store.close()
  })
  await waitUntil(() => tier.coherence === 'bus', { what: 'the tier to be on the bus' })
  return { store, tier }
}

type Message = readonly [publisher: string, number: number, storedKeys: readonly string[]]

/** Collects what is published on the channel of the bus. */
async function recordedMessages(): Promise<readonly Message[]> {
  const messages: Message[] = []
  const subscriber = createClient({ url: redis.url })
  subscriber.on('error', () => {})
  await subscriber.connect()
  closers.push(() => subscriber.destroy())
  await subscriber.subscribe('p:\0bus', (text) => messages.push(JSON.parse(text)))
  return messages
}

describe('the message that a change publishes on the bus', () => {
  let store: RedisStore
  let tier: SharedTier
  let messages: readonly Message[]

  beforeEach(async () => {
    await redis.ask('FLUSHALL')
    ;({ store, tier } = await openOnBus())
    messages = await recordedMessages()
  })

  /** The keys of each message, ended by that of one more change; checks that no number is missing before it. */
  async function publishedKeys(): Promise<readonly (readonly string[])[]> {
    await tier.write('p:last', ENTRY, 60_000)
    await waitUntil(() => messages.some(([, , keys]) => keys.includes('p:last')), {
      what: 'the last message',
    })
    const numbers = messages.map(([, number]) => number)
    expect(numbers).toEqual(numbers.map((_, index) => Number(numbers[0]) + index))
    return messages.map(([, , keys]) => keys)
  }

  const acquire = (storedKey: string, token: string) =>
    tier.acquire(storedKey, { token, leaseMs: 5_000, longestLeaseMs: 5_000, stamp: '', purpose: 'replace' })

  it('a fill names its key', async () => {
    await acquire('p:key', TOKEN)
    expect(await tier.fill('p:key', { kind: 'lease', mark: TOKEN }, ENTRY, 60_000)).toBe(true)
    expect(await publishedKeys()).toEqual([['p:key'], ['p:last']])
  })

  it('a fill that has lost its lease names no key, and leaves no gap in the numbers', async () => {
    await acquire('p:key', OTHER_TOKEN)
    expect(await tier.fill('p:key', { kind: 'lease', mark: TOKEN }, ENTRY, 60_000)).toBe(false)
    expect(await publishedKeys()).toEqual([[], ['p:last']])
  })

  it('an operation that has changed nothing names no key, and leaves no gap in the numbers', async () => {
    await redis.ask('SET', 'p:key', '1')
    expect(await store.writeIfAbsent('p:key', '2', 60_000)).toBe(false)
    expect(await store.take('p:none')).toBeNull()
    expect(await store.expire('p:none', 60_000)).toBe(false)
    expect(await publishedKeys()).toEqual([[], [], [], ['p:last']])
  })

  it('a conditional write, a new time to live and a taken value name their key', async () => {
    expect(await store.writeIfAbsent('p:one', '1', 60_000)).toBe(true)
    expect(await store.expire('p:one', 30_000)).toBe(true)
    expect(await store.expire('p:one', Number.POSITIVE_INFINITY)).toBe(true)
    expect(String(await store.take('p:one'))).toBe('1')
    expect(await publishedKeys()).toEqual([['p:one'], ['p:one'], ['p:one'], ['p:one'], ['p:last']])
  })

  it('a change that Redis refused names no key, and leaves no gap in the numbers', async () => {
    await redis.ask('CONFIG', 'SET', 'min-replicas-to-write', '1')
    try {
      const refusal = { code: 'CACHE_REPLY', replyCode: 'NOREPLICAS' }
      await expect(tier.write('p:key', ENTRY, 60_000)).rejects.toMatchObject(refusal)
      await expect(tier.bump('p:\0tag:users', 60_000, {})).rejects.toMatchObject(refusal)
      await expect(store.writeIfAbsent('p:key', '1', 60_000)).rejects.toMatchObject(refusal)
    } finally {
      await redis.ask('CONFIG', 'SET', 'min-replicas-to-write', '0')
    }
    expect(await publishedKeys()).toEqual([[], [], [], ['p:last']])
  })

  it('a removal that takes several commands gives each a number of its own', async () => {
    const storedKeys = Array.from({ length: 2_048 }, (_, index) => `p:${index}`)
    await tier.remove(storedKeys)
    const [first, ...others] = (await publishedKeys()).slice(0, -1)
    expect(others.length).toBeGreaterThan(0)
    expect([first, ...others].flat()).toEqual(storedKeys)
  })

  describe('counters', () => {
    const ONE = { amount: '1', start: '0', ttlMs: 60_000, slide: false, safeOnly: true }

    it('of one tick are named in one message', async () => {
      await Promise.all(['p:a', 'p:b', 'p:a'].map((storedKey) => store.count(storedKey, ONE)))
      expect(await publishedKeys()).toEqual([['p:a', 'p:b'], ['p:last']])
    })

    it('that are refused while others are changed share their message', async () => {
      await redis.ask('SET', 'p:text', 'no number')
      const calls = ['p:a', 'p:text'].map((storedKey) => store.count(storedKey, ONE))
      expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
      expect(await publishedKeys()).toEqual([['p:a', 'p:text'], ['p:last']])
    })

    it('that are all refused name no key, and leave no gap in the numbers', async () => {
      await redis.ask('SET', 'p:text', 'no number')
      const calls = ['p:text', 'p:text'].map((storedKey) => store.count(storedKey, ONE))
      expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
      expect(await publishedKeys()).toEqual([[], ['p:last']])
    })
  })

  it('a removal of nothing publishes nothing', async () => {
    await tier.remove([])
    expect(await publishedKeys()).toEqual([['p:last']])
  })

  it('a new generation for which Redis has no room names its key', async () => {
    await redis.ask('SET', 'p:\0tag:users', 'x'.repeat(16))
    await redis.ask('CONFIG', 'SET', 'maxmemory', '1')
    try {
      await tier.bump('p:\0tag:users', 60_000, {})
    } finally {
      await redis.ask('CONFIG', 'SET', 'maxmemory', '0')
    }
    expect(await redis.ask('EXISTS', 'p:\0tag:users')).toBe(0)
    expect(await publishedKeys()).toEqual([['p:\0tag:users'], ['p:last']])
  })
})

describe('what a removal on a cluster publishes on the bus', () => {
  const TRYAGAIN = () => fromErrorReply('TRYAGAIN Multiple keys request during rehashing of slot')

  /** A store on the bus over a cluster that answers a removal with 1 or refuses it. */
  function storeOver(refusal: (storedKeys: readonly string[]) => Error | undefined) {
    const messages: Message[] = []
    const send = async (_storedKey: string, command: readonly RedisArgument[]) => {
      const words = command.map(String)
      const isPublish = words[0] === 'PUBLISH'
      const failure = isPublish ? undefined : refusal(words.slice(3, 3 + Number(words[2])))
      if (failure !== undefined) throw failure
      messages.push(JSON.parse(words.at(-1) as string))
      return isPublish ? 0 : Number(words[2])
    }
    const port: Partial<BatchingPort> = { isCluster: true, send, connectionOf: () => undefined }
    const store = new RedisStore(port as BatchingPort)
    const limits = { localTtlMs: 1_000, trustMs: 30_000 }
    store.share({ coherence: 'bus', prefix: 'p:', clock: SYSTEM_CLOCK, ...limits })
    return { store, messages }
  }

  const numbersIn = (messages: readonly Message[]) => messages.map(([, number]) => number).toSorted()
  const keysIn = (messages: readonly Message[]) => messages.map(([, , keys]) => keys.join()).toSorted()

  it('a command that is split while its slot moves gives each part a number of its own', async () => {
    const { messages, store } = storeOver((storedKeys) => (storedKeys.length > 1 ? TRYAGAIN() : undefined))
    expect(await store.remove(['p:{a}1', 'p:{a}2', 'p:{a}3', 'p:{b}1'])).toBe(4)
    expect(numbersIn(messages)).toEqual([1, 2, 3, 4, 5])
    expect(keysIn(messages)).toEqual(['', 'p:{a}1', 'p:{a}2', 'p:{a}3', 'p:{b}1'])
  })

  it('a part that fails names its keys, and the others are published as they are', async () => {
    const { messages, store } = storeOver((storedKeys) => {
      if (storedKeys.length > 1) return storedKeys[0]?.includes('{b}') ? disconnected('gone') : TRYAGAIN()
      return storedKeys[0] === 'p:{b}1' || storedKeys[0] === 'p:{c}1' ? undefined : disconnected('gone')
    })
    const storedKeys = ['p:{a}1', 'p:{a}2', 'p:{b}1', 'p:{b}2', 'p:{c}1']
    await expect(store.remove(storedKeys)).rejects.toMatchObject({ code: 'CACHE_DISCONNECTED' })
    await waitUntil(() => messages.length === 5, { what: 'all messages' })
    expect(numbersIn(messages)).toEqual([1, 2, 3, 4, 5])
    expect(keysIn(messages)).toEqual(['', 'p:{a}1', 'p:{a}2', 'p:{b}1,p:{b}2', 'p:{c}1'])
  })
})
