// One process's part in a race: a cache, a plain cache-aside beside it, and the source that both are filled from,
// which is a second Redis. Used by child processes and by the test's own process alike; participant.ts tells the types.
import { setTimeout as pause } from 'node:timers/promises'

const LONG = '10m'
/** So that a busy machine is not taken for an outage. */
const PATIENCE = { commandTimeout: '20s', connectTimeout: '30s' }

/** @param library `createCache` of the library, and `createClient` of `@redis/client` */
export async function createParticipant({ createCache, createClient }, { redis, source, cache: options }) {
  const cache = createCache({ redis, errors: 'throw', ...PATIENCE, ttl: LONG, ...options })
  // It keeps no values, but knows generations.
  const bare = createCache({ redis, errors: 'throw', ...PATIENCE, ttl: LONG, ...options, local: false })
  const origin = await connected(createClient, source)
  const isForeign = source !== undefined && typeof redis === 'string'
  const foreign = await connected(createClient, isForeign ? redis : undefined)
  const counts = { loads: 0, defeated: 0, filled: 0, storedOld: 0, failures: [] }
  const loading = new Map()
  let isDisturbing = false
  cache.on('lease-lost', () => counts.defeated++)
  for (const one of [cache, bare]) one.on('error', ({ error }) => counts.failures.push(error.message))
  await Promise.all([cache.initialize(), bare.initialize()])

  const spaceOf = ({ namespace }, root = cache) =>
    namespace === undefined ? root : root.namespace(namespace)
  const sourceOf = async (key) => Number(await origin.get(`source:${key}`))

  /** Reads the source, dawdles, and answers what it read: the older the value, the later. */
  const loaderOf = (race) => (context) =>
    tracked(race, async () => {
      await dawdle(race.beforeMs)
      const version = await sourceOf(race.key)
      if (race.announce !== undefined) await origin.publish(race.announce, String(version))
      await dawdle(race.loaderMs)
      // The event loop itself stands still.
      if (race.blockMs) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, race.blockMs)
      if (race.fails) throw new Error(race.fails)
      if (race.lateTags !== undefined) context.addTags(race.lateTags)
      return version
    })

  /** Counts a load, which `settle` waits for. */
  const tracked = async (race, work) => {
    counts.loads++
    const loads = loading.get(race.key) ?? new Set()
    loading.set(race.key, loads)
    const load = work()
    const settled = load.catch(() => {})
    loads.add(settled)
    try {
      return await load
    } finally {
      loads.delete(settled)
      if (loads.size === 0) loading.delete(race.key)
    }
  }

  /** Reads the part that the value is made of, dawdles, and answers what it read. */
  const makerOf = (race, root) => () =>
    tracked(race, async () => {
      const version = await partOf(race, root)
      await dawdle(race.loaderMs)
      return version
    })

  /** The part has the tags, and lies in a namespace of its own. */
  const partOf = (race, root) => {
    const load = async () => {
      const version = await sourceOf(race.key)
      await dawdle(Math.random() * race.loaderMs)
      return version
    }
    return partsOf(race, root).getOrSet('part', load, race.options)
  }
  const partsOf = ({ key }, root = cache) => root.namespace(`parts-of-${key}`)

  const getOrSet = (race, root) =>
    race.hasPart
      ? spaceOf(race, root).getOrSet(race.key, makerOf(race, root), { inherit: true })
      : spaceOf(race, root).getOrSet(race.key, loaderOf(race), race.options)

  /** Reserves the key, and fills the slot as a loader would. What the fill answers must be true. */
  const reserve = async (race) => {
    const options = { tags: race.options?.tags, wait: race.slots === 'waiting' }
    const slot = await spaceOf(race).reserve(race.key, options)
    if (slot.isHit) return slot.value
    return tracked(race, async () => {
      const version = await sourceOf(race.key)
      await dawdle(race.loaderMs)
      const acknowledged = Number(await origin.get(`acknowledged:${race.key}`))
      if (!(await slot.fill(version, { tags: race.lateTags }))) counts.defeated++
      else if (version >= acknowledged) counts.filled++
      else counts.failures.push(`v${version} of ${race.key} was filled in after v${acknowledged}`)
      return version
    })
  }

  /** What everybody writes who has not read of leases. */
  const plainLoad = async ({ key, loaderMs }) => {
    if ((await foreign.get(`plain:${key}`)) !== null) return
    const version = await sourceOf(key)
    await dawdle(loaderMs)
    await foreign.set(`plain:${key}`, version)
  }

  const changes = {
    delete: ({ key }, space) => space.delete(key),
    deleteMany: ({ key }, space) => space.deleteMany([key, `${key}:none`]),
    set: ({ key, options: entry, version }, space) => space.set(key, version, entry),
    'set for long': ({ key, options: entry, version }, space) =>
      space.set(key, version, { ...entry, ttl: LONG }),
    'plain.set': ({ key, version }, space) => space.plain.set(key, version, LONG),
    invalidateTags: ({ changedTags }, space) => space.invalidateTags(changedTags),
    expire: ({ key }, space) => space.expire(key),
    expireTags: ({ changedTags }, space) => space.expireTags(changedTags),
    'invalidateTags of the part': (race) => partsOf(race).invalidateTags(race.changedTags),
    'clear of the parts': (race) => partsOf(race).clear(),
    'delete, perhaps with the part': (race, space) =>
      Promise.all([space.delete(race.key), Math.random() < 0.5 && partsOf(race).delete('part')]),
    invalidatePattern: ({ pattern }, space) => space.invalidatePattern(pattern),
    'hold nothing': (race, space) => space.change({ keys: [race.key] }, transaction(race)),
    'hold its key': ({ hold = '20s', ...race }, space) =>
      space.change({ keys: [race.key], hold }, transaction(race)),
    'hold its tag': ({ hold = '20s', ...race }, space) =>
      space.change({ tags: race.changedTags, hold }, transaction(race)),
    'hold and never end': ({ changedTags: tags, hold, key, version }, space) =>
      space.change({ keys: [key], tags, hold }, async () => {
        await origin.set(`source:${key}`, version)
        await new Promise(() => {})
      }),
    clear: (_race, space) => space.clear(),
    'clear of the whole cache': () => cache.clear(),
    'foreign DEL': ({ storedKey }) => foreign.del(storedKey),
    'foreign SET': ({ storedKey, version }) => foreign.set(storedKey, JSON.stringify(version)),
  }

  /** A transaction that takes its time on both sides of its commit. From then on, nothing older should be stored. */
  const transaction = (race) => async () => {
    await dawdle(Math.random() * race.commitMs)
    await origin.set(`source:${race.key}`, race.version)
    await dawdle(Math.random() * race.commitMs)
    const stored = await spaceOf(race, bare).get(race.key, { local: false })
    if (stored < race.version) counts.storedOld++
  }

  return {
    /** A caller who comes some time later. */
    async load(race) {
      await dawdle(race.afterMs)
      const isReserved = race.slots !== undefined && Math.random() < 0.7
      const reading = isReserved ? reserve(race) : getOrSet(race)
      const [value] = await Promise.all([reading, race.withPlain ? plainLoad(race) : undefined])
      return value
    },

    /** The source changes, then the cache is told; once that is acknowledged, this process asks. */
    async change(race) {
      await dawdle(race.afterMs)
      if (race.commitMs === undefined) await origin.set(`source:${race.key}`, race.version)
      await Promise.all([
        changes[race.how](race, spaceOf(race)),
        race.withPlain ? foreign.del(`plain:${race.key}`) : undefined,
      ])
      if (race.slots !== undefined) await origin.set(`acknowledged:${race.key}`, race.version)
      return race.asks ? getOrSet(race) : undefined
    },

    /** Asks past the local tier, which also brings every push of before; then the local tier, too. */
    async look(race) {
      const past = await spaceOf(race).get(race.key, { local: false })
      // Elsewhere, no reply tells that the news of a change has arrived.
      return race.mayLag ? [past] : [past, await getOrSet(race)]
    },

    /** Once no loader of this key is left and its fill has been answered: what lies here, and in Redis. */
    async settle(race) {
      while (loading.has(race.key)) await Promise.all(loading.get(race.key))
      await pause(1)
      const past = await spaceOf(race).get(race.key, { local: false })
      // The first read keeps nothing here, and the second one would serve an older copy if there were one.
      return race.mayLag ? [past] : [past, await getOrSet(race), spaceOf(race).peek(race.key)]
    },

    /** What a process is served that has never held the key. */
    async askRedis(race) {
      const value = await getOrSet(race, bare)
      // It knows generations, and the news that one was replaced may come later than this question.
      return race.mayLag ? spaceOf(race, bare).get(race.key, { local: false }) : value
    },

    async plainValue({ key }) {
      const value = await foreign.get(`plain:${key}`)
      return value === null ? undefined : Number(value)
    },

    /** Many callers at once, at a moment of the clock. */
    async stampede({ atMs, callers, key, loaderMs, fails, value }) {
      await pause(atMs - Date.now())
      let loads = 0
      const load = async () => {
        loads++
        await dawdle(loaderMs)
        if (fails) throw new Error(fails)
        return value
      }
      const beganMs = performance.now()
      const outcomes = await Promise.allSettled(
        Array.from({ length: callers }, () => cache.getOrSet(key, load, { tags: ['herd'] })),
      )
      return {
        loads,
        tookMs: performance.now() - beganMs,
        values: [...new Set(outcomes.map(({ value: one, reason }) => one ?? reason))].map(String),
      }
    },

    /**
     * Asks for keys, whose source is down, over and over until a moment of the clock, and once more after a pause. Tells
     * when each was tried.
     */
    async endure({ keys, pauseMs, untilMs }) {
      const tries = []
      const answers = new Map()
      const tell = (answer) => answers.set(answer, (answers.get(answer) ?? 0) + 1)
      const askForAll = async () => {
        const asked = keys.map((key) =>
          cache.getOrSet(key, async () => {
            tries.push([key, Date.now()])
            await dawdle(1)
            throw new Error('The source is down')
          }),
        )
        for (const { reason, value } of await Promise.allSettled(asked))
          tell(reason?.code ?? reason?.message ?? value)
      }
      while (Date.now() < untilMs) {
        await askForAll()
        await dawdle(5)
      }
      await pause(pauseMs)
      await askForAll()
      return { answers, tries }
    },

    /** Reads and invalidates at random, until told to rest. */
    async disturb({ keys, tags, options: entry }) {
      isDisturbing = true
      while (isDisturbing) {
        const key = pick(keys)
        await Promise.all([
          getOrSet({ key, loaderMs: Math.random() * 3, options: entry }),
          getOrSet({ key: pick(keys), loaderMs: 0, options: entry }),
          cache.get(pick(keys)),
          Math.random() < 0.2 ? cache.invalidateTags([pick(tags)]) : undefined,
        ])
        await dawdle(2 + Math.random() * 6)
      }
    },

    rest() {
      isDisturbing = false
    },

    counts: () => counts,

    async end() {
      isDisturbing = false
      await Promise.all([cache.shutdown(), bare.shutdown()])
      for (const client of [origin, foreign]) client?.destroy()
    },
  }
}

function pick(choices) {
  return choices[Math.floor(Math.random() * choices.length)]
}

/** Less than half a millisecond is the next turn of the event loop, nothing is no time at all. */
async function dawdle(ms = 0) {
  if (ms >= 0.5) await pause(ms)
  else if (ms > 0) await new Promise(setImmediate)
}

async function connected(createClient, url) {
  if (url === undefined) return undefined
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  return client
}
