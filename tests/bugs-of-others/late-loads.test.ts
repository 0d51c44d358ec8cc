import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { elapsed } from '../support/cache-states.ts'
import { heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()
const TAGGED = { tags: ['users'] }

describe('an invalidation while a value is loaded', () => {
  // logto-io/logto#9428
  test('what was read before an update is not stored after its delete', async () => {
    const [reading, writing] = [await scene.open(), await scene.open()]
    const held = heldLoader('old')
    const early = reading.getOrSet('key', held.load)
    await held.begun
    await writing.delete('key')
    held.release()
    expect(await early).toBe('old')
    for (const cache of [writing, reading]) expect(await cache.getOrSet('key', () => 'new')).toBe('new')
  })

  // ZiggyCreatures/FusionCache#625
  test('who asks after a delete does not wait for a load that began before it', async () => {
    const cache = await scene.open()
    const held = heldLoader('old')
    const early = cache.getOrSet('key', held.load)
    await held.begun
    await cache.delete('key')
    expect(await cache.getOrSet('key', () => 'new')).toBe('new')
    held.release()
    expect(await early).toBe('old')
    expect(await cache.get('key')).toBe('new')
  })

  // ZiggyCreatures/FusionCache#535
  test('a tag that is invalidated during a load defeats it', async () => {
    const [reading, writing] = [await scene.open(), await scene.open()]
    const held = heldLoader('old')
    const early = reading.getOrSet('key', held.load, TAGGED)
    await held.begun
    await writing.invalidateTags(['users'])
    held.release()
    await early
    for (const cache of [writing, reading])
      expect(await cache.getOrSet('key', () => 'new', TAGGED)).toBe('new')
  })

  // ZiggyCreatures/FusionCache#628
  test('a tag that is invalidated during an early refresh defeats it', async () => {
    const options = { ...TAGGED, earlyRefresh: { beta: 1e9 } }
    const [reading, writing] = [await scene.open(), await scene.open()]
    // Its cost is what the early refresh weighs.
    await reading.getOrSet('key', () => elapsed(20).then(() => 'first'), options)
    const held = heldLoader('old')
    expect(await reading.getOrSet('key', held.load, options)).toBe('first')
    await held.begun
    await writing.invalidateTags(['users'])
    held.release()
    await reading.idle()
    for (const cache of [writing, reading])
      expect(await cache.getOrSet('key', () => 'new', TAGGED)).toBe('new')
  })
})

// redisson/redisson#3874
describe.each(['tracking', 'bus'] as const)('a set, a delete and a read in this order (mode %s)', (mode) => {
  test('find nothing, whenever the news of the set arrives', async () => {
    const [cache, other] = [
      await scene.open({ coherence: { mode } }),
      await scene.open({ coherence: { mode } }),
    ]
    await waitUntil(() => cache.coherence === mode && other.coherence === mode, { what: `mode ${mode}` })
    for (let round = 0; round < 100; round++) {
      const [, , found] = await Promise.all([cache.set('key', round), cache.delete('key'), cache.get('key')])
      expect(found).toBeUndefined()
    }
    await other.set('key', 'last')
    await waitUntil(async () => (await cache.get('key')) === 'last', {
      what: 'the value of the other process',
    })
    expect(await other.delete('key')).toBe(true)
    await waitUntil(() => cache.peek('key') === undefined, { what: 'the news' })
    expect(await cache.get('key')).toBeUndefined()
  })
})
