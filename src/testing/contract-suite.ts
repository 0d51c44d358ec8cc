import assert from 'node:assert/strict'
import type { CacheBackend } from '../contract/cache-backend.ts'
import type { CacheEvents } from '../contract/cache-events.ts'
import { CacheError, type CacheErrorCode } from '../foundation/cache-error.ts'
import { glob } from '../foundation/glob.ts'

/** The two functions of a test runner that the suite registers with: those of vitest, `node:test`, mocha, jest, … */
export interface TestRunner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>): unknown
}

/** What the suite needs to know of the backend under test. */
export interface ContractSuiteOptions extends TestRunner {
  /** Named in the titles of the tests. */
  readonly name: string
  /** A backend that is not initialized yet, with the given prefix and failure mode, and a default TTL of an hour. */
  createBackend(options: {
    readonly prefix: string
    readonly errors?: 'absorb' | 'throw'
  }): CacheBackend | Promise<CacheBackend>
  /** Lets time pass for the backend. The default waits on the real clock. */
  readonly elapse?: (ms: number) => Promise<void>
  /**
   * `false` for a backend that keeps nothing, which then only has to check arguments and answer misses.
   * @default true
   */
  readonly keepsValues?: boolean
}

type Check = (backend: CacheBackend, prefix: string) => Promise<void>

/**
 * Registers the tests that every {@link CacheBackend} has to pass. Each test has a backend and a prefix of its own.
 *
 * @example
 * ```ts
 * import { describeCacheBackend } from 'cachewright/testing'
 * import { MemoryCacheBackend } from 'cachewright/memory'
 * import { describe, it } from 'vitest'
 *
 * describeCacheBackend({ name: 'memory', describe, it, createBackend: (options) => new MemoryCacheBackend(options) })
 * ```
 */
export function describeCacheBackend(options: ContractSuiteOptions): void {
  const { describe, elapse = sleep, it, keepsValues = true, name } = options

  const check = (title: string, body: Check, errors: 'absorb' | 'throw' = 'absorb') => {
    it(title, async () => {
      const prefix = `contract-${process.pid}-${Math.random().toString(36).slice(2)}:`
      const backend = await options.createBackend({ prefix, errors })
      try {
        await backend.initialize()
        await body(backend, prefix)
      } finally {
        await backend.initialize().then(
          () => backend.clear(),
          () => {},
        )
        await backend.shutdown()
      }
    })
  }

  describe(`${name} fulfils the contract`, () => {
    describe('lifecycle', () => lifecycleChecks(check, options))
    describe('arguments', () => argumentChecks(check))
    if (!keepsValues) {
      describe('a cache that keeps nothing', () => forgetfulChecks(check))
      return
    }
    describe('values', () => valueChecks(check))
    describe('expiry', () => expiryChecks(check, elapse))
    describe('batches', () => batchChecks(check))
    describe('counters', () => counterChecks(check, elapse))
    describe('removal', () => removalChecks(check, options))
    describe('sets', () => setChecks(check, elapse))
    describe('failures and events', () => eventChecks(check))
  })
}

type Register = (title: string, body: Check, errors?: 'absorb' | 'throw') => void

function lifecycleChecks(check: Register, options: ContractSuiteOptions): void {
  check('initialize and shutdown are idempotent and may be called at the same time', async (backend) => {
    await Promise.all([backend.initialize(), backend.initialize()])
    await Promise.all([backend.shutdown(), backend.shutdown()])
    await backend.shutdown()
  })

  check('operations are refused before initialize and absorbed after shutdown', async (_, prefix) => {
    const backend = await options.createBackend({ prefix })
    await rejects(backend.get('key'), 'CACHE_NOT_INITIALIZED')
    await rejects(backend.set('key', 1), 'CACHE_NOT_INITIALIZED')
    await rejects(backend.getMany(['key']), 'CACHE_NOT_INITIALIZED')
    await backend.initialize()
    await backend.shutdown()
    assert.equal(await backend.get('key'), undefined)
    assert.equal(await backend.set('key', 1), false)
    assert.deepEqual(await backend.getMany(['key']), new Map([['key', undefined]]))
    await rejects(backend.incr('key'), 'CACHE_CLOSED')
  })

  check('a backend can be initialized again after a shutdown', async (backend) => {
    await backend.shutdown()
    await backend.initialize()
    assert.equal(await backend.set('key', 1), true)
  })
}

