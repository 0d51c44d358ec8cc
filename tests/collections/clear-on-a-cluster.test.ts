import { expect, test } from 'vitest'
import { z } from 'zod'
import { useScene } from '../support/scene.ts'

const scene = useScene({ redis: false, cluster: { masters: 3, replicasPerMaster: 0 } })

test('clear() of a collection reaches its entries on every shard, and those of the adjacent version', async () => {
  const ids = Array.from({ length: 30 }, (_, index) => `${index}`)
  const nodes = scene.cluster.urls
  const open = () => scene.open({ redis: { cluster: { nodes } } })
  const [cache, other] = [await open(), await open()]
  const common = { name: 'users', schema: z.number(), load: () => 1 }
  const [users, elsewhere] = [cache.collection(common), other.collection(common)]
  const next = other.collection({ ...common, version: 1 })
  const orders = other.collection({ ...common, name: 'orders' })
  await Promise.all([users, elsewhere, next, orders].map((one) => one.getMany(ids)))
  expect(await users.clear()).toBe(true)
  const left = async (one: typeof users) =>
    (await Promise.all(ids.map((id) => one.has(id)))).filter((isThere) => isThere).length
  for (const one of [users, elsewhere, next]) await expect.poll(() => left(one)).toBe(0)
  expect(await left(orders)).toBe(ids.length)
})
