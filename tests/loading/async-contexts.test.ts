import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CreateCacheOptions } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { useScene } from '../support/scene.ts'

const scene = useScene()
const requests = new AsyncLocalStorage<string>()
const NAMES = ['ann', 'bob', 'cid']

const HOMES: readonly (readonly [string, CreateCacheOptions])[] = [
  ['in memory', { redis: false }],
  ['over Redis', {}],
  ['over Redis, without the detection of cycles', { detectCycles: false }],
  ['over Redis, with a slow read', { hardTimeout: '10s' }],
]

describe.each(HOMES)('a loader has the async context of the caller that began it, %s', (_home, options) => {
  test('also where several callers read in one tick', async () => {
    const cache = await scene.open(options)
    const answers = NAMES.map((name) =>
      requests.run(name, async () => {
        const value = await cache.getOrSet(`of:${name}`, async () => {
          await sleep(1)
          return cache.getOrSet(`part:${name}`, () => requests.getStore())
        })
        return [value, requests.getStore()]
      }),
    )
    expect(await Promise.all(answers)).toEqual(NAMES.map((name) => [name, name]))
  })

  test('and so does a batch loader', async () => {
    const cache = await scene.open(options)
    const answers = NAMES.map((name) =>
      requests.run(name, async () => {
        const keys = [`1:${name}`, `2:${name}`, 'shared']
        const values = await cache.getOrSetMany(keys, (missing) => missing.map(() => requests.getStore()))
        return [values.get(`1:${name}`), values.get(`2:${name}`), requests.getStore()]
      }),
    )
    expect(await Promise.all(answers)).toEqual(NAMES.map((name) => [name, name, name]))
  })

  test('and so does a refresh that a hit in Redis begins', async () => {
    const cache = await scene.open({ ...options, local: false, earlyRefresh: { beta: 1e12 } })
    await Promise.all(NAMES.map((name) => cache.getOrSet(`of:${name}`, () => sleep(5, 'first'))))
    await cache.idle()
    const seen = new Map<string, unknown>()
    for (const name of NAMES) {
      const load = () => seen.set(name, requests.getStore()).size
      void requests.run(name, () => cache.getOrSet(`of:${name}`, load))
    }
    await cache.get('another')
    await cache.idle()
    expect(seen).toEqual(new Map(NAMES.map((name) => [name, name])))
  })
})
