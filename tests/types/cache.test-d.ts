import {
  type BackgroundHook,
  type Cache,
  type CachedEntry,
  type CacheTotals,
  type CoherenceOptions,
  type CopyOptions,
  cached,
  createCache,
  type DisposeReason,
  type GetOrSetOptions,
  type InheritRefusal,
  type LeaseOptions,
  type LoadContext,
  type LocalNamespace,
  type LocalReadOptions,
  type NamespaceLocalOptions,
  type NamespaceStats,
  type NamespaceTotals,
  type PresentCoherence,
  type ShutdownOptions,
  type Slot,
  type StaleValue,
  type Wrapped,
} from 'cachewright'

interface User {
  readonly name: string
}

declare function findUser(id: string): Promise<User | null>
declare function equal<A, B>(
  same: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false,
): void

const cache: Cache = createCache({
  redis: process.env.REDIS_URL,
  prefix: 'shop:',
  ttl: '5m',
  isolate: 'clone',
})

const loaded = cache.getOrSet('user:1', () => findUser('1'), { ttl: '1h', tags: ['users'] })
equal<typeof loaded, Promise<User | null>>(true)

const loadedAtOnce = cache.getOrSet('answer', ({ key, signal }) => (signal.aborted ? key.length : 42))
equal<typeof loadedAtOnce, Promise<number>>(true)

const maybe = cache.getOrSet('maybe', (context: LoadContext) => {
  context.addTags(['a'])
  context.setTtl('5m')
  context.setExpiresAt(new Date())
  context.setOptions({ expiresAt: 2e12, staleIfError: '1h' })
  context.skip()
  return undefined
})
equal<typeof maybe, Promise<undefined>>(true)

const read = cache.get<User>('user:1', { local: false })
equal<typeof read, Promise<User | undefined>>(true)

const peeked = cache.peek('user:1')
equal<typeof peeked, unknown>(true)

const many = cache.namespace('orders').getMany<User>(['a', 'b'])
equal<typeof many, Promise<Map<string, User | undefined>>>(true)

const wrapped = cache.wrap(findUser, { ttl: '5m' })
const answer = wrapped('1')
equal<typeof answer, Promise<User | null>>(true)

const perCall = cache.wrap(findUser, {
  name: 'perCall',
  key: (id) => id,
  tags: (id) => [`user:${id}`],
  ttl: (id) => (id === '' ? undefined : '5m'),
})
equal<typeof perCall, Wrapped<[id: string], User | null>>(true)
const fresh = perCall.refresh('1')
equal<typeof fresh, Promise<User | null>>(true)
const removed = perCall.delete('1')
equal<typeof removed, Promise<boolean>>(true)
const wrappedKey = perCall.key('1')
equal<typeof wrappedKey, string>(true)

const conditionalPage = cache.wrap(
  async function page(id: string, limit: number | undefined, context: LoadContext) {
    const stale = context.stale<User>()
    return stale?.value.name === id ? context.notModified() : { name: `${id} ${limit}` }
  },
  {
    context: true,
    tags: (id, limit) => {
      equal<typeof limit, number | undefined>(true)
      return [id]
    },
  },
)
equal<typeof conditionalPage, Wrapped<[id: string, limit: number | undefined], { readonly name: string }>>(
  true,
)
const withDefault = cache.wrap(async (limit = 10, context: LoadContext) => `${context.key} ${limit}`, {
  name: 'withDefault',
  context: true,
})
withDefault(undefined)
// @ts-expect-error callers do not pass the context
conditionalPage('1', 1, {} as LoadContext)
// @ts-expect-error the last parameter is not a context
cache.wrap(findUser, { context: true })
// @ts-expect-error one signal would hold for every call
cache.wrap(findUser, { signal: AbortSignal.timeout(1) })
const withSignal: GetOrSetOptions = { signal: AbortSignal.timeout(1) }
// @ts-expect-error one signal would hold for every call
cache.wrap(findUser, withSignal)
// @ts-expect-error one signal would hold for every call
cached(cache, withSignal)
// @ts-expect-error a function comes first, and there is no key
cache.wrap('key', findUser)
// @ts-expect-error a function of the tags takes the arguments of the call
cache.wrap(findUser, { tags: (id: number) => [`${id}`] })
// @ts-expect-error a time to live needs a unit that is known
cache.wrap(findUser, { ttl: () => '5 minutes' })
// @ts-expect-error a key is made of the arguments of the call
perCall.key(1)

