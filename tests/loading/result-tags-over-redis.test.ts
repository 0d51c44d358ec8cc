import { expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

test('tags that the result names follow invalidations by other processes', async () => {
  const [one, other] = [await scene.open(), await scene.open()]
  let loads = 0
  let invalidate = async () => {}
  const find = one.wrap(
    async (id: string) => {
      loads++
      await invalidate()
      return { id, team: 'red' }
    },
    { name: 'find', result: ({ team }) => ({ tags: [`team:${team}`] }) },
  )
  // The first load meets a tag that this process does not know.
  await find('ann')
  expect(await one.get(find.key('ann'))).toBeUndefined()
  await find('ann')
  expect(await one.getEntry(find.key('ann'))).toMatchObject({ tags: ['team:red'] })
  await find('ann')
  expect(loads).toBe(2)
  await other.invalidateTags(['team:red'])
  await waitUntil(async () => (await one.get(find.key('ann'))) === undefined, { what: 'the news' })
  // An invalidation while the function runs defeats its result.
  invalidate = async () => void (await other.invalidateTags(['team:red']))
  await find('ann')
  expect(await other.get(find.key('ann'), { local: false })).toBeUndefined()
  invalidate = async () => {}
  await find('ann')
  expect(await other.get(find.key('ann'))).toEqual({ id: 'ann', team: 'red' })
})
