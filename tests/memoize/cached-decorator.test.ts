import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { beforeAll, describe, it } from 'vitest'
import { cached } from '../../src/cache/memoize/cached-decorator.ts'
import { MapCache } from './map-cache.ts'

const refused = { name: 'CacheError', code: 'CACHE_INVALID_OPTIONS' }

/** Classes in the syntax of decorators, which the tests' own compiler may not know. */
const FIXTURE = `
export function createShops(cached: any, cache: any) {
  class Shop {
    loads: string[] = []
    constructor(readonly tenant: string, readonly cache: any) {}

    @cached(cache, { ttl: 60 })
    async find(id: string) {
      this.loads.push(id)
      return this.tenant + '/' + id
    }

    @cached((shop: Shop) => shop.cache, { key(this: Shop, id: string) { return this.tenant + '/' + id } })
    async findOwn(id: string, trace?: () => void) {
      this.loads.push(id)
      return this.tenant + '/' + id
    }

    @cached(cache)
    async #secret(id: string) {
      this.loads.push(id)
      return 'secret ' + id
    }
    tell(id: string) { return this.#secret(id) }

    static loads = 0
    @cached(cache)
    static async count() { return ++this.loads }
    @cached(cache)
    static async #countMore() { return ++this.loads }
    static countMore() { return this.#countMore() }

    @cached(cache, { name: 'shops.named' })
    async [Symbol.for('named')]() { return 'named' }
  }

  class Branch extends Shop {}

  class Kiosk extends Shop {
    @cached(cache)
    override async find(id: string) { return 'kiosk ' + await super.find(id) }
  }

  class Stall extends Shop {
    @cached(cache, { name: 'Stall.find, overridden' })
    override async find(id: string) { return 'stall ' + await super.find(id) }
  }

  return { Shop, Branch, Kiosk, Stall }
}

export function createNameless(cached: any, cache: any, options: any) {
  return class { @cached(cache, options) async find(id: string) { return id } }
}

export const decorateField = (cached: any) => class { @cached({}) field = 1 }
export const decorateGetter = (cached: any) => class { @cached({}) get size() { return 1 } }
export const decorateClass = (cached: any) => { @cached({}) class Shop {} return Shop }
export const decorateSymbol = (cached: any) => class { @cached({}) async [Symbol('find')]() {} }
`

interface Shop {
  readonly loads: string[]
  find(id: string): Promise<string>
  findOwn(id: string, trace?: () => void): Promise<string>
  tell(id: string): Promise<string>
  [method: symbol]: () => Promise<string>
}

interface ShopClass {
  new (tenant: string, cache: MapCache): Shop
  count(): Promise<number>
  countMore(): Promise<number>
}

type Decorate = (decorator: typeof cached) => unknown

interface Fixture {
  createShops(
    decorator: typeof cached,
    cache: MapCache,
  ): { Shop: ShopClass; Branch: ShopClass; Kiosk: ShopClass; Stall: ShopClass }
  createNameless(decorator: typeof cached, cache: MapCache, options?: object): new () => Pick<Shop, 'find'>
  readonly decorateField: Decorate
  readonly decorateGetter: Decorate
  readonly decorateClass: Decorate
  readonly decorateSymbol: Decorate
}

let folder: string
let fixture: Fixture

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cached-decorator-'))
  const { outputText } = ts.transpileModule(FIXTURE, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  const file = join(folder, 'fixture.mjs')
  writeFileSync(file, outputText)
  fixture = await import(/* @vite-ignore */ pathToFileURL(file).href)
})