// @ts-expect-error a duration needs a unit that is known
cache.set('key', 1, { ttl: '5 minutes' })
// @ts-expect-error tags are strings
cache.invalidateTags([1])
const isExpired: Promise<boolean> = cache.expire('key', { by: 'order.paid' })
const areExpired: Promise<boolean> = cache.expireTags(['tag'], { over: '5m', by: 'nightly' })
void [isExpired, areExpired]
// @ts-expect-error one key is not spread over a time
cache.expire('key', { over: '5m' })
// @ts-expect-error a duration needs a unit that is known
cache.expireTags(['tag'], { over: '5 minutes' })
// @ts-expect-error what it is for is a text
cache.delete('key', { by: 1 })
const token: Promise<string> = cache.mark()
cache.getOrSet('key', () => 1, { atLeast: await token })
cache.get('key', { atLeast: await token })
// @ts-expect-error a token is a text
cache.get('key', { atLeast: token })
// @ts-expect-error a write is no read
cache.set('key', 1, { atLeast: '' })
const invalidatedAtMs: Promise<number> = cache.invalidatedAt(['tag'])
void invalidatedAtMs
createCache({
  encryption: { keys: [{ id: 'k1', secret: process.env.CACHE_KEY ?? '' }], unencrypted: 'refuse' },
})
// @ts-expect-error a key without a name
createCache({ encryption: { keys: [{ secret: '' }] } })
// @ts-expect-error a mode that cannot be asked for
createCache({ coherence: { mode: 'process' } })
createCache({
  coherence: { mode: 'bus', trust: '5s', afterRestart: 'invalidate' } satisfies CoherenceOptions,
  lease: { ttl: '10s', longestLoad: '5m' } satisfies LeaseOptions,
  shutdown: { drain: 2 } satisfies ShutdownOptions,
})
// @ts-expect-error the mode has its name in the group
createCache({ coherence: 'bus' })
// @ts-expect-error the time to live has its name in the group
createCache({ lease: '5s' })
// @ts-expect-error of the group coherence
createCache({ trust: '5s' })
// @ts-expect-error the arguments of the function are those of its wrapping
wrapped(1)
// @ts-expect-error a loader is a function
cache.getOrSet('key', 5)

const policies = {
  ttl: '5m',
  jitter: 0.1,
  earlyRefresh: { beta: 1 },
  softTimeout: '1s',
  hardTimeout: '5s',
} as const
const prices = cache.namespace('prices', { ...policies, staleIfError: '1d', verify: { sample: 0.01 } })
const conditional = prices.getOrSet('1', (context) => {
  const stale = context.stale<User>()
  equal<typeof stale, StaleValue<User> | undefined>(true)
  if (stale?.value.name === 'Ada') return context.notModified()
  return findUser('1')
})
equal<typeof conditional, Promise<User | null>>(true)
const conditionalAtOnce = cache.refresh('2', async (context) => {
  if (context.key === '2') context.notModified()
  return 2
})
equal<typeof conditionalAtOnce, Promise<number>>(true)

async function reserves(): Promise<void> {
  const slot = await cache.reserve<User>('user:1', { tags: ['users'], wait: true })
  equal<typeof slot, Slot<User>>(true)
  equal<typeof slot.value, User | undefined>(true)
  equal<typeof slot.stale, StaleValue<User> | undefined>(true)
  if (slot.isHit) equal<typeof slot.value, User>(true)
  else equal<typeof slot.value, undefined>(true)
  const isStored = slot.fill({ name: 'ann' }, { ttl: '5m', tags: ['ann'] })
  equal<typeof isStored, Promise<boolean>>(true)
  await slot.fill({ name: 'ann' }, '5m')
  // @ts-expect-error the value is of the slot's type
  await slot.fill('ann')
  // @ts-expect-error the value of an open slot is unknown
  slot.value.name
  // @ts-expect-error freshness is told at the fill
  await cache.reserve('user:1', { ttl: '5m' })
}
void reserves

