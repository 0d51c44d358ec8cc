import { setTimeout as pause } from 'node:timers/promises'
import { byHandAsItComes, tunedByHand } from '../contenders/by-hand.ts'
import type { Contender } from '../contenders/contender.ts'
import { backendMsgpack, cache, cacheMsgpack } from '../contenders/ours.ts'
import { interleave, type Turn } from '../measure/rounds.ts'
import type { Measured, Section } from '../measure/section.ts'
import { median } from '../measure/statistics.ts'
import { Fleet } from '../workers/fleet.ts'
import { type Player, withField } from './field.ts'
import { addForeign, multiply } from './multiply.ts'
import { keyOf, OBJECT_100B } from './payloads.ts'
import type { Run, Scenario } from './scenario.ts'

const SIZES = [1_000, 10_000, 100_000, 1_000_000]
const TARGET_SIZE = 100_000
const TAG = 'all'
/** What a removal leaves to the background shows up in pings within this time. */
const LOOK_MS = 100
/** Invalidations of a tag that nobody bears: they leave no code cold for the one that counts. */
const WARM_UPS = 20
const REPEATS = 20
/** A million entries take their time, and vary the less for it. */
const roundsOf = (size: number, rounds: number) => (size >= 1_000_000 ? 1 : rounds)

/** They remove as others do that are measured. */
const TWINS: readonly Contender[] = [byHandAsItComes, backendMsgpack, cacheMsgpack]

/** What is removed at once. */
interface Removal {
  readonly name: string
  readonly title: string
  readonly tags: readonly string[]
  /** Whether once more is the same work, so that several tell more than one. */
  isRepeatable(contender: Contender): boolean
  /** Whether as many keys of somebody else lie beside them. */
  readonly hasForeign: boolean
  readonly baseline: string
  remove(player: Player): (() => Promise<unknown>) | undefined
  warmUp(player: Player): Promise<unknown>
}

/** Removal of everything that a contender has, among as many foreign keys, while a second client pings. */
export const clear: Scenario = {
  name: 'clear',
  about: 'removal of 1,000 to 1,000,000 own among as many foreign keys, and what a second client feels of it',
  measure: (run) =>
    measureRemoval(run, {
      name: 'clear',
      title: 'own entries cleared among as many foreign ones',
      tags: [],
      hasForeign: true,
      baseline: tunedByHand.name,
      remove: ({ store }) => store.clear?.bind(store),
      isRepeatable: () => false,
      warmUp: async () => {},
    }),
}

/** Invalidation of a tag that every entry bears, while a second client pings. */
export const tagInvalidation: Scenario = {
  name: 'tag-invalidation',
  about: 'invalidation of 1,000 to 1,000,000 entries by a tag, and what a second client feels of it',
  measure: (run) =>
    measureRemoval(run, {
      name: 'tag-invalidation',
      title: 'entries invalidated by their tag',
      tags: [TAG],
      hasForeign: false,
      baseline: cache.name,
      remove: ({ store: { invalidateTag } }) => invalidateTag && (() => invalidateTag(TAG)),
      isRepeatable: ({ keepsInvalidated = false }) => keepsInvalidated,
      warmUp: async ({ store }) => {
        for (let times = 0; times < WARM_UPS; times++) await store.invalidateTag?.('nobody')
      },
    }),
}

async function measureRemoval(run: Run, removal: Removal): Promise<readonly Section[]> {
  const { contenders, isQuick, progress, redis, rounds } = run
  await redis.ask('FLUSHALL')
  const pinger = await Fleet.start([{ kind: 'ping', url: redis.url }])
  const { name, tags } = removal
  try {
    return await withField(
      contenders.filter((contender) => !TWINS.includes(contender)),
      { url: redis.url, payload: OBJECT_100B, tier: 'shared', tags },
      async (players) => {
        const sections: Section[] = []
        for (const size of isQuick ? [TARGET_SIZE] : SIZES) {
          const title = `${size.toLocaleString('en-US')} ${removal.title}`
          progress(title)
          const turns = players.flatMap((player): Turn[] => {
            const remove = removal.remove(player)
            if (remove === undefined) return []
            const { name: contender, kind } = player.contender
            return [{ contender, kind, take: () => takeTurn(redis, player, remove, size, removal, pinger) }]
          })
          if (size === SIZES[0] || isQuick) await interleave(turns, 1) // warms up
          sections.push({
            id: `${name}/${size}`,
            title,
            figure: 'ms',
            baseline: removal.baseline,
            rows: await interleave(turns, roundsOf(size, rounds)),
            series: { name, unit: 'entries', size },
          })
        }
        return sections
      },
    )
  } finally {
    await pinger.end()
  }
}

async function takeTurn(
  redis: Run['redis'],
  player: Player,
  remove: () => Promise<unknown>,
  size: number,
  removal: Removal,
  pinger: Fleet,
): Promise<Measured> {
  const { contender, store } = player
  await redis.ask('FLUSHALL')
  // Twice: the first write of a kind may leave behind more than its entry.
  for (let times = 0; times < 2; times++) {
    await (store.set === undefined ? store.get(keyOf(0)) : store.set(keyOf(0), OBJECT_100B.valueOf(0)))
  }
  await multiply(redis, size)
  if (removal.hasForeign) await addForeign(redis, size)
  await removal.warmUp(player)
  await redis.ask('SLOWLOG', 'RESET')
  globalThis.gc?.()
  const pings = pinger.turn(0)
  await pause(LOOK_MS)
  const tookMs: number[] = []
  for (let times = removal.isRepeatable(contender) ? REPEATS : 1; times > 0; times--) {
    const startMs = performance.now()
    await remove()
    tookMs.push(performance.now() - startMs)
  }
  await store.idle?.()
  await pause(LOOK_MS)
  pinger.finish()
  const [ping] = await pings
  const slowCommands = Number(await redis.ask('SLOWLOG', 'LEN'))
  await mustBeGone(player, removal.name)
  if (removal.hasForeign && (await redis.ask('EXISTS', 'foreign:0')) !== 1) {
    throw new Error(`${contender.name} has removed what is not its own`)
  }
  return { ms: median(tookMs), pingP99Ms: ping?.p99Ms ?? Number.NaN, slowCommands }
}

/** @throws Error where the first entry is still served */
async function mustBeGone({ contender, loads, store }: Player, removal: string): Promise<void> {
  const before = loads()
  const found = await store.get(keyOf(0))
  if (found != null && loads() === before)
    throw new Error(`${contender.name} still serves an entry after ${removal}`)
}
