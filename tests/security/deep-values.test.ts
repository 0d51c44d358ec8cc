import assert from 'node:assert/strict'
import { type Cache, CacheError, type Isolation } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { describe, it } from 'vitest'
import { copyOf, handOut, isolate } from '../../src/cache/local/isolation.ts'
import { useScene } from '../support/scene.ts'

/** The deepest nesting that every serializer takes. */
const DEEPEST = 500

type Nest = (inner: unknown) => unknown

const inArray: Nest = (inner) => [inner]
const inRecord: Nest = (inner) => ({ a: inner })
const inMap: Nest = (inner) => new Map([['a', inner]])
const inSet: Nest = (inner) => new Set([inner])

function nested(levels: number, nest: Nest = inArray): unknown {
  let value: unknown = 'core'
  for (let level = 0; level < levels; level++) value = nest(value)
  return value
}

/** The levels of a value that was made by {@link nested}, found without recursion. */
function levelsOf(value: unknown): number {
  let levels = 0
  for (let part = value; typeof part === 'object' && part !== null; levels++) {
    part = part instanceof Map || part instanceof Set ? [...part.values()][0] : Object.values(part)[0]
  }
  return levels
}

const scene = useScene()

const containers: readonly (readonly [serializer: 'json' | 'v8' | 'msgpack' | 'pickle', string, Nest])[] = [
  ['json', 'arrays', inArray],
  ['json', 'objects', inRecord],
  ['v8', 'arrays', inArray],
  ['v8', 'objects', inRecord],
  ['v8', 'maps', inMap],
  ['v8', 'sets', inSet],
  ['msgpack', 'arrays', inArray],
  ['msgpack', 'objects', inRecord],
  ['msgpack', 'maps', inMap],
  ['msgpack', 'sets', inSet],
  ['pickle', 'arrays', inArray],
  ['pickle', 'objects', inRecord],
]

describe('a value that is nested deep', () => {
  it.each(containers)('is stored by %s in %s, or refused by name', async (serializer, _name, nest) => {
    const backend = new MemoryCacheBackend<unknown>({ serializer })
    assert.equal(await backend.set('key', nested(DEEPEST, nest)), true)
    assert.equal(levelsOf(await backend.get('key')), DEEPEST)
    for (const levels of [DEEPEST + 1, 20_000, 200_000]) {
      await assert.rejects(backend.set('key', nested(levels, nest)), tooDeep)
    }
    await backend.shutdown()
  })

  it('is refused by name when a loader returns it', async () => {
    const cache = await scene.open()
    await assert.rejects(
      cache.getOrSet('key', () => nested(20_000)),
      tooDeep,
    )
  })

  it('may still contain itself', async () => {
    const backend = new MemoryCacheBackend<unknown>({ serializer: 'v8' })
    const knot: unknown[] = []
    knot.push({ deeper: [knot] }, knot)
    assert.equal(await backend.set('key', knot), true)
    const read = (await backend.get('key')) as unknown[]
    assert.equal(read[1], read)
    await backend.shutdown()
  })

  it('that is refused for another reason is refused for that', async () => {
    const backend = new MemoryCacheBackend<unknown>()
    let value: unknown = new Map()
    for (let level = 0; level < 30; level++) value = [value]
    await assert.rejects(backend.set('key', value), /part of value.*is a Map/)
    await backend.shutdown()
  })

  it.each<Isolation>(['freeze', 'clone', 'share'])(
    'harms no read if it lies in Redis, with isolation %s',
    async (isolation) => {
      const cache = await scene.open({ isolate: isolation })
      for (const [open, close] of [
        ['[', ']'],
        ['{"a":', '}'],
      ] as const) {
        await scene.redis.ask('SET', 'shop:deep', `${open.repeat(20_000)}1${close.repeat(20_000)}`)
        for (let read = 0; read < 2; read++) await assertHarmless(cache)
      }
    },
  )

  it('is copied, frozen and handed out whatever its depth', () => {
    for (const nest of [inArray, inRecord, inMap, inSet]) {
      const value = nested(100_000, nest)
      assert.equal(levelsOf(copyOf(value)), 100_000)
      for (const isolation of ['freeze', 'clone'] as const) {
        assert.equal(levelsOf(handOut(isolate(nested(100_000, nest), isolation))), 100_000)
      }
    }
  })
})

function tooDeep(error: unknown): boolean {
  assert.ok(error instanceof CacheError, String(error))
  assert.equal(error.code, 'CACHE_INVALID_VALUE')
  assert.match(error.message, /it is nested more than 500 levels deep/)
  return true
}

async function assertHarmless(cache: Cache): Promise<void> {
  await cache.get('deep')
  await cache.getMany(['deep'])
  await cache.getOrSet('deep', () => 'loaded')
  await cache.explain('deep')
}
