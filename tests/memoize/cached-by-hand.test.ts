import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { cached } from '../../src/cache/memoize/cached-decorator.ts'
import { contextOf } from '../support/decorator-context.ts'
import { MapCache } from './map-cache.ts'

describe('@cached called by hand', () => {
  class Repository {
    readonly cache = new MapCache()
    readonly tenant = 'north'
  }

  it('returns the method to call instead', async () => {
    const cache = new MapCache()
    async function find(this: Repository, id: number): Promise<string> {
      return `${this.tenant} ${id}`
    }
    const answer = cached(cache)(find, contextOf('find'))
    assert.equal(await answer.call(new Repository(), 7), 'north 7')
    assert.deepEqual(cache.keys, ['Repository.find(7)'])
  })

  it('has the tags and the time to live that functions make of its instance and arguments', async () => {
    const cache = new MapCache()
    async function find(this: Repository, id: number): Promise<number> {
      return id
    }
    const answer = cached(cache, {
      tags(this: Repository, id: number) {
        return [`${this.tenant}/${id}`]
      },
      ttl: (id: number) => 10 * id,
    })(find, contextOf('find'))
    await answer.call(new Repository(), 7)
    assert.deepEqual(cache.seenOptions, [{ tags: ['north/7'], ttl: 70 }])

    const failing = cached(cache, {
      tags: (): never => {
        throw new TypeError('of the caller')
      },
    })(async function other(this: Repository) {}, contextOf('other'))
    await assert.rejects(failing.call(new Repository()), TypeError)
  })

  it('is typed by the method, the instance and the key', () => {
    const cache = new MapCache()
    async function find(this: Repository, id: number, limit = 10): Promise<string[]> {
      return [`${this.tenant} ${id} ${limit}`]
    }
    function findNow(id: number): string {
      return `${id}`
    }
    const answer: (this: Repository, id: number, limit?: number) => Promise<string[]> = cached(cache)(
      find,
      contextOf('find'),
    )
    cached((repository: Repository) => repository.cache, { ttl: 1 })(find, contextOf('find'))
    cached(cache, { key: (id: number) => `${id}` })(find, contextOf('find'))
    cached(cache, {
      key(this: Repository, id: number, limit?: number) {
        return `${this.tenant} ${id} ${limit}`
      },
    })(find, contextOf('find'))

    const checks = () => {
      // @ts-expect-error a method that returns no promise
      cached(cache)(findNow, contextOf('findNow'))
      // @ts-expect-error a key function for other arguments
      cached(cache, { key: (id: string) => id })(find, contextOf('find'))
      // @ts-expect-error a cache found by an instance of another class
      cached((other: { shelves: MapCache }) => other.shelves)(find, contextOf('find'))
      // @ts-expect-error no such option
      cached(cache, { lifetime: 1 })
    }
    assert.ok(answer)
    assert.ok(checks)
  })
})
