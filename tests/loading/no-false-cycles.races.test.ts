import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Cache, CacheError } from 'cachewright'
import { expect, onTestFinished, test } from 'vitest'
import { useScene } from '../support/scene.ts'
import { trials } from '../support/trials.ts'

const scene = useScene()

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const KEYS = 24
const REQUESTS = 16

function isLate(error: unknown): boolean {
  return error instanceof CacheError && error.code === 'CACHE_LOADER_TIMEOUT'
}

function below(bound: number): number {
  return Math.floor(Math.random() * bound)
}

/** Up to three distinct numbers from `from` on. */
function some(from: number): number[] {
  const count = KEYS - from
  return [...new Set(Array.from({ length: Math.min(count, below(4)) }, () => from + below(count)))]
}

/**
 * A loader needs the values of later keys only, so no load can wait for itself. It asks for them side by side, one by
 * one, in a batch, or anew; some of its calls give up, and keys change meanwhile.
 */
async function load(cache: Cache, number: number): Promise<number> {
  const needed = some(number + 1)
  const ask = (one: number) =>
    cache.getOrSet(`${one}`, () => load(cache, one), { staleWhileRevalidate: '1m' })
  if (below(4) === 0) await sleep(below(3))
  switch (below(5)) {
    case 0:
      await Promise.all(needed.map(ask))
      break
    case 1:
      for (const one of needed) await ask(one)
      break
    case 2:
      await cache.getOrSetMany(needed.map(String), async (keys) => {
        await load(cache, Math.max(...keys.map(Number)))
        return keys.map(Number)
      })
      break
    case 3:
      await Promise.all(needed.map((one) => cache.refresh(`${one}`, () => load(cache, one))))
      break
    default:
      await Promise.all(
        needed.map((one) =>
          cache
            .getOrSet(`${one}`, () => load(cache, one), { hardTimeout: '2ms' })
            .catch((error) => {
              if (!isLate(error)) throw error
            }),
        ),
      )
  }
  if (below(4) === 0) await cache.delete(`${below(KEYS)}`)
  return number
}

test.each([
  ['in memory', { redis: false }],
  ['over Redis', {}],
] as const)(
  'loaders that need each other in one direction never make a cycle, %s',
  async (_home, options) => {
    const cache = scene.cache({ ...options, ttl: '15ms', verify: { sample: 0.1, grace: '1ms' } })
    let loads = 0
    cache.on('load', () => loads++)
    const wrong: unknown[] = []
    cache.on('background-error', ({ error }) => {
      if (!isLate(error)) wrong.push(error)
    })
    const wanted = trials(1_000, 4_000, 20_000)
    while (loads < wanted && wrong.length === 0) {
      const requests = Array.from({ length: REQUESTS }, () => {
        const first = below(KEYS)
        return cache.getOrSet(`${first}`, () => load(cache, first))
      })
      for (const answer of await Promise.allSettled(requests)) {
        if (answer.status === 'rejected') wrong.push(answer.reason)
      }
    }
    await cache.idle()
    expect(wrong).toEqual([])
  },
  120_000,
)

test('what a loader has created and left behind keeps none of its values', async () => {
  const cache = scene.cache({ redis: false, local: false })
  const timers: NodeJS.Timeout[] = []
  onTestFinished(() => {
    for (const timer of timers) clearInterval(timer)
  })
  const values: WeakRef<object>[] = []
  for (let id = 0; id < 50; id++) {
    await cache.getOrSet(`key:${id}`, async (context) => {
      timers.push(setInterval(() => {}, 10_000))
      const part = await cache.getOrSet(`part:${id}`, (own) => {
        own.skip()
        return { id }
      })
      const value = { part }
      values.push(new WeakRef(value), new WeakRef(part))
      context.skip()
      return value
    })
  }
  await sleep(20)
  collectGarbage()
  expect(values.filter((value) => value.deref() !== undefined).length).toBeLessThan(5)
})
