import { expect, test } from 'vitest'
import { Source } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

interface User {
  name: string
}

// jaredwray/cacheable#137
test('what a caller does to a value, no other caller sees', async () => {
  const frozen = await scene.open()
  const ask = () => frozen.getOrSet('frozen', (): User => ({ name: 'Ada' }))
  for (let call = 0; call < 3; call++) {
    const user = (await ask()) as User
    expect(() => {
      user.name = 'changed'
    }).toThrow(TypeError)
    expect(user).toEqual({ name: 'Ada' })
  }
  const cloned = await scene.open({ isolate: 'clone' })
  for (let call = 0; call < 3; call++) {
    const user = (await cloned.getOrSet('cloned', (): User => ({ name: 'Ada' }))) as User
    expect(user).toEqual({ name: 'Ada' })
    user.name = 'changed'
  }
})

// micronaut-projects/micronaut-cache#127
test('null is a value: it is loaded once', async () => {
  const [mine, other] = [await scene.open(), await scene.open()]
  const source = new Source(null)
  for (const cache of [mine, mine, other]) expect(await cache.getOrSet('company:7', source.load)).toBeNull()
  expect(source.loads).toBe(1)
  expect([await other.get('company:7'), await other.get('company:8')]).toEqual([null, undefined])
})

// jaredwray/cacheable#861
test('two wrapped functions with the same arguments do not share a result', async () => {
  const cache = await scene.open()
  const plus = cache.wrap(async function plus(left: number, right: number) {
    return left + right
  })
  const times = cache.wrap(async function times(left: number, right: number) {
    return left * right
  })
  expect([await plus(1, 2), await times(1, 2)]).toEqual([3, 2])
  expect(() => cache.wrap(async (left: number) => left)).toThrow(/name/)
})
