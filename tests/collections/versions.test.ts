import { inspect } from 'node:util'
import { type Cache, createCache, SchemaMismatchError } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { commandCalls } from '../support/command-calls.ts'
import { deferred } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

/** The collection as a deployment of this version has it; its values hold the version. */
function deploy(cache: Cache, version?: number) {
  return cache.collection({
    name: 'users',
    version,
    schema: z.object({ v: z.literal(version ?? 0) }),
    load: () => ({ v: version ?? 0 }),
  })
}

describe('versions of a collection', () => {
  test('are stored side by side', async () => {
    const [cache, other] = [await scene.open(), await scene.open()]
    const [none, one, two] = [deploy(cache), deploy(cache, 1), deploy(other, 2)]
    expect([none.key('a'), one.key('a'), two.key('a')]).toEqual(['users@0:a', 'users@1:a', 'users@2:a'])
    expect(await Promise.all([none, one, two].map((users) => users.get('a')))).toEqual([
      { v: 0 },
      { v: 1 },
      { v: 2 },
    ])
    for (const version of [0, 1, 2]) expect(await cache.get(`users@${version}:a`)).toEqual({ v: version })
  })

  test('a set or a delete in one version removes the entries of the adjacent versions only', async () => {
    const [old, cache] = [await scene.open(), await scene.open()]
    const users = [undefined, 1, 2, 3].map((version) => deploy(old, version))
    const fill = () => Promise.all(users.flatMap((one) => ['a', 'b'].map((id) => one.get(id))))
    const left = async () => {
      const kept = await Promise.all(users.map((one) => old.get(one.key('a'), { local: false })))
      return kept.map((value) => value !== undefined)
    }
    for (const [version, afterSet] of [
      [undefined, [true, false, true, true]],
      [1, [false, true, false, true]],
      [2, [true, false, true, false]],
    ] as const) {
      const changed = deploy(await scene.open(), version)
      await fill()
      expect(await changed.set('a', { v: version ?? 0 })).toBe(true)
      expect(await left()).toEqual(afterSet)
      await fill()
      expect(await changed.delete('a')).toBe(true)
      expect(await left()).toEqual(afterSet.map((isLeft, index) => isLeft && index !== (version ?? 0)))
      await Promise.all(users.map(async (one) => expect(await old.get(one.key('b'))).toBeDefined()))
    }
    expect(await deploy(cache, 3).delete('none')).toBe(false)
  })

  test('P16 a load in an adjacent version that began before a delete is not stored', async () => {
    const [old, cache] = [await scene.open(), await scene.open()]
    const [begun, held] = [deferred(), deferred<number>()]
    const before = old.collection({
      name: 'numbers',
      schema: z.number(),
      load: () => {
        begun.resolve()
        return held.promise
      },
    })
    const after = cache.collection({ name: 'numbers', version: 1, schema: z.number(), load: () => 2 })
    const loading = before.get('a')
    await begun.promise
    await after.delete('a')
    held.resolve(1)
    expect(await loading).toBe(1)
    expect(await cache.get('numbers@0:a')).toBeUndefined()
  })

  test('a refresh leaves the adjacent versions', async () => {
    const cache = await scene.open()
    const [none, one] = [deploy(cache), deploy(cache, 1)]
    await Promise.all([none.get('a'), one.get('a')])
    await one.refresh('a')
    expect(await cache.get('users@0:a')).toEqual({ v: 0 })
  })

  test('a delete is one command', async () => {
    const users = deploy(await scene.open(), 2)
    await users.get('a')
    await scene.redis.ask('CONFIG', 'RESETSTAT')
    await users.delete('a')
    const calls = await commandCalls(scene.redis)
    expect((calls.get('evalsha') ?? 0) + (calls.get('eval') ?? 0)).toBe(1)
  })

  test('a tag invalidation reaches all versions', async () => {
    const cache = await scene.open()
    let loads = 0
    const common = { name: 'n', schema: z.number(), load: () => ++loads, tags: ['n'] }
    const [none, two] = [cache.collection(common), cache.collection({ ...common, version: 2 })]
    expect([await none.get('a'), await two.get('a')]).toEqual([1, 2])
    await cache.invalidateTags(['n'])
    expect([await none.get('a'), await two.get('a')]).toEqual([3, 4])
  })
})

describe('a value that does not fit the schema', () => {
  test('P41 appears in no error and in no log', async () => {
    const written: unknown[] = []
    const write = (...line: unknown[]) => void written.push(...line)
    const cache = createCache({ logger: { debug: write, warn: write, error: write }, errors: 'throw' })
    for (const event of ['error', 'load', 'background-error'] as const) cache.on(event, write)
    const secret = 'hunter2'
    const schema = z.object({
      password: z.string().refine(() => false, { error: ({ input }) => `not ${input}` }),
    })
    const users = cache.collection({ name: 'users', schema, load: () => ({ password: secret }) })
    const value = { password: secret }
    const errors: unknown[] = await Promise.all(
      [users.get('a'), users.set('a', value), users.refresh('a'), users.getMany(['a'])].map((call) =>
        call.catch((error: unknown) => error),
      ),
    )
    for (const shown of [...errors, ...written]) {
      expect(inspect(shown, { depth: 9 })).not.toContain(secret)
      expect(JSON.stringify(shown) ?? '').not.toContain(secret)
    }
    const [error] = errors as [SchemaMismatchError]
    expect(error).toBeInstanceOf(SchemaMismatchError)
    expect(error.message).toBe(
      'A value that was loaded in the collection users does not fit the schema: 1 issue',
    )
    expect(error.issues).toEqual([{ path: ['password'], message: `not ${secret}` }])
    await cache.shutdown()
  })

  test('is rejected with the path of each issue in either form of Standard Schema', async () => {
    const cache = createCache()
    const users = cache.collection({
      name: 'users',
      schema: {
        '~standard': {
          version: 1,
          vendor: 'own',
          validate: () => ({ issues: [{ message: 'a', path: ['b', { key: 0 }] }, { message: 'c' }] }),
        },
      },
      load: () => 1,
    })
    await expect(users.get('a')).rejects.toMatchObject({
      issues: [
        { message: 'a', path: ['b', 0] },
        { message: 'c', path: [] },
      ],
    })
    await cache.shutdown()
  })

  test('is an error if only the serializer made it so', async () => {
    const cache = createCache({
      serializer: {
        id: 'lossy',
        encode: JSON.stringify,
        decode: (bytes) => ({ length: bytes.length }),
      },
    })
    const users = cache.collection({
      name: 'users',
      schema: z.object({ name: z.string() }),
      load: () => ({ name: 'a' }),
    })
    await expect(users.get('a')).rejects.toMatchObject({ code: 'CACHE_SCHEMA_MISMATCH' })
    await cache.shutdown()
  })

  test('fails a load, but reloads on a read, if the schema throws', async () => {
    const cache = await scene.open()
    let isBroken = false
    const schema = z.number().transform((n) => {
      if (isBroken || n === 13) throw new Error('broken schema')
      return n
    })
    await (await scene.open()).collection({ name: 'numbers', schema: z.any(), load: () => 13 }).get('a')
    const numbers = cache.collection({ name: 'numbers', schema, load: () => 1 })
    expect(await numbers.get('a')).toBe(1)
    isBroken = true
    await expect(numbers.get('b')).rejects.toThrow('broken schema')
  })
})
