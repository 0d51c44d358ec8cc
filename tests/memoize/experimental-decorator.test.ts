import assert from 'node:assert/strict'
import ts from 'typescript'
import { describe, it } from 'vitest'
import { cached } from '../../src/cache/memoize/cached-decorator.ts'
import { MapCache } from './map-cache.ts'

const refused = { name: 'CacheError', code: 'CACHE_INVALID_OPTIONS' }

/** Runs a module with TypeScript's `experimentalDecorators`, as projects with NestJS are compiled. */
function run<Exports>(source: string, cache: MapCache): Exports {
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.CommonJS,
      experimentalDecorators: true,
    },
  })
  const exports = {}
  new Function('exports', 'cached', 'cache', outputText)(exports, cached, cache)
  return exports as Exports
}

interface Shop {
  readonly loads: string[]
  find(id: string): Promise<string>
  findOwn(id: string): Promise<string>
  [method: symbol]: () => Promise<string>
}

interface Shops {
  readonly Shop: { new (tenant: string, cache: MapCache): Shop; count(): Promise<number> }
  readonly Branch: new (tenant: string, cache: MapCache) => Shop
}

const SHOPS = `
  export class Shop {
    loads = []
    constructor(tenant, cache) { this.tenant = tenant; this.cache = cache }

    @cached(cache, { ttl: 60 })
    async find(id) { this.loads.push(id); return this.tenant + '/' + id }

    @cached((shop) => shop.cache, { key(id) { return this.tenant + '/' + id } })
    async findOwn(id) { this.loads.push(id); return this.tenant + '/' + id }

    static loads = 0
    @cached(cache)
    static async count() { return ++this.loads }

    @cached(cache, { name: 'shops.named' })
    async [Symbol.for('named')]() { return 'named' }
  }
  export class Branch extends Shop {}
`

describe('a method with @cached under experimentalDecorators', () => {
  it('is called once for equal arguments, on any instance', async () => {
    const cache = new MapCache()
    const { Shop } = run<Shops>(SHOPS, cache)
    const north = new Shop('north', cache)
    const south = new Shop('south', cache)
    assert.deepEqual(await Promise.all([north.find('1'), north.find('1')]), ['north/1', 'north/1'])
    assert.equal(await south.find('1'), 'north/1')
    assert.deepEqual([north.loads, south.loads], [['1'], []])
    assert.deepEqual(cache.keys, ['Shop.find("1")'])
    assert.deepEqual(cache.seenOptions[0], { ttl: 60 })
    assert.deepEqual([north.find.name, north.find.length], ['find', 1])
  })

  it('uses the cache and the key of its instance', async () => {
    const [northern, southern] = [new MapCache(), new MapCache()]
    const { Shop } = run<Shops>(SHOPS, new MapCache())
    await new Shop('north', northern).findOwn('1')
    await new Shop('south', southern).findOwn('1')
    assert.deepEqual(northern.keys, ['Shop.findOwn(north/1)'])
    assert.deepEqual(southern.keys, ['Shop.findOwn(south/1)'])
  })

  it('may be static, inherited, or named by a symbol', async () => {
    const cache = new MapCache()
    const { Shop, Branch } = run<Shops>(SHOPS, cache)
    assert.deepEqual([await Shop.count(), await Shop.count()], [1, 1])
    await new Branch('branch', cache).find('1')
    assert.equal(await new Shop('north', cache)[Symbol.for('named')]?.(), 'named')
    assert.deepEqual(cache.keys, ['Shop.count()', 'Branch.find("1")', 'shops.named()'])
  })
})

describe('@cached under experimentalDecorators refuses', () => {
  it.each([
    ['a class', '@cached(cache) class Shop {}'],
    ['a property', 'class Shop { @cached(cache) size = 1 }'],
    ['a getter', 'class Shop { @cached(cache) get size() { return 1 } }'],
    ['a parameter', 'class Shop { find(@cached(cache) id) {} }'],
    [
      'a method named by a symbol, without a name',
      'class Shop { @cached(cache) async [Symbol("find")]() {} }',
    ],
  ])('%s', (_, source) => {
    assert.throws(() => run(source, new MapCache()), refused)
  })
})
