import assert from 'node:assert/strict'
import { type Cache, cached, createCache, type StandardSchema } from 'cachewright'
import { describe, it } from 'vitest'

const refused = { code: 'CACHE_INVALID_OPTIONS' }

const schema: StandardSchema<unknown> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
}

/** A function called `find` that answers with a text of its own. */
function finding(answer: string): () => Promise<string> {
  return async function find() {
    return answer
  }
}

describe('names in the namespaces of a cache', () => {
  it('two functions of one name are refused in a namespace, even if it is asked for twice', async () => {
    const cache = createCache()
    const first = cache.namespace('a').wrap(finding('first'))
    assert.throws(() => cache.namespace('a').wrap(finding('second')), refused)
    assert.equal(await first(), 'first')
  })

  it('the same function may be wrapped again, even if the namespace is asked for again', async () => {
    const cache = createCache()
    const find = finding('found')
    await cache.namespace('a').wrap(find)()
    assert.equal(await cache.namespace('a').wrap(find)(), 'found')
    assert.equal(cache.stats().total.loads, 1)
  })

  it('functions of one name in different namespaces or caches have separate results', async () => {
    const cache = createCache()
    const spaces = [cache, cache.namespace('a'), cache.namespace('b'), cache.namespace('a').namespace('a')]
    const wrapped = spaces.map((space, index) => space.wrap(finding(`${index}`)))
    assert.deepEqual(await Promise.all(wrapped.map((find) => find())), ['0', '1', '2', '3'])
    createCache().wrap(finding('another'))
  })

  it('functions whose keys collide along different paths are refused', () => {
    const cache = createCache()
    cache.namespace('a').namespace('b').wrap(finding('first'))
    assert.throws(() => cache.namespace('a:b').wrap(finding('second')), refused)
    assert.throws(() => cache.wrap(finding('third'), { name: 'a:b:find' }), refused)
  })

  it('a collection is made once in a namespace, even if the namespace is asked for again', () => {
    const cache = createCache()
    const options = { name: 'users', schema, load: async () => 1 }
    cache.namespace('a').collection(options)
    assert.throws(() => cache.namespace('a').collection(options), refused)
    cache.namespace('a').collection({ ...options, version: 1 })
    cache.namespace('b').collection(options)
    cache.collection(options)
  })

  it('two classes of one name are refused in a namespace, even if it is asked for at each call', async () => {
    const cache = createCache()
    // The decorator is called by hand, as the syntax would call it.
    const decorate = cached<{ readonly cache: Cache }>((self) => self.cache.namespace('a'))
    const context = { kind: 'method', name: 'find', static: false } as unknown as ClassMethodDecoratorContext<
      { readonly cache: Cache },
      (this: { readonly cache: Cache }) => Promise<string>
    >
    const shop = (answer: string) => {
      class Shop {
        readonly cache: Cache = cache
        readonly find = decorate(async () => answer, context)
      }
      return new Shop()
    }
    const first = shop('first')
    assert.equal(await first.find(), 'first')
    assert.equal(await first.find(), 'first')
    await assert.rejects(shop('second').find(), refused)
  })
})
