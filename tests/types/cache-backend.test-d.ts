import { createClient, createCluster } from '@redis/client'
import type {
  CacheBackend,
  CacheEvents,
  Duration,
  EncryptionKey,
  EncryptionOptions,
  KeysOptions,
} from 'cachewright'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { MemoryCacheBackend } from 'cachewright/memory'
import { NullCacheBackend } from 'cachewright/null'
import { RedisCacheBackend } from 'cachewright/redis'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'

/** Compiles only where both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const expectTrue = <Condition extends true>(condition?: Condition): void => void condition

interface User {
  readonly name: string
}

declare const backend: CacheBackend<User>

// Values are typed by the backend.
expectTrue<Same<Awaited<ReturnType<typeof backend.get>>, User | undefined>>()
expectTrue<Same<Awaited<ReturnType<typeof backend.getMany>>, Map<string, User | undefined>>>()
void backend.set('user:1', { name: 'Ada' }, '5m')
void backend.setMany({ 'user:1': { name: 'Ada' } })
void backend.setMany(new Map([['user:1', { name: 'Ada' }]]))
void backend.setMany([
  ['user:1', { name: 'Ada' }],
  ['user:2', { name: 'Bob' }, '5m'],
])
const pairs: [string, User][] = [['user:1', { name: 'Ada' }]]
void backend.setMany(pairs)
// @ts-expect-error no such unit in the time to live of an entry
void backend.setMany([['user:1', { name: 'Ada' }, '2w']])
expectTrue<Same<Awaited<ReturnType<typeof backend.getAndDelete>>, User | undefined>>()
expectTrue<Same<Awaited<ReturnType<typeof backend.existsMany>>, Map<string, boolean>>>()
expectTrue<Same<Awaited<ReturnType<typeof backend.getTtlMany>>, Map<string, number | undefined>>>()
expectTrue<Same<ReturnType<typeof backend.keys>, AsyncIterable<string>>>()
void backend.setIfAbsent('user:1', { name: 'Ada' }, '5m')
// @ts-expect-error a value of another type
void backend.setIfAbsent('user:1', 1)
const keysOptions: KeysOptions = { limit: 10, signal: new AbortController().signal }
void backend.keys(undefined, keysOptions)
// @ts-expect-error a value of another type
void backend.set('user:1', { title: 'Ada' })
// @ts-expect-error a key that is no string
void backend.get(1)

// Durations are checked in their spelling.
const durations: readonly Duration[] = [1, 0.5, '250ms', '30s', '1.5m', '2h', '7d', Number.POSITIVE_INFINITY]
void durations
// @ts-expect-error no such unit
const weeks: Duration = '2w'
// @ts-expect-error a unit is needed
const bare: Duration = '5'
void [weeks, bare]

// Counters are numbers or bigints, by the operation.
expectTrue<Same<Awaited<ReturnType<typeof backend.incr>>, number>>()
expectTrue<Same<Awaited<ReturnType<typeof backend.incrBig>>, bigint>>()
// @ts-expect-error a bigint amount belongs to incrBig
void backend.incr('counter', 1n)

// Events have typed payloads.
backend.on('miss', ({ key, reason }) => {
  expectTrue<Same<typeof key, string>>()
  expectTrue<Same<typeof reason, CacheEvents['miss']['reason']>>()
})
// @ts-expect-error no such event
backend.on('evict', () => {})

// Every backend fulfils the contract; ready clients of every kind are taken.
const backends: readonly CacheBackend<User>[] = [
  new MemoryCacheBackend<User>(),
  new NullCacheBackend<User>(),
  new RedisCacheBackend<User>({ url: 'redis://127.0.0.1' }),
  new RedisCacheBackend<User>({ client: createClient() }),
  new RedisCacheBackend<User>({ client: createCluster({ rootNodes: [] }) }),
  new RedisCacheBackend<User>({ client: new Redis() }),
  new RedisCacheBackend<User>({ client: new Redis5() }),
  new IoredisCacheBackend<User>({ client: new Redis() }),
  new IoredisCacheBackend<User>({ client: new Cluster([]) }),
]
void backends
// @ts-expect-error the ioredis door takes a client of ioredis
void new IoredisCacheBackend({ client: createClient() })

// Every backend takes encryption; secrets are bytes or text.
const keys: readonly EncryptionKey[] = [
  { id: 'k2', secret: new Uint8Array(32) },
  { id: 'k1', secret: Buffer.alloc(32) },
  { id: 'k0', secret: 'base64' },
]
const encryption: EncryptionOptions = { keys, unencrypted: 'read' }
void new RedisCacheBackend({ encryption })
void new IoredisCacheBackend({ client: new Redis(), encryption })
void new MemoryCacheBackend({ encryption: { keys } })
void new NullCacheBackend({ encryption: undefined })
// @ts-expect-error a secret that is no bytes and no text
void new MemoryCacheBackend({ encryption: { keys: [{ id: 'k1', secret: 1 }] } })
// @ts-expect-error no such policy
void new MemoryCacheBackend({ encryption: { keys, unencrypted: 'allow' } })
// @ts-expect-error keys are needed
void new MemoryCacheBackend({ encryption: {} })