const byMap = cache.getOrSetMany(['a'], async (keys) => new Map(keys.map((key) => [key, { name: key }])), {
  tags: ['users'],
  each: (key) => ({ ttl: '1m', tags: [key] }),
})
equal<typeof byMap, Promise<Map<string, { readonly name: string } | undefined>>>(true)
const byArray = cache.getOrSetMany<User | null>(['a'], (keys, { signal, of }) =>
  keys.map((key) => (signal.aborted ? new Error(of(key).key) : null)),
)
equal<typeof byArray, Promise<Map<string, User | null | undefined>>>(true)

const { coherence, lastMinute } = cache.stats()
equal<typeof lastMinute.localHits, number>(true)
equal<typeof coherence, PresentCoherence>(true)
cache.on('verify', ({ staleRate, verdict }) => {
  equal<typeof verdict, 'fresh' | 'stale' | 'overtaken'>(true)
  return staleRate
})
cache.on('background-error', ({ task }) => equal<typeof task, 'refresh' | 'verify' | 'reclaim'>(true))

// @ts-expect-error a batch loader returns a Map or an array
cache.getOrSetMany(['a'], (keys) => ({ [keys[0] as string]: 1 }))
// @ts-expect-error XFetch needs a beta
cache.getOrSet('key', () => 1, { earlyRefresh: true })
// @ts-expect-error verification is of a cache or a namespace
cache.getOrSet('key', () => 1, { verify: { sample: 0.1 } })
const off = {
  jitter: false,
  staleWhileRevalidate: false,
  staleIfError: false,
  earlyRefresh: false,
  softTimeout: false,
  hardTimeout: false,
} as const
createCache({ ...off, verify: false }).namespace('off', { ...off, verify: false })
cache.getOrSet('key', () => 1, off)
cache.wrap(findUser, off)
cache.getOrSet('key', (context) => context.setOptions({ jitter: false, staleIfError: false }))
// @ts-expect-error Infinity keeps a value, and context.skip() does not store it
cache.getOrSet('key', () => 1, { ttl: false })
// @ts-expect-error false turns it off
cache.getOrSet('key', () => 1, { staleIfError: true })
createCache({ maxLoads: 20 })
createCache({ maxLoads: false })
// @ts-expect-error it belongs to the process, not to a namespace
cache.namespace('loads', { maxLoads: 20 })
const loaders: { readonly running: number; readonly queued: number } = cache.stats().loaders
void loaders
cache.namespace('none', { absentTtl: '30s' })
cache.getOrSet('key', (context) => context.setOptions({ absentTtl: false }))
cache.namespace('down', { retryAfterError: '10s', errorTtl: 2 })
cache.getOrSet('key', () => 1, { retryAfterError: false, errorTtl: false })
cache.getOrSet('key', (context) => context.setOptions({ retryAfterError: '30s', errorTtl: false }))
// @ts-expect-error a failure is remembered of a load, not of a write
cache.set('key', 1, { errorTtl: '1s' })
cache.namespace('rule', { staleIfError: { for: '1h', when: (error) => error instanceof TypeError } })
cache.getOrSet('key', (context) => context.setOptions({ staleIfError: { for: 60 } }))
// @ts-expect-error a window has a length
cache.getOrSet('key', () => 1, { staleIfError: { when: () => true } })
// @ts-expect-error the answer is true or false, not a promise
cache.getOrSet('key', () => 1, { staleIfError: { for: '1h', when: async () => true } })
// @ts-expect-error no such policy
cache.namespace('a', { freshFor: '1m' })