function argumentChecks(check: Register): void {
  const badKeys: readonly [string, unknown][] = [
    ['an empty key', ''],
    ['a number as a key', 7],
    ['no key', undefined],
    ['null as a key', null],
    ['a key of more than 64 KiB', 'k'.repeat(65_537)],
    ['a key of more than 64 KiB in UTF-8', 'é'.repeat(32_769)],
    ['a key with a lone surrogate', 'a\ud800b'],
  ]
  for (const [title, key] of badKeys) {
    check(`${title} always throws`, async (backend) => {
      const bad = key as string
      await rejects(backend.get(bad), 'CACHE_INVALID_KEY')
      await rejects(backend.set(bad, 1), 'CACHE_INVALID_KEY')
      await rejects(backend.delete(bad), 'CACHE_INVALID_KEY')
      await rejects(backend.exists(bad), 'CACHE_INVALID_KEY')
      await rejects(backend.getTtl(bad), 'CACHE_INVALID_KEY')
      await rejects(backend.incr(bad), 'CACHE_INVALID_KEY')
      await rejects(backend.getMany(['good', bad]), 'CACHE_INVALID_KEY')
      await rejects(backend.deleteMany(['good', bad]), 'CACHE_INVALID_KEY')
      await rejects(backend.addToSet(bad, 'member'), 'CACHE_INVALID_KEY')
      await rejects(backend.addToSet('set', bad), 'CACHE_INVALID_KEY')
      await rejects(backend.addManyToSet('set', ['good', bad]), 'CACHE_INVALID_KEY')
      await rejects(backend.getSetMembers(bad), 'CACHE_INVALID_KEY')
      await rejects(backend.removeFromSet('set', bad), 'CACHE_INVALID_KEY')
    })
  }

  check('P4 storing undefined throws, in a batch before anything is stored', async (backend) => {
    await rejects(backend.set('key', undefined), 'CACHE_INVALID_VALUE')
    await rejects(backend.setMany({ first: 1, second: undefined }), 'CACHE_INVALID_VALUE')
    assert.equal(await backend.exists('first'), false)
  })

  check('functions and symbols as values throw', async (backend) => {
    await rejects(
      backend.set('key', () => 1),
      'CACHE_INVALID_VALUE',
    )
    await rejects(backend.set('key', Symbol('s')), 'CACHE_INVALID_VALUE')
    await rejects(backend.set('key', { nested: [() => 1] }), 'CACHE_INVALID_VALUE')
    await rejects(backend.set('key', { nested: Symbol('s') }), 'CACHE_INVALID_VALUE')
  })

  check('P12 bad durations throw before anything is stored', async (backend) => {
    const bad: readonly unknown[] = [
      0,
      -1,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      1e30,
      '',
      'soon',
      '5',
      '5 m',
      '5w',
      '-5s',
      '0s',
      '1e3s',
      'Infinity',
      null,
      {},
      [],
    ]
    for (const ttl of bad) {
      await rejects(backend.set('key', 1, ttl as number), 'CACHE_INVALID_DURATION')
      await rejects(backend.setMany({ key: 1 }, ttl as number), 'CACHE_INVALID_DURATION')
      await rejects(backend.incr('key', 1, { ttl: ttl as number }), 'CACHE_INVALID_DURATION')
      await rejects(backend.addToSet('key', 'member', { ttl: ttl as number }), 'CACHE_INVALID_DURATION')
    }
    assert.equal(await backend.exists('key'), false)
  })

  check('amounts that are not safe integers throw', async (backend) => {
    for (const amount of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', null, 1n]) {
      await rejects(backend.incr('counter', amount as number), 'CACHE_INVALID_ARGUMENT')
      await rejects(backend.decr('counter', amount as number), 'CACHE_INVALID_ARGUMENT')
    }
    for (const amount of [1, 2n ** 63n, -(2n ** 63n) - 1n, '1']) {
      await rejects(backend.incrBig('counter', amount as bigint), 'CACHE_INVALID_ARGUMENT')
    }
    await rejects(backend.incr('counter', 1, { default: 0.5 }), 'CACHE_INVALID_ARGUMENT')
    assert.equal(await backend.exists('counter'), false)
  })

  check('patterns and lists of another type throw', async (backend) => {
    await rejects(backend.invalidatePattern(''), 'CACHE_INVALID_ARGUMENT')
    await rejects(backend.invalidatePattern(7 as never), 'CACHE_INVALID_ARGUMENT')
    await rejects(backend.getMany('keys' as never), 'CACHE_INVALID_ARGUMENT')
    await rejects(backend.deleteMany(undefined as never), 'CACHE_INVALID_ARGUMENT')
    await rejects(backend.setMany(null as never), 'CACHE_INVALID_ARGUMENT')
  })
}