describe('a method with @cached', () => {
  it('is called once for equal arguments, on any instance', async () => {
    const cache = new MapCache()
    const { Shop } = fixture.createShops(cached, cache)
    const north = new Shop('north', cache)
    const south = new Shop('south', cache)
    assert.deepEqual(await Promise.all([north.find('1'), north.find('1')]), ['north/1', 'north/1'])
    assert.equal(await south.find('1'), 'north/1')
    assert.equal(await south.find('2'), 'south/2')
    assert.deepEqual([north.loads, south.loads], [['1'], ['2']])
    assert.deepEqual(cache.keys, ['Shop.find("1")', 'Shop.find("2")'])
    assert.deepEqual(cache.seenOptions[0], { ttl: 60 })
  })

  it('has a key per instance if `key` uses `this`', async () => {
    const cache = new MapCache()
    const { Shop } = fixture.createShops(cached, cache)
    assert.equal(await new Shop('north', cache).findOwn('1', () => {}), 'north/1')
    assert.equal(await new Shop('south', cache).findOwn('1'), 'south/1')
    assert.deepEqual(cache.keys, ['Shop.findOwn(north/1)', 'Shop.findOwn(south/1)'])
  })

  it('uses the cache that the instance has', async () => {
    const { Shop } = fixture.createShops(cached, new MapCache())
    const [northern, southern] = [new MapCache(), new MapCache()]
    await new Shop('north', northern).findOwn('1')
    await new Shop('south', southern).findOwn('1')
    assert.deepEqual(northern.keys, ['Shop.findOwn(north/1)'])
    assert.deepEqual(southern.keys, ['Shop.findOwn(south/1)'])
  })

  it('may be private, static, both, or named by a symbol', async () => {
    const cache = new MapCache()
    const { Shop } = fixture.createShops(cached, cache)
    const shop = new Shop('north', cache)
    assert.deepEqual([await shop.tell('1'), await shop.tell('1')], ['secret 1', 'secret 1'])
    assert.deepEqual(shop.loads, ['1'])
    assert.deepEqual([await Shop.count(), await Shop.count()], [1, 1])
    assert.deepEqual([await Shop.countMore(), await Shop.countMore()], [2, 2])
    assert.equal(await shop[Symbol.for('named')]?.(), 'named')
    assert.deepEqual(cache.keys, ['Shop.#secret("1")', 'Shop.count()', 'Shop.#countMore()', 'shops.named()'])
  })

  it('has separate entries for each class that inherits it', async () => {
    const cache = new MapCache()
    const { Shop, Branch } = fixture.createShops(cached, cache)
    await new Shop('north', cache).find('1')
    assert.equal(await new Branch('branch', cache).find('1'), 'branch/1')
    assert.deepEqual(cache.keys, ['Shop.find("1")', 'Branch.find("1")'])
  })

  it('that overrides another one and calls it is refused, since it would wait for itself', async () => {
    const cache = new MapCache()
    const { Kiosk, Stall } = fixture.createShops(cached, cache)
    await assert.rejects(new Kiosk('north', cache).find('1'), {
      ...refused,
      message: /cached as Kiosk\.find/,
    })
    assert.equal(await new Stall('north', cache).find('1'), 'stall north/1')
  })

  it('of another class of the same name is refused with the same cache', async () => {
    const cache = new MapCache()
    const { Shop } = fixture.createShops(cached, cache)
    const { Shop: Other } = fixture.createShops(cached, cache)
    await new Shop('north', cache).find('1')
    await assert.rejects(new Other('north', cache).find('1'), refused)
  })

  it('of a class without a name needs the option', async () => {
    const cache = new MapCache()
    const Nameless = fixture.createNameless(cached, cache)
    await assert.rejects(new Nameless().find('1'), { ...refused, message: /give the option `name`/ })
    const Named = fixture.createNameless(cached, cache, { name: 'find' })
    assert.equal(await new Named().find('1'), '1')
    assert.deepEqual(cache.keys, ['find("1")'])
  })

  it('keeps its name and length', () => {
    const cache = new MapCache()
    const { Shop } = fixture.createShops(cached, cache)
    const { find } = new Shop('north', cache)
    assert.deepEqual([find.name, find.length], ['find', 1])
  })

  it('rejects if called without its object, or with an argument that cannot be part of a key', async () => {
    const cache = new MapCache()
    const { Shop } = fixture.createShops(cached, cache)
    const shop = new Shop('north', cache)
    const { find } = shop
    await assert.rejects(find('1'), refused)
    await assert.rejects(shop.find((() => '1') as unknown as string), { code: 'CACHE_INVALID_ARGUMENT' })
    assert.deepEqual(shop.loads, [])
  })
})

describe('@cached refuses', () => {
  it('fields, getters, classes, and methods named by a symbol without a name', () => {
    assert.throws(() => fixture.decorateField(cached), { ...refused, message: /this is a field/ })
    assert.throws(() => fixture.decorateGetter(cached), { ...refused, message: /this is a getter/ })
    assert.throws(() => fixture.decorateClass(cached), { ...refused, message: /this is a class/ })
    assert.throws(() => fixture.decorateSymbol(cached), { ...refused, message: /option `name`/ })
  })

  it('a signal, which would hold for every call, and a context, which callers would have to pass', () => {
    const { signal } = new AbortController()
    assert.throws(() => cached(new MapCache(), { signal } as object), {
      ...refused,
      message: /'signal' of @cached: one signal would hold for every call/,
    })
    assert.throws(() => cached(new MapCache(), { context: true } as object), {
      ...refused,
      message: /'context' of @cached: a decorator cannot/,
    })
  })

  it('options of the wrong type', () => {
    assert.throws(() => cached(new MapCache(), { name: 7 } as object), refused)
    assert.throws(() => cached(new MapCache(), { key: 'id' } as object), refused)
  })
})