const changed = cache.change({ keys: new Set(['a']), tags: ['t'], hold: '10s' }, async () => 1)
equal<typeof changed, Promise<number>>(true)
const changedAtOnce = cache.namespace('n').change({ hold: false }, () => 'done')
equal<typeof changedAtOnce, Promise<string>>(true)
cache.on('change', ({ keys }) => equal<typeof keys, readonly string[]>(true))
cache.on('inherit-refused', ({ part, reason }) => {
  equal<typeof reason, InheritRefusal>(true)
  equal<typeof part, string | undefined>(true)
})
cache.getOrSet('page', () => 1, { inherit: true })
cache.getOrSetMany(['page'], () => [1], { inherit: true, each: () => ({ inherit: false }) })
cache.refresh('page', () => 1, { inherit: true })
cache.namespace('pages', { inherit: true })
cache.wrap(async (id: string) => id, { name: 'page', inherit: true })
createCache({ inherit: true })
// @ts-expect-error It is a policy of the entry that is made, not of what is read.
cache.get('page', { inherit: true })
// @ts-expect-error Neither a mode nor a list.
cache.getOrSet('page', () => 1, { inherit: ['users'] })
cache.on('held-back', ({ key, namespace }) => equal<typeof key, typeof namespace>(true))
equal<typeof lastMinute.heldBack, number>(true)
// @ts-expect-error there is no such option
cache.change({ key: ['a'] }, () => {})
// @ts-expect-error the work is a function
cache.change({}, Promise.resolve())

// A moment in place of a time to live.
void cache.set('key', 1, { expiresAt: new Date() })
void cache.setMany({ key: 1 }, { expiresAt: 2e12 })
void cache.getOrSet('key', () => 1, { expiresAt: new Date(), tags: ['a'] })
// @ts-expect-error no text
void cache.set('key', 1, { expiresAt: '2030-01-01' })
// @ts-expect-error no default of a namespace
cache.namespace('inner', { expiresAt: 2e12 })
// @ts-expect-error one moment would hold for every call
cache.wrap(findUser, { expiresAt: 2e12 })

// How old a value may be for one caller.
void cache.getOrSet('key', () => 1, { maxAge: '5s' })
void cache.get('key', { maxAge: 5, local: false })
void cache.reserve('key', { maxAge: '5s', wait: true })
void cache.getOrSetMany(['key'], () => [1], { each: () => ({ maxAge: '5s' }) })
void cache.wrap(findUser, { maxAge: '5s' })
// @ts-expect-error no such unit
void cache.get('key', { maxAge: '2w' })
// @ts-expect-error no default of a namespace
cache.namespace('inner', { maxAge: '5s' })

// Entries are typed as values are.
const entry = cache.getOrSetEntry('user:1', () => findUser('1'), { maxAge: '5s' })
equal<typeof entry, Promise<CachedEntry<User | null>>>(true)
const readEntry = cache.getEntry<User>('user:1', { stale: true, local: false, maxAge: '5s' })
equal<typeof readEntry, Promise<CachedEntry<User> | undefined>>(true)
equal<CachedEntry['status'], 'hit' | 'stale' | 'miss' | 'skipped'>(true)
// @ts-expect-error no such option
void cache.getEntry('user:1', { signal: new AbortController().signal })

// A function of the result is typed by the function that is wrapped, without what is not cached.
const withResult = cache.wrap(
  async (id: string, _page: number): Promise<User | undefined> => ({ name: id }),
  {
    name: 'withResult',
    tags: (id) => [id],
    result: (user, id, page) => {
      equal<typeof user, User>(true)
      equal<typeof id, string>(true)
      equal<typeof page, number>(true)
      return { ttl: '5s', tags: [user.name], skip: page > 1, expiresAt: undefined }
    },
  },
)
equal<Awaited<ReturnType<typeof withResult>>, User | undefined>(true)
cache.wrap((id: string, _context: LoadContext) => findUser(id), {
  name: 'withContext',
  context: true,
  result: (user, id) => {
    equal<typeof user, User | null>(true)
    equal<typeof id, string>(true)
    return undefined
  },
})
// @ts-expect-error no such option
cache.wrap(findUser, { result: () => ({ tttl: '5s' }) })
// @ts-expect-error it is synchronous
cache.wrap(findUser, { result: async () => ({ ttl: '5s' }) })
class WithResult {
  @cached(cache, { result: (user: User, id: string) => ({ tags: [user.name, id] }) })
  async find(id: string): Promise<User | undefined> {
    return { name: id }
  }
  // @ts-expect-error the results of the method are others
  @cached(cache, { result: (user: User) => ({ tags: [user.name] }) })
  async count(): Promise<number> {
    return 1
  }
}
void WithResult