function valueChecks(check: Register): void {
  check('a value comes back equal and is gone after delete', async (backend) => {
    const value = { name: 'Ada', tags: ['a', 'ü', '🚀'], nested: { n: 1.5, yes: true, nothing: null } }
    assert.equal(await backend.get('key'), undefined)
    assert.equal(await backend.set('key', value), true)
    assert.deepEqual(await backend.get('key'), value)
    assert.equal(await backend.exists('key'), true)
    assert.equal(await backend.delete('key'), true)
    assert.equal(await backend.get('key'), undefined)
    assert.equal(await backend.exists('key'), false)
    assert.equal(await backend.delete('key'), false)
  })

  check('P5 null, false, 0 and the empty string are values, distinct from a miss', async (backend) => {
    for (const value of [null, false, 0, '', [], {}]) {
      await backend.set('key', value)
      assert.deepEqual(await backend.get('key'), value)
      assert.equal(await backend.exists('key'), true)
    }
  })

  check('plain and odd strings come back as they were', async (backend) => {
    for (const text of [
      'plain',
      '',
      '"',
      '\\',
      'a"b',
      '\u0000\n\t',
      '\u0001',
      'é🚀',
      'x'.repeat(100_000),
      '{"a":1}',
      'I1\n.',
    ]) {
      await backend.set('key', text)
      assert.equal(await backend.get('key'), text)
    }
  })

  check('what a caller does to a value afterwards changes nothing in the cache', async (backend) => {
    const value = { list: [1, 2] }
    await backend.set('key', value)
    value.list.push(3)
    const first = (await backend.get('key')) as typeof value
    first.list.push(4)
    assert.deepEqual(await backend.get('key'), { list: [1, 2] })
  })

  check('many gets at once each get their own value', async (backend) => {
    const keys = Array.from({ length: 600 }, (_, index) => `key:${index}`)
    await backend.setMany(keys.map((key, index) => [key, { key, index }] as const))
    const values = await Promise.all([...keys, 'missing', ...keys].map((key) => backend.get(key)))
    const expected = keys.map((key, index) => ({ key, index }))
    assert.deepEqual(values, [...expected, undefined, ...expected])
  })

  check('keys of every kind of character are kept apart', async (backend) => {
    const keys = [
      'a',
      'A',
      ' ',
      'a b',
      'a\nb',
      '\r\n',
      '\0',
      'é',
      'e\u0301',
      '🚀',
      '*',
      '?',
      '[a]',
      '\\',
      '{tag}',
      '{}',
      'a{',
      '__proto__',
      'k'.repeat(60_000),
    ]
    await backend.setMany(keys.map((key, index) => [key, index] as const))
    for (const [index, key] of keys.entries()) assert.equal(await backend.get(key), index)
  })

  check('P9 __proto__ as a key or a property never alters a prototype', async (backend) => {
    const value: unknown = JSON.parse(
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
    )
    await backend.set('__proto__', value)
    const read = (await backend.get('__proto__')) as object
    await backend.getMany(['__proto__', 'constructor'])
    assert.equal('polluted' in {}, false)
    assert.equal(Object.getPrototypeOf(read), Object.prototype)
  })
}

