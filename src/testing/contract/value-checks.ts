import assert from 'node:assert/strict'
import type { Duration } from '../../foundation/time/duration.ts'
import type { Register } from './check.ts'

export function valueChecks(check: Register): void {
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

  check('numbers of every size come back as they were', async (backend) => {
    for (const number of [1.5, -1e-7, 2 ** 53 - 1, 2 ** 53, -(2 ** 60), 12345678901234567000, 1e21, 1e300]) {
      await backend.set('key', number)
      assert.equal(await backend.get('key'), number)
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
      '\u0001',
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

export function expiryChecks(check: Register, elapse: (ms: number) => Promise<void>): void {
  check('a value expires after its time to live', async (backend) => {
    await backend.set('short', 1, '250ms')
    await backend.set('long', 2, '1h')
    assert.equal(await backend.get('short'), 1)
    await elapse(300)
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

  check(
    'touch gives values, counters and sets another time to live, and persist takes it away',
    async (backend) => {
      assert.equal(await backend.touch('key', '1m'), false)
      assert.equal(await backend.persist('key'), false)
      assert.equal(await backend.exists('key'), false)
      await backend.set('key', { a: 1 }, '10s')
      await backend.incr('counter', 3, { ttl: '10s' })
      await backend.addToSet('set', 'member', { ttl: '10s' })
      for (const key of ['key', 'counter', 'set']) {
        assert.equal(await backend.touch(key, '100s'), true)
        const longer = (await backend.getTtl(key)) as number
        assert.ok(longer > 90 && longer <= 100, `${key}: ${longer}`)
        assert.equal(await backend.touch(key, '50s'), true)
        assert.ok(((await backend.getTtl(key)) as number) <= 50)
        assert.equal(await backend.persist(key), true)
        assert.equal(await backend.getTtl(key), Number.POSITIVE_INFINITY)
        assert.equal(await backend.persist(key), true)
        assert.equal(await backend.touch(key), true)
        const byDefault = (await backend.getTtl(key)) as number
        assert.ok(byDefault > 3_500 && byDefault <= 3_600, `${key}: ${byDefault}`)
        assert.equal(await backend.touch(key, Number.POSITIVE_INFINITY), true)
        assert.equal(await backend.getTtl(key), Number.POSITIVE_INFINITY)
      }
      assert.deepEqual(await backend.get('key'), { a: 1 })
      assert.equal(await backend.incr('counter'), 4)
      assert.deepEqual(await backend.getSetMembers('set'), ['member'])
    },
  )

  check('what was touched expires at its new time', async (backend) => {
    await backend.set('shortened', 1, '1h')
    await backend.set('prolonged', 1, '250ms')
    await backend.touch('shortened', '60ms')
    await backend.touch('prolonged', '1h')
    await elapse(300)
    assert.equal(await backend.get('shortened'), undefined)
    assert.equal(await backend.touch('shortened'), false)
    assert.equal(await backend.get('prolonged'), 1)
  })
}

export function batchChecks(check: Register): void {
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

  check('an entry of setMany may have a time to live of its own', async (backend) => {
    const entries: [string, number, (Duration | undefined)?][] = [
      ['own', 1, '10s'],
      ['common', 2],
      ['undefined', 3, undefined],
      ['kept', 4, Number.POSITIVE_INFINITY],
      ['twice', 5, '10s'],
      ['twice', 6],
    ]
    assert.equal(await backend.setMany(entries, '100s'), true)
    const ttls = await backend.getTtlMany(['own', 'common', 'undefined', 'kept', 'twice'])
    const coarse = [...ttls].map(([key, ttl]) => [key, ttl === undefined ? ttl : Math.ceil(ttl / 10) * 10])
    assert.deepEqual(coarse, [
      ['own', 10],
      ['common', 100],
      ['undefined', 100],
      ['kept', Number.POSITIVE_INFINITY],
      ['twice', 100],
    ])
    assert.equal(await backend.get('twice'), 6)
    assert.equal(await backend.setMany([['default', 1, undefined]]), true)
    assert.ok(((await backend.getTtl('default')) as number) > 3_500)
  })

  check('existsMany and getTtlMany tell of each key once, in their order', async (backend) => {
    await backend.set('value', null, Number.POSITIVE_INFINITY)
    await backend.incr('counter', 1, { ttl: '10s' })
    await backend.addToSet('set', 'member', { ttl: Number.POSITIVE_INFINITY })
    const asked = ['set', 'missing', 'value', 'set', 'counter', 'missing']
    assert.deepEqual(
      [...(await backend.existsMany(asked))],
      [
        ['set', true],
        ['missing', false],
        ['value', true],
        ['counter', true],
      ],
    )
    const ttls = await backend.getTtlMany(asked)
    assert.deepEqual([...ttls.keys()], ['set', 'missing', 'value', 'counter'])
    assert.deepEqual(
      ['set', 'missing', 'value'].map((key) => ttls.get(key)),
      [Number.POSITIVE_INFINITY, undefined, Number.POSITIVE_INFINITY],
    )
    const counter = ttls.get('counter') as number
    assert.ok(counter > 0 && counter <= 10, `${counter}`)
    assert.deepEqual(await backend.existsMany([]), new Map())
    assert.deepEqual(await backend.getTtlMany([]), new Map())
    const many = Array.from({ length: 2_500 }, (_, index) => `key:${index}`)
    await backend.setMany(many.slice(0, 1_250).map((key) => [key, 0] as const))
    assert.deepEqual(
      [...(await backend.existsMany(many))],
      many.map((key, index) => [key, index < 1_250]),
    )
    const known = [...(await backend.getTtlMany(new Set(many))).values()]
    assert.equal(known.filter((ttl) => ttl !== undefined).length, 1_250)
  })
}
