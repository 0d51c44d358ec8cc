import { createCache } from 'cachewright'
import { LRUCache } from 'lru-cache'
import { bareLru } from '../contenders/bare-lru.ts'
import { cache as ours } from '../contenders/ours.ts'
import type { Section } from '../measure/section.ts'
import { type Task, throughput } from '../measure/throughput.ts'
import { type FieldOptions, fill, readTask, warmUp, withField } from './field.ts'
import { keyOf, OBJECT_1K, OBJECTS, type Payload } from './payloads.ts'
import type { Run, Scenario } from './scenario.ts'

const KEYS = 1_000
const LOCAL_ENTRIES = 10_000

/** Reads of what a tier in the process holds. */
export const localHit: Scenario = {
  name: 'local-hit',
  about: 'reads of what the process holds already, awaited and in a synchronous loop',
  async measure(run) {
    const sections: Section[] = []
    for (const payload of run.isQuick ? [OBJECT_1K] : OBJECTS.slice(0, 3)) {
      sections.push(await measureAwaited(run, { ...payload, keys: KEYS }))
    }
    sections.push(await measureSync(run))
    // Last: other options make the code that they share less predictable to the compiler.
    return run.isQuick ? sections : [...sections, await measureVariants(run)]
  },
}

async function measureAwaited(run: Run, payload: Payload): Promise<Section> {
  const { contenders, redis, rounds, turnMs } = run
  const title = `local hit, ${payload.name} object, one awaited after the other`
  run.progress(title)
  await redis.ask('FLUSHALL')
  const options: FieldOptions = { url: redis.url, payload, tier: 'local', localEntries: LOCAL_ENTRIES }
  return withField(contenders, options, async (players) => {
    for (const player of players) {
      await fill(player, payload)
      await warmUp(player, payload)
    }
    return {
      id: `local-hit/await/${payload.name}`,
      title,
      figure: 'perSecond',
      baseline: bareLru.name,
      rows: await throughput(
        players.map((player) => readTask(player, payload)),
        { redis, rounds, turnMs, inFlight: 1, isLocal: true },
      ),
      series: { name: 'local hit', unit: 'bytes of a value', size: payload.bytes },
    }
  })
}

/** What options of ours cost or save, and what single steps of a hit cost beside the bare lookup. */
async function measureVariants({ redis, rounds, turnMs, progress }: Run): Promise<Section> {
  const title = 'local hit by options of ours, and by steps'
  progress(title)
  const keys = Array.from({ length: KEYS }, (_, id) => keyOf(id))
  const keyAt = (index: number) => keys[index % keys.length] as string
  const load = () => Promise.reject(new Error('a warm hit loads nothing'))
  const tagged = { tags: ['users'] }
  const open = async (prefix: string, isolate: 'freeze' | 'share' | 'clone') => {
    const cache = createCache({ redis: redis.url, prefix, isolate, ttl: '1h' })
    for (let times = 0; times < 2; times++) {
      await Promise.all(keys.map((key, id) => cache.getOrSet(key, async () => OBJECT_1K.valueOf(id), tagged)))
    }
    return cache
  }
  await using frozen = await open('frozen:', 'freeze')
  await using shared = await open('shared:', 'share')
  await using cloned = await open('cloned:', 'clone')
  const entries = new LRUCache<string, object>({ max: LOCAL_ENTRIES })
  for (const [id, key] of keys.entries()) entries.set(key, OBJECT_1K.valueOf(id) as object)
  const bare = (index: number) => Promise.resolve(entries.get(keyAt(index)))
  const deadlineMs = performance.now() + 3_600_000
  const own = (contender: string, run: Task['run']): Task => ({ contender, kind: 'ours', run })
  const step = (contender: string, run: Task['run']): Task => ({ contender, kind: 'limit', run })
  const tasks = [
    step(bareLru.name, bare),
    step(`${bareLru.name} + is the key a key?`, (index) =>
      keyAt(index).isWellFormed() ? bare(index) : Promise.reject(new Error('no key')),
    ),
    step(`${bareLru.name} + is it fresh?`, (index) =>
      performance.now() < deadlineMs ? bare(index) : Promise.reject(new Error('stale')),
    ),
    own('getOrSet', (index) => frozen.getOrSet(keyAt(index), load)),
    own('getOrSet with tags', (index) => frozen.getOrSet(keyAt(index), load, tagged)),
    own("getOrSet, isolate: 'share'", (index) => shared.getOrSet(keyAt(index), load)),
    own("getOrSet, isolate: 'clone'", (index) => cloned.getOrSet(keyAt(index), load)),
    own('get', (index) => frozen.get(keyAt(index))),
    own('peek, awaited', (index) => Promise.resolve(frozen.peek(keyAt(index)))),
  ]
  return {
    id: 'local-hit/variants',
    title,
    figure: 'perSecond',
    baseline: bareLru.name,
    rows: await throughput(tasks, { redis, rounds, turnMs, inFlight: 1, isLocal: true }),
  }
}

async function measureSync({ redis, rounds, turnMs, progress }: Run): Promise<Section> {
  const title = 'local hit without a promise'
  progress(title)
  const keys = Array.from({ length: KEYS }, (_, id) => keyOf(id))
  await using cache = createCache({ redis: redis.url, prefix: 'peek:', ttl: '1h' })
  const entries = new LRUCache<string, object>({ max: LOCAL_ENTRIES })
  for (const [id, key] of keys.entries()) {
    entries.set(key, OBJECT_1K.valueOf(id) as object)
  }
  for (let times = 0; times < 2; times++) {
    await Promise.all(keys.map((key, id) => cache.getOrSet(key, () => OBJECT_1K.valueOf(id))))
  }
  const tasks: readonly Task[] = [
    {
      contender: bareLru.name,
      kind: 'limit',
      run: (index) => entries.get(keys[index % KEYS] as string),
    },
    {
      contender: ours.name,
      kind: 'ours',
      run: (index) => cache.peek(keys[index % KEYS] as string),
    },
  ]
  return {
    id: 'local-hit/sync',
    title: `${title}: get of lru-cache, peek of ours`,
    figure: 'perSecond',
    baseline: bareLru.name,
    rows: await throughput(tasks, { redis, rounds, turnMs, inFlight: 1, isSync: true, isLocal: true }),
  }
}
