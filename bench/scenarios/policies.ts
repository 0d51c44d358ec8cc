import { setTimeout as pause } from 'node:timers/promises'
import { type Cache, type CreateCacheOptions, createCache, type GetOrSetOptions } from 'cachewright'
import type { Section } from '../measure/section.ts'
import { type Task, throughput } from '../measure/throughput.ts'
import type { Scenario } from './scenario.ts'

const KEYS = 1_000
export const NO_POLICY = 'no policy'
export const EVERY_BY_CALL = 'every policy, by the call'
export const EVERY_BY_CACHE = 'every policy, by the cache'
export const EVERY_BY_NAMESPACE = 'every policy, by the namespace'

/** Every policy that a hit looks at. */
export const EVERY = {
  ttl: '1h',
  jitter: 0.1,
  staleWhileRevalidate: '10m',
  staleIfError: '1d',
  earlyRefresh: { beta: 1 },
  softTimeout: '200ms',
  hardTimeout: '2s',
} as const satisfies GetOrSetOptions

/** A hit in the local tier with every policy, against one with none. */
export const policies: Scenario = {
  name: 'policies',
  about: 'what every policy together costs a local hit',
  async measure({ progress, redis, rounds, turnMs }) {
    progress('policies')
    const keys = Array.from({ length: KEYS }, (_, index) => `user:${index}`)
    // A load that costs something, so that XFetch has something to weigh.
    const load = async (index: number) => {
      await pause(5)
      return { id: index, name: `user ${index}` }
    }
    const open = async (options: CreateCacheOptions): Promise<Cache> => {
      const cache = createCache({ redis: redis.url, ttl: '1h', ...options })
      for (let warmUps = 0; warmUps < 2; warmUps++) {
        await Promise.all(keys.map((key, index) => cache.getOrSet(key, () => load(index))))
      }
      return cache
    }
    await using plain = await open({ prefix: 'plain:' })
    await using strict = await open({ prefix: 'strict:', ...EVERY, verify: { sample: 0.00001 } })
    const plainSpace = plain.namespace('space')
    const space = plain.namespace('policies', EVERY)
    for (const one of [plainSpace, space]) {
      await Promise.all(keys.map((key, index) => one.getOrSet(key, () => load(index))))
    }
    const keyAt = (index: number) => keys[index % KEYS] as string
    const source = () => load(0)
    const task = (contender: string, run: Task['run']): Task => ({ contender, kind: 'ours', run })
    const scenes = {
      cache: [
        task(NO_POLICY, (index) => plain.getOrSet(keyAt(index), source)),
        task(EVERY_BY_CALL, (index) => plain.getOrSet(keyAt(index), source, EVERY)),
        task(EVERY_BY_CACHE, (index) => strict.getOrSet(keyAt(index), source)),
      ],
      namespace: [
        task(NO_POLICY, (index) => plainSpace.getOrSet(keyAt(index), source)),
        task(EVERY_BY_NAMESPACE, (index) => space.getOrSet(keyAt(index), source)),
      ],
    }
    const sections: Section[] = []
    for (const [where, tasks] of Object.entries(scenes)) {
      sections.push({
        id: `policies/${where}`,
        title: `local hit of a ${where} with every policy`,
        figure: 'perSecond',
        baseline: NO_POLICY,
        rows: await throughput(tasks, { redis, rounds, turnMs, inFlight: 1, isLocal: true }),
      })
    }
    return sections
  },
}
