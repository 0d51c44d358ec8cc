import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { useScene } from '../support/scene.ts'
import { storeUnfit } from './unfit-values.ts'

const scene = useScene()

describe('explain of a collection', () => {
  test('tells what a get would do, with the tags of the id', async () => {
    const cache = await scene.open()
    const users = cache.collection({
      name: 'users',
      schema: z.number(),
      load: () => 1,
      tags: (id) => [`id:${id}`],
    })
    expect((await users.explain('ann')).next.step).toBe('load')
    await users.get('ann')
    const { key, local, next, shared } = await users.explain('ann')
    expect([key, next.step, local.refusals]).toEqual(['ann', 'serve-local', []])
    expect(shared.tags).toMatchObject([{ name: 'id:ann', verdict: 'valid' }])
    expect(shared.namespaces.map(({ name }) => name)).toEqual(['shop:', 'shop:users@0:'])
    await users.clear()
    expect((await users.explain('ann')).next.step).toBe('load')
  })

  test.each([
    ['a', z.number()],
    ['an asynchronous', z.number().refine(async () => true)],
  ])('tells of a value that does not fit %s schema', async (_kind, schema) => {
    await storeUnfit(scene, 'users', ['ann'])
    const cache = await scene.open()
    const users = cache.collection({ name: 'users', schema, load: () => 1 })
    const first = await users.explain('ann')
    expect(first.next).toEqual({ step: 'load', reason: 'its value does not fit the schema' })
    expect(first.shared.isUsable).toBe(false)
    await cache.get(users.key('ann'))
    const second = await users.explain('ann')
    expect([second.next.step, second.local.serves, second.local.refusals]).toEqual([
      'load',
      'nothing',
      ['unfit'],
    ])
    expect(String(second)).toContain('it does not fit the schema of the collection')
    expect(await users.get('ann')).toBe(1)
    expect((await users.explain('ann')).next.step).toBe('serve-local')
  })
})
