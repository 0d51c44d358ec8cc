import type { CreateCacheOptions } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useBuild } from '../support/build.ts'
import { useScene } from '../support/scene.ts'
import { type Member, startProcess, startThread } from './fleet.ts'

const scene = useScene({ caches: { prefix: 'fleet:', ttl: '5m', commandTimeout: '10s' } })
useBuild('package')

const options = (): CreateCacheOptions => ({
  redis: scene.redis.url,
  ...{ prefix: 'fleet:', ttl: '5m', commandTimeout: '10s', connectTimeout: '30s' },
  lease: { ttl: '1s' },
})

/** Expects that what one member changes is what all the others are served. */
async function expectCoherence(members: readonly Member[]): Promise<void> {
  for (const [index, changing] of members.entries()) {
    await Promise.all(members.map((member) => member.tell('get', { key: 'shared', value: 'loaded' })))
    await waitUntil(
      async () => {
        await Promise.all(members.map((member) => member.tell('get', { key: 'shared', value: 'loaded' })))
        const copies = await Promise.all(members.map((member) => member.tell('peek', { key: 'shared' })))
        return copies.every((copy) => copy !== undefined)
      },
      { what: 'every member to have a copy' },
    )
    await changing.tell('set', { key: 'shared', value: `set by ${index}` })
    await waitUntil(
      async () => {
        const asked = members.map((member) => member.tell('get', { key: 'shared', value: 'loaded' }))
        return (await Promise.all(asked)).every((value) => value === `set by ${index}`)
      },
      { what: `the value of member ${index} everywhere` },
    )
    await changing.tell('delete', { key: 'shared' })
    await waitUntil(
      async () => {
        const copies = await Promise.all(members.map((member) => member.tell('peek', { key: 'shared' })))
        return copies.every((copy) => copy === undefined)
      },
      { what: 'every copy to go' },
    )
  }
}

describe.each([
  ['worker threads', startThread],
  ['workers of node:cluster', startProcess],
])('%s with a cache each', (_name, start) => {
  test('P43 are coherent, and each ends by itself after shutdown()', async () => {
    const members = await Promise.all([1, 2, 3].map(() => start(options())))
    await expectCoherence(members)
    const holding = members[0] as Member
    void holding.tell('hold', { key: 'slow' })
    await holding.loading
    expect(await Promise.all(members.map((member) => member.shutdown()))).toEqual([0, 0, 0])
  })

  test('go on when one of them is killed during a load, and take its place', async () => {
    const here = await scene.open()
    const [doomed, staying] = (await Promise.all([1, 2].map(() => start(options())))) as [Member, Member]
    void doomed.tell('hold', { key: 'slow' })
    await doomed.loading
    const waiting = [
      staying.tell('get', { key: 'slow', value: 'loaded' }),
      here.getOrSet('slow', () => 'loaded'),
    ]
    await doomed.kill()
    expect(await Promise.all(waiting)).toEqual(['loaded', 'loaded'])
    const replacing = await start(options())
    expect(await replacing.tell('get', { key: 'slow', value: 'loaded again' })).toBe('loaded')
    await expectCoherence([staying, replacing])
    expect(await Promise.all([staying.shutdown(), replacing.shutdown()])).toEqual([0, 0])
    expect(await here.get('slow')).toBe('loaded')
  })
})
