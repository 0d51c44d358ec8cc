import { expect, test } from 'vitest'
import { deferred, Source } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

test('a load that waits for its turn keeps no other process waiting, and takes what that one has stored', async () => {
  const [mine, other] = [await scene.open({ maxLoads: 1 }), await scene.open({ maxLoads: 1 })]
  const held = deferred<string>()
  const first = mine.getOrSet('a', () => held.promise)
  const source = new Source('mine')
  const queued = mine.getOrSet('b', source.load)
  await expect.poll(() => mine.stats().loaders).toEqual({ running: 1, queued: 1 })
  expect(await other.getOrSet('b', () => 'theirs')).toBe('theirs')
  held.resolve('a')
  expect(await first).toBe('a')
  expect(await queued).toBe('theirs')
  expect(source.loads).toBe(0)
  expect(mine.stats().loaders).toEqual({ running: 0, queued: 0 })
})
