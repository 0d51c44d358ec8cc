import { setTimeout as pause } from 'node:timers/promises'
import { type Cache, type CreateCacheOptions, createCache, type GetOrSetOptions } from 'cachewright'
import { type Contender, compare } from '../rounds.ts'
import { formatCount, formatRatio, formatTable } from '../table.ts'

const KEYS = 1_000
const OPERATIONS = 400_000
/** What a hit with every policy may cost of one with none. */
const MOST = 1.15

/** Every policy there is. */
const EVERY = {
  ttl: '1h',
  jitter: 0.1,
  staleWhileRevalidate: '10m',
  staleIfError: '1d',
  earlyRefresh: { beta: 1 },
  softTimeout: '200ms',
  hardTimeout: '2s',
} as const satisfies GetOrSetOptions

/**
 * A hit in the local tier with every policy, against one with none.
 * @returns whether none of them costs too much
 */
export async function benchPolicies(url: string, rounds: number): Promise<boolean> {
  const keys = Array.from({ length: KEYS }, (_, index) => `user:${index}`)
  // A load that costs something, so that XFetch has something to weigh.
  const load = async (index: number) => {
    await pause(5)
    return { id: index, name: `user ${index}` }
  }
  const open = async (options: CreateCacheOptions): Promise<Cache> => {
    const cache = createCache({ redis: url, ttl: '1h', ...options })
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

  const scenes: readonly (readonly [string, readonly Contender[]])[] = [
    [
      'of a cache',
      [
        { name: 'no policy', run: (index) => plain.getOrSet(keyAt(index), source) },
        { name: 'every policy, by the call', run: (index) => plain.getOrSet(keyAt(index), source, EVERY) },
        { name: 'every policy, by the cache', run: (index) => strict.getOrSet(keyAt(index), source) },
      ],
    ],
    [
      'of a namespace',
      [
        { name: 'no policy', run: (index) => plainSpace.getOrSet(keyAt(index), source) },
        { name: 'every policy, by the namespace', run: (index) => space.getOrSet(keyAt(index), source) },
      ],
    ],
  ]
  let isMet = true
  for (const [where, contenders] of scenes) {
    const results = await compare(contenders, { inFlight: 1, operations: OPERATIONS, rounds })
    const rows = results.map(({ highest, lowest, name, perSecond, ratio }) => [
      name,
      formatCount(perSecond),
      `${Math.round(1e9 / perSecond)} ns`,
      formatRatio(1 / ratio),
      `${(1 / highest).toFixed(2)} – ${(1 / lowest).toFixed(2)}`,
    ])
    console.log(`\nA hit in the local tier ${where}, one awaited after the other`)
    console.log(formatTable(['', 'per second', 'each', 'cost', 'spread'], rows))
    const dearest = Math.max(...results.map(({ ratio }) => 1 / ratio))
    console.log(`at most ${formatRatio(MOST)}: ${dearest <= MOST ? 'met' : 'MISSED'}`)
    isMet &&= dearest <= MOST
  }
  return isMet
}