function expiryChecks(check: Register, elapse: (ms: number) => Promise<void>): void {
  check('a value expires after its time to live', async (backend) => {
    await backend.set('short', 1, '80ms')
    await backend.set('long', 2, '1h')
    assert.equal(await backend.get('short'), 1)
    await elapse(120)
    assert.equal(await backend.get('short'), undefined)
    assert.equal(await backend.exists('short'), false)
    assert.equal(await backend.get('long'), 2)
  })

  check('getTtl tells seconds, Infinity, or undefined', async (backend) => {
    assert.equal(await backend.getTtl('key'), undefined)
    await backend.set('key', 1, '90s')
    const ttl = (await backend.getTtl('key')) as number
    assert.ok(ttl > 80 && ttl <= 90, `${ttl}`)
    await backend.set('key', 1, 2.5)
    const fraction = (await backend.getTtl('key')) as number
    assert.ok(fraction > 1.5 && fraction <= 2.5, `${fraction}`)
    await backend.set('key', 1, Number.POSITIVE_INFINITY)
    assert.equal(await backend.getTtl('key'), Number.POSITIVE_INFINITY)
  })

  check('P11 whatever is written without a time to live gets the default one', async (backend) => {
    await backend.set('value', 1)
    await backend.setMany({ many: 1 })
    await backend.incr('counter')
    await backend.addToSet('set', 'member')
    await backend.addManyToSet('sets', ['member'])
    for (const key of ['value', 'many', 'counter', 'set', 'sets']) {
      const ttl = (await backend.getTtl(key)) as number
      assert.ok(ttl > 3_500 && ttl <= 3_600, `${key}: ${ttl}`)
    }
  })

  check('a write replaces the time to live of the one before', async (backend) => {
    await backend.set('key', 1, Number.POSITIVE_INFINITY)
    await backend.set('key', 2, '10s')
    assert.ok(((await backend.getTtl('key')) as number) <= 10)
  })
}

function batchChecks(check: Register): void {
  check('P29 getMany keeps the order of the keys, each once', async (backend) => {
    await backend.setMany({ a: 1, b: null, c: { deep: true } })
    const found = await backend.getMany(['c', 'missing', 'a', 'c', 'b', 'a'])
    assert.deepEqual(
      [...found],
      [
        ['c', { deep: true }],
        ['missing', undefined],
        ['a', 1],
        ['b', null],
      ],
    )
    assert.deepEqual(await backend.getMany([]), new Map())
  })

  check('batches take maps, iterables and objects, of any size', async (backend) => {
    const entries = new Map(Array.from({ length: 2_500 }, (_, index) => [`key:${index}`, index]))
    assert.equal(await backend.setMany(entries, '1m'), true)
    assert.equal(await backend.setMany({}), true)
    assert.deepEqual(await backend.getMany(entries.keys()), entries)
    assert.ok(((await backend.getTtl('key:1234')) as number) <= 60)
    assert.equal(await backend.deleteMany(new Set([...entries.keys(), 'missing'])), 2_500)
    assert.equal(await backend.deleteMany(entries.keys()), 0)
    assert.equal(await backend.deleteMany([]), 0)
  })
}

