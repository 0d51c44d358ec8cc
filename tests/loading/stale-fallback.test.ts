import { expect, test } from 'vitest'
import { useScene } from '../support/scene.ts'

const scene = useScene()
const options = { tags: ['t'], staleIfError: '10m' } as const
const TRUST_MS = 3_000

test('T4 P25 an entry invalidated by tag is not served stale, even if the tag was read several times', async () => {
  const writer = await scene.open()
  const reader = await scene.open({ commandTimeout: '200ms' })
  await writer.getOrSet('k', () => 'old', options)
  expect(await reader.getOrSet('k', () => 'unused', options)).toBe('old')
  // The load captures the tag that the read has met already, which has it read a second time.
  await reader.getOrSet('other', () => 'x', options)
  await reader.get('other', { local: false })
  expect(await reader.invalidateTags(['t'])).toBe(true)
  scene.redis.pause()
  await new Promise((resolve) => setTimeout(resolve, TRUST_MS + 100))
  const failing = () => {
    throw new Error('The source failed')
  }
  await expect(reader.getOrSet('k', failing, options)).rejects.toThrow('The source failed')
})

test('T4 an entry deleted during a lost connection is not served stale in place of a slow load', async () => {
  // On the bus, acquiring a lease publishes no change.
  const writer = await scene.open({ coherence: { mode: 'bus' } })
  const reader = await scene.open({ coherence: { mode: 'bus' }, commandTimeout: '200ms' })
  await reader.getOrSet('k', () => 'old', options)
  const isLost = new Promise((resolve) => reader.on('epoch', resolve))
  await scene.redis.ask('CLIENT', 'KILL', 'SKIPME', 'yes')
  await isLost
  while (!(await writer.set('sign', 1))) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await writer.delete('k')).toBe(true)
  while ((await reader.get('sign', { local: false })) === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  let release = (_value: string) => {}
  const slow = reader.getOrSet('k', () => new Promise<string>((resolve) => (release = resolve)), {
    ...options,
    softTimeout: '50ms',
  })
  const answer = await Promise.race([slow, new Promise((resolve) => setTimeout(resolve, 300, 'it waits'))])
  release('new')
  expect(answer).toBe('it waits')
  expect(await slow).toBe('new')
})
