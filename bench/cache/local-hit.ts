import { type Cache, type CreateCacheOptions, createCache } from 'cachewright'
import { LRUCache } from 'lru-cache'
import { type Contender, compare } from '../rounds.ts'
import { formatCount, formatRatio, formatTable } from '../table.ts'

const KEYS = 1_000
const OPERATIONS = 400_000
/** What a hit through `await cache.getOrSet` has to reach of the bare map and one `await`. */
const FLOOR = 0.6
const OURS = 'await cache.getOrSet(key, load)'

const user = (index: number) => ({
  id: index,
  name: `user ${index}`,
  roles: ['reader', 'writer'],
  score: index / 7,
})

/**
 * A hit in the local tier, against the `lru-cache` beneath it and one `await`; and what each step of ours adds.
 * @returns whether the floor was met
 */
export async function benchLocalHit(url: string, rounds: number): Promise<boolean> {
  const keys = Array.from({ length: KEYS }, (_, index) => `user:${index}`)
  const lru = new LRUCache<string, object>({ max: 10_000 })
  for (const [index, key] of keys.entries()) lru.set(key, user(index))
  const open = async (options: CreateCacheOptions): Promise<Cache> => {
    const cache = createCache({ redis: url, prefix: 'hit:', ttl: '1h', ...options })
    for (let warmUps = 0; warmUps < 2; warmUps++) {
      await Promise.all(keys.map((key, index) => cache.getOrSet(key, () => user(index), { tags: ['users'] })))
    }
    return cache
  }
  await using frozen = await open({ prefix: 'frozen:' })
  await using shared = await open({ prefix: 'shared:', isolate: 'share' })
  await using cloned = await open({ prefix: 'cloned:', isolate: 'clone' })
  const keyAt = (index: number) => keys[index % KEYS] as string
  const load = () => Promise.reject(new Error('a warm hit loads nothing'))
  const tagged = { tags: ['users'] }

  const contenders: readonly Contender[] = [
    { name: 'await Promise.resolve(lru.get(key))', run: (index) => Promise.resolve(lru.get(keyAt(index))) },
    { name: OURS, run: (index) => frozen.getOrSet(keyAt(index), load) },
    { name: '… with tags', run: (index) => frozen.getOrSet(keyAt(index), load, tagged) },
    { name: "… isolate: 'share'", run: (index) => shared.getOrSet(keyAt(index), load) },
    { name: "… isolate: 'clone'", run: (index) => cloned.getOrSet(keyAt(index), load) },
    { name: 'await cache.get(key)', run: (index) => frozen.get(keyAt(index)) },
    { name: 'cache.peek(key), awaited', run: (index) => Promise.resolve(frozen.peek(keyAt(index))) },
    ...steps(lru, keyAt),
  ]
  const results = await compare(contenders, { inFlight: 1, operations: OPERATIONS, rounds })
  const rows = results.map(({ highest, lowest, name, perSecond, ratio }) => [
    name,
    formatCount(perSecond),
    `${Math.round(1e9 / perSecond)} ns`,
    formatRatio(ratio),
    `${lowest.toFixed(2)} – ${highest.toFixed(2)}`,
  ])
  console.log('\nA hit in the local tier, one awaited after the other')
  console.log(formatTable(['', 'per second', 'each', 'of bare', 'spread'], rows))
  const reached = results.find(({ name }) => name === OURS)?.ratio ?? 0
  console.log(`floor ${formatRatio(FLOOR)}: ${reached >= FLOOR ? 'met' : 'MISSED'}`)
  return reached >= FLOOR
}

/** Where the time of a hit goes: the bare lookup with one of our steps added to it each. */
function steps(lru: LRUCache<string, object>, keyAt: (index: number) => string): readonly Contender[] {
  const deadlineMs = performance.now() + 3_600_000
  const bare = (index: number) => Promise.resolve(lru.get(keyAt(index)))
  return [
    {
      name: 'bare + is the key a key?',
      run: (index) => (keyAt(index).isWellFormed() ? bare(index) : Promise.reject(new Error('no key'))),
    },
    {
      name: 'bare + is it fresh? (performance.now)',
      run: (index) => (performance.now() < deadlineMs ? bare(index) : Promise.reject(new Error('stale'))),
    },
  ]
}
