import assert from 'node:assert/strict'
import { glob } from '../../foundation/glob.ts'
import type { ContractSuiteOptions, Register } from './check.ts'

export function removalChecks(check: Register, options: ContractSuiteOptions): void {
  check('clear removes the keys of this prefix and no others', async (backend, prefix) => {
    await using neighbour = await options.createBackend({ prefix: `${prefix.slice(0, -1)}!:` })
    await neighbour.initialize()
    await neighbour.set('key', 'stays')
    await backend.setMany(Array.from({ length: 1_500 }, (_, index) => [`key:${index}`, index] as const))
    await backend.incr('counter')
    await backend.addToSet('set', 'member')
    assert.equal(await backend.clear(), true)
    assert.equal(await backend.exists('key:7'), false)
    assert.equal(await backend.exists('counter'), false)
    assert.equal(await backend.exists('set'), false)
    assert.equal(await neighbour.get('key'), 'stays')
    await neighbour.clear()
  })

  check('a pattern removes what it matches and counts it', async (backend) => {
    await backend.setMany({
      'user:1:name': 1,
      'user:1:mail': 2,
      'user:2:name': 3,
      'user:10:name': 4,
      order: 5,
    })
    assert.equal(await backend.invalidatePattern('user:1:*'), 2)
    assert.equal(await backend.invalidatePattern('user:?:name'), 1)
    assert.equal(await backend.invalidatePattern('[a-n]*'), 0)
    assert.equal(await backend.invalidatePattern('[^u]rder'), 1)
    assert.deepEqual(
      await backend.getMany(['user:10:name', 'order']),
      new Map([
        ['user:10:name', 4],
        ['order', undefined],
      ]),
    )
  })

  check('P36 what is quoted in a pattern matches only itself', async (backend) => {
    for (const hostile of ['*', '?', '[a-z]', '\\', '\\*', '[^x]', 'a]b', '^', '-']) {
      await backend.setMany({ [`user:${hostile}:name`]: 1, 'user:a:name': 2, 'user:ab:name': 3 })
      assert.equal(await backend.invalidatePattern(glob`user:${hostile}:*`), 1)
      assert.deepEqual(
        await backend.getMany(['user:a:name', 'user:ab:name']),
        new Map([
          ['user:a:name', 2],
          ['user:ab:name', 3],
        ]),
      )
    }
  })

  check('a removal reports its progress and ends where its signal says so', async (backend) => {
    await backend.setMany(Array.from({ length: 3_000 }, (_, index) => [`key:${index}`, index] as const))
    const progress: number[] = []
    assert.equal(
      await backend.invalidatePattern('key:*', { onProgress: (removed) => progress.push(removed) }),
      3_000,
    )
    assert.equal(progress.at(-1), 3_000)
    await backend.set('key:1', 1)
    assert.equal(await backend.invalidatePattern('*', { signal: AbortSignal.abort() }), 0)
    assert.equal(await backend.exists('key:1'), true)
  })
}
