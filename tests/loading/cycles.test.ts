import { setTimeout as sleep } from 'node:timers/promises'
import type { CreateCacheOptions } from 'cachewright'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { deferred, heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

/** The error of a load that waits for itself by way of these keys. */
function cycle(...keys: string[]): object {
  const way = keys.map((key) => `shop:${key}`).join(' → ')
  return { code: 'CACHE_CYCLE', message: expect.stringMatching(new RegExp(`: ${way}$`)) }
}

const HOMES: readonly (readonly [string, CreateCacheOptions])[] = [
  ['in memory', { redis: false }],
  ['over Redis', {}],
  ['over Redis, without a local tier', { local: false }],
]

describe.each(HOMES)('a loader that waits for its own load rejects, %s', (_home, options) => {
  const open = (own: CreateCacheOptions = {}) => scene.cache({ ...options, ...own })

  test('if it asks for its own key', async () => {
    const cache = open()
    const load = (): Promise<number> => cache.getOrSet('x', load)
    await expect(cache.getOrSet('x', load)).rejects.toMatchObject({ ...cycle('x', 'x'), key: 'x' })
  })

  test('if the loader of another key asks for its key', async () => {
    const cache = open()
    const x = (): Promise<number> => cache.getOrSet('y', y)
    const y = (): Promise<number> => cache.getOrSet('z', z)
    const z = (): Promise<number> => cache.getOrSet('x', x)
    await expect(cache.getOrSet('z', z)).rejects.toMatchObject(cycle('z', 'x', 'y', 'z'))
  })

  test('in a namespace, and through another cache', async () => {
    const cache = open()
    const other = open({ prefix: 'other:' })
    const users = cache.namespace('users')
    const load = (): Promise<number> => other.getOrSet('o', () => users.getOrSet('u', load))
    await expect(users.getOrSet('u', load)).rejects.toMatchObject({
      message: expect.stringContaining('shop:users:u → other:o → shop:users:u'),
    })
  })

  test('if two requests begin at either end; the load that it asked for is shared by others until then', async () => {
    const cache = open()
    const [xBegan, yBegan] = [deferred(), deferred()]
    const x = async (): Promise<number> => {
      xBegan.resolve()
      await yBegan.promise
      return cache.getOrSet('y', y)
    }
    const y = async (): Promise<number> => {
      yBegan.resolve()
      await xBegan.promise
      return cache.getOrSet('x', x)
    }
    const answers = await Promise.allSettled([cache.getOrSet('x', x), cache.getOrSet('y', y)])
    for (const answer of answers) expect(answer).toMatchObject({ reason: { code: 'CACHE_CYCLE' } })
  })

  test('and the load goes on: a loader may do without the value', async () => {
    const cache = open()
    const load = (): Promise<string> =>
      cache.getOrSet('x', load).catch((error: { code: string }) => `without: ${error.code}`)
    const mayEnd = deferred()
    const y = async () => {
      await mayEnd.promise
      return cache.getOrSet('x', load)
    }
    const answers = Promise.all([
      cache.getOrSet('x', () => cache.getOrSet('y', y).catch(() => 'none')),
      cache.getOrSet('y', y).catch(String),
    ])
    await sleep(20)
    mayEnd.resolve()
    expect(await answers).toEqual(['none', expect.stringContaining('shop:x → shop:y → shop:x')])
    expect(await cache.getOrSet('direct', () => 1)).toBe(1)
    expect(await cache.getOrSet('x', load)).toBe('none')
  })

  test('in a batch, whichever key of it is asked for', async () => {
    const cache = open()
    const c = () => cache.getOrSet('b', () => 'b')
    const loadMany = async (keys: readonly string[]) => {
      await cache.getOrSet('c', c)
      return keys.map((key) => key)
    }
    await expect(cache.getOrSetMany(['a', 'b'], loadMany)).rejects.toMatchObject({
      code: 'CACHE_PARTIAL_LOAD',
      cause: cycle('b', 'c', 'b'),
    })
    const own = (): never => cache.getOrSetMany(['p', 'q'], own) as never
    await expect(cache.getOrSetMany(['p', 'q'], own)).rejects.toMatchObject({
      cause: { code: 'CACHE_PARTIAL_LOAD', cause: cycle('p', 'p') },
    })
  })

  test('in collections, by id or by many', async () => {
    const cache = open()
    const parents = cache.collection({
      name: 'parents',
      schema: z.string(),
      load: async (id: string): Promise<string> => `${await parents.get(id === 'a' ? 'b' : 'a')}`,
    })
    const error = await parents.get('a').catch((error: Error) => error)
    expect(error).toMatchObject({ code: 'CACHE_CYCLE' })
    const [a, b] = ['a', 'b'].map((id) => `shop:${parents.key(id)}`)
    expect((error as Error).message).toContain(`${a} → ${b} → ${a}`)

    const peers = cache.collection({
      name: 'peers',
      schema: z.string(),
      loadMany: async (ids: readonly string[]): Promise<string[]> => {
        const needed = await peers.getMany(ids.map((id) => (id === '1' ? '3' : '1')))
        return ids.map(() => `${needed.size}`)
      },
    })
    const failed = peers.getMany(['1', '2'])
    await expect(failed).rejects.toMatchObject({ code: 'CACHE_PARTIAL_LOAD' })
  })

  test('in functions that are wrapped', async () => {
    const cache = open()
    const even = cache.wrap(async function even(n: number): Promise<boolean> {
      return n === 0 || odd(n)
    })
    const odd = cache.wrap(async function odd(n: number): Promise<boolean> {
      return even(n)
    })
    await expect(even(3)).rejects.toMatchObject(cycle('even\\(3\\)', 'odd\\(3\\)', 'even\\(3\\)'))
    expect(await even(0)).toBe(true)
  })

  test('if it refreshes its own key, or another loader does so', async () => {
    const cache = open()
    const own = (): never => cache.refresh('x', own) as never
    await expect(cache.getOrSet('x', own)).rejects.toMatchObject(cycle('x', 'x'))
    await expect(cache.refresh('x', own)).rejects.toMatchObject(cycle('x', 'x'))
    const through = () => cache.getOrSet('y', () => cache.refresh('x', () => 1))
    await expect(cache.getOrSet('x', through)).rejects.toMatchObject(cycle('x', 'y', 'x'))
    expect(await cache.refresh('x', () => 1)).toBe(1)
  })

  test('if it removes its key and asks for it anew, or asks with other tags', async () => {
    const cache = open()
    const anew = async (): Promise<number> => {
      await cache.delete('x')
      return cache.getOrSet('x', anew)
    }
    await expect(cache.getOrSet('x', anew)).rejects.toMatchObject(cycle('x', 'x'))
    const tagged = () => cache.getOrSet('x', () => 1, { tags: ['t'] })
    await expect(cache.getOrSet('x', tagged)).rejects.toMatchObject(cycle('x', 'x'))
  })

  test('if it loads without a lease', async () => {
    const cache = open()
    await cache.sets.addToSet('x', 'a member')
    const load = (): Promise<number> => cache.getOrSet('y', () => cache.getOrSet('x', load))
    await expect(cache.getOrSet('x', load)).rejects.toMatchObject(cycle('x', 'y', 'x'))
  })

  test('but not if its key has a value that may be served meanwhile', async () => {
    const cache = open({ staleWhileRevalidate: '1m' })
    await cache.getOrSet('x', () => 1)
    const increased = async () => (await cache.getOrSet('x', () => 0)) + 1
    expect(await cache.refresh('x', increased)).toBe(2)
    await cache.set('x', 5, { ttl: '20ms' })
    await sleep(40)
    expect(await cache.getOrSet('x', increased)).toBe(5)
    await cache.idle()
    expect(await cache.get('x')).toBe(6)
  })

  test('but not if the other loader works in the background', async () => {
    const cache = open({ staleWhileRevalidate: '1m' })
    await cache.set('y', 'old', { ttl: '20ms' })
    await sleep(40)
    const errors: unknown[] = []
    cache.on('background-error', ({ error }) => errors.push(error))
    const refreshing = deferred()
    const y = async () => {
      refreshing.resolve()
      return `y of ${await cache.getOrSet('x', () => 'another x')}`
    }
    const x = async () => {
      const found = await cache.getOrSet('y', y)
      await refreshing.promise
      await sleep(20)
      return `x of ${found}`
    }
    expect(await cache.getOrSet('x', x)).toBe('x of old')
    await cache.idle()
    expect(await cache.get('y')).toBe('y of x of old')
    expect(errors).toEqual([])
  })

  test('but not if a hit of it is verified', async () => {
    const cache = open({ verify: { sample: 1, grace: '1ms' } })
    await cache.set('y', 'y')
    await cache.get('y')
    const verdicts: unknown[] = []
    cache.on('verify', ({ key, verdict }) => verdicts.push([key, verdict]))
    const [verifying, asking] = [deferred(), deferred()]
    const y = async () => {
      verifying.resolve()
      await cache.getOrSet('z', async () => {
        asking.resolve()
        return cache.getOrSet('x', () => 'another x')
      })
      return 'y'
    }
    const x = async () => {
      const found = await cache.getOrSet('y', y)
      await verifying.promise
      await asking.promise
      await sleep(20)
      return found
    }
    expect(await cache.getOrSet('x', x)).toBe('y')
    await cache.idle()
    expect(verdicts).toContainEqual(['y', 'fresh'])
  })

  test('but not once it no longer waits', async () => {
    const cache = open()
    const held = heldLoader('held')
    const [gaveUp, mayEnd] = [deferred(), deferred()]
    const y = async () => {
      await held.load()
      return cache.getOrSet('x', () => 'another x')
    }
    const x = async () => {
      const late = cache.getOrSet('y', y, { hardTimeout: '30ms' })
      await late.catch((error: { code: string }) => expect(error.code).toBe('CACHE_LOADER_TIMEOUT'))
      gaveUp.resolve()
      await mayEnd.promise
      return 'x'
    }
    const answers = Promise.all([cache.getOrSet('x', x), cache.getOrSet('y', y)])
    await gaveUp.promise
    held.release()
    await sleep(20)
    mayEnd.resolve()
    expect(await answers).toEqual(['x', 'x'])
  })

  test('but not once the loader has ended: what it has created may ask for its key', async () => {
    const cache = open()
    const seen: unknown[] = []
    const x = () => {
      let isLoaded = false
      const timer = setInterval(() => {
        // A busy machine may fire it while the loader runs.
        if (!isLoaded) return
        cache.getOrSet('x', x).then(
          (value) => seen.push(value),
          (error) => seen.push(error),
        )
      }, 5)
      scene.later(() => clearInterval(timer))
      return sleep(2, 'x').finally(() => {
        isLoaded = true
      })
    }
    await cache.getOrSet('x', x)
    while (seen.length < 3) {
      await cache.delete('x')
      await sleep(10)
    }
    expect(new Set(seen)).toEqual(new Set(['x']))
  })
})

test.each([
  ['development', undefined, 'CACHE_CYCLE'],
  [
    'production',
    undefined,
    Number.parseInt(process.versions.node, 10) >= 24 ? 'CACHE_CYCLE' : 'CACHE_LOADER_TIMEOUT',
  ],
  ['production', true, 'CACHE_CYCLE'],
  ['development', false, 'CACHE_LOADER_TIMEOUT'],
] as const)(
  'cycles are detected under NODE_ENV=%s with detectCycles: %s as documented',
  async (environment, detectCycles, code) => {
    vi.stubEnv('NODE_ENV', environment)
    const cache = scene.cache({ redis: false, detectCycles })
    const load = (): Promise<number> => cache.getOrSet('x', load, { hardTimeout: '100ms' })
    await expect(cache.getOrSet('x', load, { hardTimeout: '1s' })).rejects.toMatchObject({ code })
  },
)
