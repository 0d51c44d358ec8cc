import { setTimeout as sleep } from 'node:timers/promises'
import { type Cache, createCache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { coherencePlaces } from '../support/coherence-places.ts'
import { useScene } from '../support/scene.ts'
import { trials } from '../support/trials.ts'

const scene = useScene({ cluster: { masters: 3, replicasPerMaster: 0 }, closeAfter: 'all' })

/** A source, and what every process has been told of it by an acknowledged invalidation. */
interface Fact {
  present: number
  acknowledged: number
}

/** The ways to invalidate a key, by another process. */
const WAYS: readonly ((cache: Cache, key: string) => Promise<unknown>)[] = [
  (cache, key) => cache.delete(key),
  (cache, key) => cache.invalidateTags([`tag of ${key}`]),
]

describe('a call with local: false sees what was acknowledged before it, whatever news are on their way', () => {
  test.each(coherencePlaces(scene, '1h'))('%s', async (name, options) => {
    const open = () => createCache({ ...options(), prefix: `${name}:`, ttl: '1h', commandTimeout: '10s' })
    const [readers, writer] = [[open(), open()], open()]
    for (const cache of [...readers, writer]) {
      await cache.initialize()
      scene.later(() => cache.shutdown())
    }
    const wrong: string[] = []
    let checked = 0
    const lane = async (number: number) => {
      for (let round = 0; round < trials(40, 80, 4_000); round++) {
        const key = `${number}:${round % 5}`
        const fact: Fact = { present: 1, acknowledged: 1 }
        const load = async () => {
          const { present } = fact
          await sleep(Math.random() * 4)
          return present
        }
        const tags = [`tag of ${key}`]
        const ordinary = readers.map((reader) => reader.getOrSet(key, load, { tags }))
        const change = async () => {
          await sleep(Math.random() * 5)
          const next = ++fact.present
          await (WAYS[round % WAYS.length] as (typeof WAYS)[number])(writer, key)
          fact.acknowledged = next
        }
        const ask = async (reader: Cache) => {
          for (let asked = 0; asked < 3; asked++) {
            await sleep(Math.random() * 3)
            const known = fact.acknowledged
            const isGet = Math.random() < 0.3
            const value = isGet
              ? await reader.get<number>(key, { local: false })
              : await reader.getOrSet(key, load, { tags, local: false })
            if (value === undefined) continue
            checked++
            if (value < known)
              wrong.push(`${key} (${round}): ${isGet ? 'get' : 'getOrSet'} ${value} < ${known}`)
          }
        }
        await Promise.all([...ordinary, change(), ...readers.map(ask)])
        await writer.delete(key)
      }
    }
    await Promise.all([0, 1, 2, 3, 4, 5].map(lane))
    expect(wrong).toEqual([])
    expect(checked).toBeGreaterThan(200)
  })
})