function counterChecks(check: Register, elapse: (ms: number) => Promise<void>): void {
  check('a counter starts at its default and then adds', async (backend) => {
    assert.equal(await backend.incr('counter'), 1)
    assert.equal(await backend.incr('counter', 5), 6)
    assert.equal(await backend.decr('counter', 2), 4)
    assert.equal(await backend.incr('counter', -10), -6)
    assert.equal(await backend.incr('counter', 0), -6)
    assert.equal(await backend.incr('other', 1, { default: 100 }), 101)
    assert.equal(await backend.decr('third', 1, { default: 100 }), 99)
    assert.equal(await backend.incr('other', 1, { default: 5_000 }), 102)
    assert.equal(await backend.get('other'), 102)
  })

  check('concurrent increments are all counted', async (backend) => {
    const counts = await Promise.all(Array.from({ length: 200 }, () => backend.incr('counter')))
    assert.deepEqual(
      counts.sort((a, b) => a - b),
      Array.from({ length: 200 }, (_, index) => index + 1),
    )
  })

  check('a counter gets its time to live once, or each time where it slides', async (backend) => {
    await backend.incr('fixed', 1, { ttl: '50s' })
    await backend.incr('fixed', 1, { ttl: '500s' })
    assert.ok(((await backend.getTtl('fixed')) as number) <= 50)
    await backend.incr('sliding', 1, { ttl: '50s', slide: true })
    await backend.incr('sliding', 1, { ttl: '500s', slide: true })
    assert.ok(((await backend.getTtl('sliding')) as number) > 50)
    await backend.incr('short', 7, { ttl: '60ms' })
    await elapse(100)
    assert.equal(await backend.incr('short'), 1)
  })

  check('P28 64 bits are exact, and a count that cannot be told is refused and not made', async (backend) => {
    assert.equal(await backend.incr('counter', Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
    await rejects(backend.incr('counter'), 'CACHE_COUNTER_OVERFLOW')
    assert.equal(await backend.incrBig('counter', 2n), 2n ** 53n + 1n)
    assert.equal(await backend.incrBig('counter', 1n), 2n ** 53n + 2n)
    assert.equal(await backend.decrBig('counter', 2n ** 53n), 2n)
    assert.equal(await backend.incrBig('big', 2n ** 63n - 1n), 2n ** 63n - 1n)
    await rejects(backend.incrBig('big'), 'CACHE_COUNTER_OVERFLOW')
    assert.equal(await backend.incrBig('big', 0n), 2n ** 63n - 1n)
    await rejects(backend.incr('fresh', 1, { default: Number.MAX_SAFE_INTEGER }), 'CACHE_COUNTER_OVERFLOW')
    assert.equal(await backend.exists('fresh'), false)
    assert.equal(await backend.incrBig('low', -(2n ** 63n)), -(2n ** 63n))
    await rejects(backend.decrBig('low'), 'CACHE_COUNTER_OVERFLOW')
  })

  check('counting on something that is not a counter is refused and changes nothing', async (backend) => {
    for (const value of ['text', 1.5, { a: 1 }, null, '12']) {
      await backend.set('key', value)
      await rejects(backend.incr('key'), 'CACHE_NOT_A_COUNTER')
      assert.deepEqual(await backend.get('key'), value)
    }
    await backend.addToSet('set', 'member')
    await rejects(backend.incr('set'), 'CACHE_WRONG_TYPE')
    assert.deepEqual(await backend.getSetMembers('set'), ['member'])
  })
}

function removalChecks(check: Register, options: ContractSuiteOptions): void {
  check('clear removes the keys of this prefix and no others', async (backend, prefix) => {
    await using neighbour = await options.createBackend({ prefix: `${prefix.slice(0, -1)}!:` })
    await neighbour.initialize()
    await neighbour.set('key', 'stays')
    await backend.setMany(Array.from({ length: 1_500 }, (_, index) => [`key:${index}`, index] as const))
    await backend.incr('counter')
    await backend.addToSet('set', 'member')
    assert.equal(await backend.clear(), true)
    assert.equal(await backend.exists('key:7'), false)
    assert.equal(await backend.exists('counter'), false)
    assert.equal(await backend.exists('set'), false)
    assert.equal(await neighbour.get('key'), 'stays')
    await neighbour.clear()
  })

  check('a pattern removes what it matches and counts it', async (backend) => {
    await backend.setMany({
      'user:1:name': 1,
      'user:1:mail': 2,
      'user:2:name': 3,
      'user:10:name': 4,
      order: 5,
    })
    assert.equal(await backend.invalidatePattern('user:1:*'), 2)
    assert.equal(await backend.invalidatePattern('user:?:name'), 1)
    assert.equal(await backend.invalidatePattern('[a-n]*'), 0)
    assert.equal(await backend.invalidatePattern('[^u]rder'), 1)
    assert.deepEqual(
      await backend.getMany(['user:10:name', 'order']),
      new Map([
        ['user:10:name', 4],
        ['order', undefined],
      ]),
    )
  })

  check('P36 what is quoted in a pattern matches only itself', async (backend) => {
    for (const hostile of ['*', '?', '[a-z]', '\\', '\\*', '[^x]', 'a]b', '^', '-']) {
      await backend.setMany({ [`user:${hostile}:name`]: 1, 'user:a:name': 2, 'user:ab:name': 3 })
      assert.equal(await backend.invalidatePattern(glob`user:${hostile}:*`), 1)
      assert.deepEqual(
        await backend.getMany(['user:a:name', 'user:ab:name']),
        new Map([
          ['user:a:name', 2],
          ['user:ab:name', 3],
        ]),
      )
    }
  })

  check('a removal reports its progress and ends where its signal says so', async (backend) => {
    await backend.setMany(Array.from({ length: 3_000 }, (_, index) => [`key:${index}`, index] as const))
    const progress: number[] = []
    assert.equal(
      await backend.invalidatePattern('key:*', { onProgress: (removed) => progress.push(removed) }),
      3_000,
    )
    assert.equal(progress.at(-1), 3_000)
    await backend.set('key:1', 1)
    assert.equal(await backend.invalidatePattern('*', { signal: AbortSignal.abort() }), 0)
    assert.equal(await backend.exists('key:1'), true)
  })
}

function setChecks(check: Register, elapse: (ms: number) => Promise<void>): void {
  check('members are added once, listed and removed', async (backend) => {
    assert.deepEqual(await backend.getSetMembers('set'), [])
    assert.equal(await backend.addToSet('set', 'a'), true)
    assert.equal(await backend.addToSet('set', 'a'), false)
    assert.equal(await backend.addManyToSet('set', ['a', 'b', 'ü', 'b']), 2)
    assert.equal(await backend.addManyToSet('set', []), 0)
    assert.deepEqual((await backend.getSetMembers('set')).sort(), ['a', 'b', 'ü'])
    assert.equal(await backend.removeFromSet('set', 'a'), true)
    assert.equal(await backend.removeFromSet('set', 'a'), false)
    await backend.removeFromSet('set', 'b')
    await backend.removeFromSet('set', 'ü')
    assert.equal(await backend.exists('set'), false)
  })

  check('a set of many members is listed whole', async (backend) => {
    const members = Array.from({ length: 5_000 }, (_, index) => `member:${index}`)
    assert.equal(await backend.addManyToSet('set', members), 5_000)
    assert.deepEqual((await backend.getSetMembers('set')).sort(), members.sort())
    assert.equal(await backend.delete('set'), true)
  })

  check('a set expires as it was told when it was created', async (backend) => {
    await backend.addToSet('set', 'a', { ttl: '80ms' })
    await backend.addToSet('set', 'b', { ttl: '1h' })
    await elapse(120)
    assert.deepEqual(await backend.getSetMembers('set'), [])
    await backend.addToSet('sliding', 'a', { ttl: '10s' })
    await backend.addToSet('sliding', 'b', { ttl: '100s', slide: true })
    assert.ok(((await backend.getTtl('sliding')) as number) > 10)
  })

  check('sets and values do not mix', async (backend) => {
    await backend.set('value', 'text')
    await backend.addToSet('set', 'member')
    assert.equal(await backend.addToSet('value', 'member'), false)
    assert.deepEqual(await backend.getSetMembers('value'), [])
    assert.equal(await backend.removeFromSet('value', 'member'), false)
    assert.equal(await backend.get('value'), 'text')
    assert.equal(await backend.get('set'), undefined)
    assert.deepEqual(
      await backend.getMany(['set', 'value']),
      new Map([
        ['set', undefined],
        ['value', 'text'],
      ]),
    )
    assert.equal(await backend.set('set', 'now a value'), true)
    assert.equal(await backend.get('set'), 'now a value')
  })
}

function eventChecks(check: Register): void {
  check('operations tell what they did', async (backend) => {
    const told: [keyof CacheEvents, unknown][] = []
    for (const event of ['hit', 'miss', 'set', 'delete', 'invalidate'] as const) {
      backend.on(event, (payload) => told.push([event, payload]))
    }
    await backend.get('key')
    await backend.set('key', 'four', '10s')
    await backend.get('key')
    await backend.delete('key')
    await backend.invalidatePattern('k*')
    const bytes = (told[1]?.[1] as { bytes: number }).bytes
    assert.ok(bytes >= 6, `${bytes}`)
    assert.deepEqual(told, [
      ['miss', { key: 'key', reason: 'absent' }],
      ['set', { key: 'key', ttlMs: 10_000, bytes }],
      ['hit', { key: 'key' }],
      ['delete', { keys: ['key'], removed: 1 }],
      ['invalidate', { pattern: 'k*', removed: 0 }],
    ])
  })

  check('a listener that throws or unsubscribes disturbs nobody', async (backend) => {
    let heard = 0
    backend.on('hit', () => {
      throw new Error('listener')
    })
    const unsubscribe = backend.on('hit', () => heard++)
    await backend.set('key', 1)
    assert.equal(await backend.get('key'), 1)
    unsubscribe()
    unsubscribe()
    assert.equal(await backend.get('key'), 1)
    assert.equal(heard, 1)
  })

  check('an absorbed failure is told in an event', async (backend) => {
    const errors: CacheErrorCode[] = []
    backend.on('error', ({ error, key, operation }) => {
      errors.push(error.code)
      assert.deepEqual(
        [key, operation, error.key, error.operation],
        ['value', 'addToSet', 'value', 'addToSet'],
      )
    })
    await backend.set('value', 'text')
    assert.equal(await backend.addToSet('value', 'member'), false)
    assert.deepEqual(errors, ['CACHE_WRONG_TYPE'])
  })

  check(
    'with errors thrown, a failure rejects',
    async (backend) => {
      await backend.set('value', 'text')
      await rejects(backend.addToSet('value', 'member'), 'CACHE_WRONG_TYPE')
      await rejects(backend.getSetMembers('value'), 'CACHE_WRONG_TYPE')
      await rejects(backend.invalidatePattern('*', { signal: AbortSignal.abort() }), 'CACHE_ABORTED')
      await backend.shutdown()
      await rejects(backend.get('value'), 'CACHE_CLOSED')
      await rejects(backend.getMany(['value']), 'CACHE_CLOSED')
      await rejects(backend.set('value', 1), 'CACHE_CLOSED')
    },
    'throw',
  )
}

function forgetfulChecks(check: Register): void {
  check('acknowledges every write and answers misses', async (backend) => {
    assert.equal(await backend.set('key', 1), true)
    assert.equal(await backend.setMany({ key: 1 }), true)
    assert.equal(await backend.get('key'), undefined)
    assert.deepEqual(await backend.getMany(['key']), new Map([['key', undefined]]))
    assert.equal(await backend.exists('key'), false)
    assert.equal(await backend.delete('key'), false)
    assert.equal(await backend.deleteMany(['key']), 0)
    assert.equal(await backend.getTtl('key'), undefined)
    assert.equal(await backend.incr('key', 2, { default: 40 }), 42)
    assert.equal(await backend.incr('key'), 1)
    assert.equal(await backend.addToSet('set', 'member'), true)
    assert.deepEqual(await backend.getSetMembers('set'), [])
    assert.equal(await backend.removeFromSet('set', 'member'), false)
    assert.equal(await backend.invalidatePattern('*'), 0)
    assert.equal(await backend.clear(), true)
  })
}

async function rejects(work: Promise<unknown>, code: CacheErrorCode): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof CacheError, `${error}`)
    assert.equal(error.code, code)
    return true
  })
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