// Work that goes on after a call: functions of platforms fit as they are.
declare function waitUntil(work: Promise<unknown>): void
declare const ctx: { waitUntil(work: Promise<unknown>): Promise<void> }
const background: BackgroundHook = (work) => {
  equal<typeof work, Promise<void>>(true)
}
createCache({ background: waitUntil })
createCache({ background: (work) => ctx.waitUntil(work) })
cache.getOrSet('a', () => 1, { background })
cache.getOrSetEntry('a', () => 1, { background })
cache.getOrSetMany(['a'], () => [1], { background })
cache.refresh('a', () => 1, { background })
cache.reserve('a', { background })
cache.wrap(findUser, { name: 'inBackground', background })
class InBackground {
  @cached(cache, { background })
  async find(id: string): Promise<string> {
    return id
  }
}
void InBackground
// @ts-expect-error it is no function
createCache({ background: true })
// @ts-expect-error it takes a promise of nothing
createCache({ background: (work: Promise<number>) => work })
// @ts-expect-error a namespace has the hook of its cache
cache.namespace('users', { background })
// @ts-expect-error a read without a loader leaves nothing under way
cache.get('a', { background })

// Counts of a part of the cache.
const ofNamespace = cache.namespace('users').stats()
equal<typeof ofNamespace, NamespaceStats>(true)
equal<typeof ofNamespace.lastMinute, NamespaceTotals>(true)
equal<typeof ofNamespace.total.savedSeconds, number>(true)
const ofCache: NamespaceStats = cache.stats()
equal<ReturnType<typeof cache.stats>['total'], CacheTotals>(true)
void ofCache
equal<typeof ofNamespace.total.evictions, number>(true)
equal<typeof ofNamespace.local, { readonly entries: number; readonly bytes: number } | undefined>(true)
// @ts-expect-error the connection is that of the cache
void ofNamespace.coherence

// What is kept in this process, by namespace and by call.
void cache.namespace('bulk', { local: false })
void cache.namespace('sessions', { local: { maxEntries: 1_000, maxBytes: 1e6, ttl: '5s' } })
// @ts-expect-error true says nothing
void cache.namespace('bulk', { local: true })
// @ts-expect-error no such option
void cache.namespace('bulk', { local: { max: 5 } })
void cache.get('key', { local: false })
void cache.getMany(['key'], { local: { ttl: '1s' } })
void cache.getOrSet('key', () => 1, { local: { ttl: 1 } })
void cache.getOrSetMany(['key'], () => [1], { local: false, each: () => ({ local: { ttl: '1s' } }) })
// @ts-expect-error bounds belong to a namespace
void cache.getOrSet('key', () => 1, { local: { maxEntries: 5 } })

// Values that stay in the process.
const compiled = cache.namespace('compiled', { store: 'local' })
equal<typeof compiled, LocalNamespace>(true)
const render = compiled.getOrSet('key', () => (name: string) => name.length)
equal<typeof render, Promise<(name: string) => number>>(true)
void cache.namespace('sockets', {
  store: 'local',
  dispose: (socket: { close(): void }, reason: DisposeReason) => {
    if (reason !== 'closed') socket.close()
  },
  local: { maxEntries: 5, ttl: '1m' },
})
// @ts-expect-error nobody knows the size of such a value
void cache.namespace('sockets', { store: 'local', local: { maxBytes: 5 } })
// @ts-expect-error they are handed out as they are
void cache.namespace('sockets', { store: 'local', isolate: 'clone' })
// @ts-expect-error dispose belongs to store: 'local'
void cache.namespace('sockets', { dispose: () => {} })
// @ts-expect-error they are no plain values
void compiled.plain

const localOfNamespace: NamespaceLocalOptions = { maxBytes: 1 }
const localOfCall: LocalReadOptions = { local: { ttl: '1s' } satisfies CopyOptions }
void [localOfNamespace, localOfCall]
