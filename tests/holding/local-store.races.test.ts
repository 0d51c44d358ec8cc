import { setTimeout as sleep } from 'node:timers/promises'
import { type Cache, createCache, type LocalNamespace } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { coherencePlaces } from '../support/coherence-places.ts'
import { useScene } from '../support/scene.ts'
import { trials } from '../support/trials.ts'

const scene = useScene({ cluster: { masters: 3, replicasPerMaster: 0 }, closeAfter: 'all' })

/** A value of the source: what was current when it was loaded. It cannot be serialized. */
interface Loaded {
  readonly version: number
  readonly use: () => void
}

const WAYS: readonly ((space: LocalNamespace, key: string, value: Loaded) => Promise<unknown>)[] = [
  (space, key) => space.delete(key),
  (space, key) => space.invalidateTags([`tag of ${key}`]),
  (space, key, value) => space.set(key, value, { tags: [`tag of ${key}`] }),
]

describe('no value that stays in a process is served once an invalidation of it was acknowledged and is known', () => {
  test.each(coherencePlaces(scene, '20ms'))('%s', async (name, options) => {
    const caches = Array.from({ length: 3 }, () =>
      createCache({ ...options(), prefix: `${name}:`, ttl: '1h', commandTimeout: '10s' }),
    )
    const alive = new Set<Loaded>()
    const open = async (cache: Cache): Promise<LocalNamespace> => {
      await cache.initialize()
      scene.later(() => cache.shutdown())
      return cache.namespace('held', {
        store: 'local',
        dispose: (value: Loaded) => {
          if (!alive.delete(value)) wrong.push(`v${value.version} was disposed of twice, or never kept`)
        },
      })
    }
    const wrong: string[] = []
    const spaces = await Promise.all(caches.map(open))
    let checked = 0
    const lane = async (number: number) => {
      for (let round = 0; round < trials(40, 80, 4_000); round++) {
        const key = `${number}:${round % 5}`
        const tags = [`tag of ${key}`]
        let present = 1
        let acknowledged = 1
        const made = (version: number): Loaded => {
          const value = { version, use: () => {} }
          alive.add(value)
          return value
        }
        const load = async () => {
          const version = present
          await sleep(Math.random() * 4)
          return made(version)
        }
        const changer = spaces[round % spaces.length] as LocalNamespace
        const how = WAYS[round % WAYS.length] as (typeof WAYS)[number]
        const accuse = (who: string, value: Loaded | undefined, known: number) => {
          checked++
          if (value !== undefined && value.version < known)
            wrong.push(`${key} (${round}): ${who} got v${value.version} < v${known}`)
        }
        const change = async () => {
          await sleep(Math.random() * 5)
          const next = ++present
          await how(changer, key, made(next))
          acknowledged = next
          // In its own process it counts at once.
          accuse('the changing process', await changer.getOrSet(key, load, { tags }), next)
        }
        const ask = async (space: LocalNamespace) => {
          for (let asked = 0; asked < 3; asked++) {
            await sleep(Math.random() * 3)
            const known = acknowledged
            const isStrict = Math.random() < 0.7
            const value = await space.getOrSet(key, load, isStrict ? { tags, local: false } : { tags })
            if (isStrict || space === changer) accuse('a caller', value, known)
          }
        }
        await Promise.all([change(), ...spaces.map(ask)])
        for (const space of spaces) {
          await waitUntil(
            async () => ((await space.get<Loaded>(key))?.version ?? acknowledged) >= acknowledged,
            { what: `the news of ${key} in round ${round}` },
          )
          accuse('who looks later', await space.get<Loaded>(key, { local: false }), acknowledged)
        }
        await changer.delete(key)
      }
    }
    await Promise.all([0, 1, 2, 3].map(lane))
    expect(wrong).toEqual([])
    expect(checked).toBeGreaterThan(500)
  })
})
