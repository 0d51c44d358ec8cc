import assert from 'node:assert/strict'
import { type Register, rejects } from './check.ts'
import { listed } from './key-checks.ts'

export function argumentChecks(check: Register): void {
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
      await rejects(backend.setIfAbsent(bad, 1), 'CACHE_INVALID_KEY')
      await rejects(backend.delete(bad), 'CACHE_INVALID_KEY')
      await rejects(backend.getAndDelete(bad), 'CACHE_INVALID_KEY')
      await rejects(backend.touch(bad), 'CACHE_INVALID_KEY')
      await rejects(backend.persist(bad), 'CACHE_INVALID_KEY')
      await rejects(backend.existsMany(['good', bad]), 'CACHE_INVALID_KEY')
      await rejects(backend.getTtlMany(['good', bad]), 'CACHE_INVALID_KEY')
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
    await rejects(backend.setIfAbsent('key', undefined), 'CACHE_INVALID_VALUE')
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
      await rejects(backend.setMany([['key', 1, ttl as number]]), 'CACHE_INVALID_DURATION')
      await rejects(backend.setIfAbsent('key', 1, ttl as number), 'CACHE_INVALID_DURATION')
      await rejects(backend.touch('key', ttl as number), 'CACHE_INVALID_DURATION')
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
    for (const pattern of ['', 7, null, '*'.repeat(1_025), 'a\ud800']) {
      await rejects(listed(backend, pattern as never), 'CACHE_INVALID_ARGUMENT')
    }
    for (const limit of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null]) {
      await rejects(listed(backend, '*', { limit: limit as never }), 'CACHE_INVALID_ARGUMENT')
    }
    await rejects(backend.getMany('keys' as never), 'CACHE_INVALID_ARGUMENT')
    await rejects(backend.existsMany('keys' as never), 'CACHE_INVALID_ARGUMENT')
    await rejects(backend.getTtlMany(undefined as never), 'CACHE_INVALID_ARGUMENT')
    await rejects(backend.deleteMany(undefined as never), 'CACHE_INVALID_ARGUMENT')
    await rejects(backend.setMany(null as never), 'CACHE_INVALID_ARGUMENT')
  })
}
