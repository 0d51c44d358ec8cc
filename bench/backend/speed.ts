import { createClient } from '@redis/client'
import { RedisCacheBackend } from 'cachewright/redis'
import { type Contender, compare } from '../rounds.ts'
import { formatCount, formatRatio, formatTable } from '../table.ts'

/** A floor under the ratio of a contender to another, within one run. */
interface Target {
  readonly contender: string
  readonly against: string
  readonly atLeast: number
}

interface Scenario {
  readonly title: string
  readonly inFlight: number
  readonly operations: number
  readonly contenders: readonly Contender[]
  readonly targets: readonly Target[]
}

const KEYS = 2_000
const OURS = 'cachewright'
const TUNED = '@redis/client by hand, timeout off'
const AS_IT_COMES = '@redis/client by hand, as it comes'

/** A nested object of about 1 KB, of the kind that services cache. */
function sampleObject(id: number): object {
  return {
    id,
    name: 'Ada Lovelace',
    email: 'ada@example.org',
    active: true,
    roles: ['admin', 'editor'],
    address: {
      street: "12 St James's Square",
      city: 'London',
      zip: 'SW1Y 4JH',
      geo: { lat: 51.507, lon: -0.134 },
    },
    visits: Array.from({ length: 8 }, (_, visit) => ({
      at: 1_700_000_000 + visit,
      action: 'login',
      from: `10.0.0.${visit}`,
      ok: true,
    })),
    biography: 'Wrote the first program for a machine that was never built. '.repeat(5),
  }
}

/**
 * The backend against what a good engineer writes by hand on the same client, with identical keys, bytes and TTLs.
 * @returns whether every target was met
 */
export async function benchSpeed(url: string, rounds: number): Promise<boolean> {
  const tuned = await createClient({ url, commandOptions: { timeout: 0 } }).connect()
  const asItComes = await createClient({ url }).connect()
  await using backend = new RedisCacheBackend({ url, prefix: 'bench:' })
  await backend.initialize()

  const keys = Array.from({ length: KEYS }, (_, index) => `object:${index}`)
  const stringKeys = Array.from({ length: KEYS }, (_, index) => `string:${index}`)
  const text = 'y'.repeat(1_024)
  await backend.setMany(keys.map((key, index) => [key, sampleObject(index)] as const))
  await backend.setMany(stringKeys.map((key) => [key, text] as const))
  for (const key of stringKeys) await tuned.set(`plain:${key}`, text, { PX: 3_600_000 })
  const at = (list: readonly string[], index: number) => list[index % KEYS] as string

  const getObject: readonly Contender[] = [
    {
      name: TUNED,
      run: async (index) => JSON.parse((await tuned.get(`bench:${at(keys, index)}`)) as string),
    },
    {
      name: AS_IT_COMES,
      run: async (index) => JSON.parse((await asItComes.get(`bench:${at(keys, index)}`)) as string),
    },
    { name: OURS, run: (index) => backend.get(at(keys, index)) },
  ]
  const getString: readonly Contender[] = [
    { name: TUNED, run: (index) => tuned.get(`plain:${at(stringKeys, index)}`) },
    { name: AS_IT_COMES, run: (index) => asItComes.get(`plain:${at(stringKeys, index)}`) },
    { name: OURS, run: (index) => backend.get(at(stringKeys, index)) },
  ]
  const objects = keys.map((_, index) => sampleObject(index))
  const setObject: readonly Contender[] = [
    {
      name: TUNED,
      run: (index) =>
        tuned.set(`bench:${at(keys, index)}`, JSON.stringify(objects[index % KEYS]), { PX: 3_600_000 }),
    },
    { name: OURS, run: (index) => backend.set(at(keys, index), objects[index % KEYS], '1h') },
  ]
  const hundreds = Array.from({ length: KEYS / 100 }, (_, index) =>
    keys.slice(index * 100, index * 100 + 100),
  )
  const getHundred: readonly Contender[] = [
    {
      name: TUNED,
      run: async (index) => {
        const asked = hundreds[index % hundreds.length] as string[]
        const found = await tuned.mGet(asked.map((key) => `bench:${key}`))
        return new Map(asked.map((key, position) => [key, JSON.parse(found[position] as string)]))
      },
    },
    { name: OURS, run: (index) => backend.getMany(hundreds[index % hundreds.length] as string[]) },
  ]

  const scenarios: readonly Scenario[] = [
    ...[1, 16, 128, 1_000].map((inFlight) => ({
      title: 'get, 1 KB object as JSON',
      inFlight,
      operations: inFlight === 1 ? 4_000 : 40_000,
      contenders: getObject,
      targets: targets({ 1: [0.9], 128: [1.05, 2], 1000: [1.2, 2] }, inFlight),
    })),
    ...[1, 16, 128, 1_000].map((inFlight) => ({
      title: 'get, 1 KB string',
      inFlight,
      operations: inFlight === 1 ? 4_000 : 40_000,
      contenders: getString,
      targets: targets({ 1: [0.9], 128: [1], 1000: [1.7] }, inFlight),
    })),
    {
      title: 'set, 1 KB object as JSON',
      inFlight: 128,
      operations: 30_000,
      contenders: setObject,
      targets: [{ contender: OURS, against: TUNED, atLeast: 0.9 }],
    },
    {
      title: 'getMany of 100 objects',
      inFlight: 4,
      operations: 600,
      contenders: getHundred,
      targets: [{ contender: OURS, against: TUNED, atLeast: 0.9 }],
    },
  ]

  let allMet = true
  const rows: string[][] = []
  for (const { contenders, inFlight, operations, targets, title } of scenarios) {
    const results = await compare(contenders, { inFlight, operations, rounds })
    for (const { highest, lowest, name, perSecond, ratio } of results) {
      const verdicts = targets
        .filter(({ contender }) => contender === name)
        .map(({ against, atLeast }) => {
          const reached = ratio / (results.find((result) => result.name === against)?.ratio ?? Number.NaN)
          const met = reached >= atLeast
          allMet &&= met
          return `${formatRatio(reached)} of ${against === TUNED ? 'tuned' : 'as it comes'} (${met ? 'at least' : 'MISSED'} ${atLeast}x)`
        })
      rows.push([
        name === results[0]?.name ? `${title}, ${inFlight} in flight` : '',
        name,
        formatCount(perSecond),
        formatRatio(ratio),
        `${lowest.toFixed(2)}–${highest.toFixed(2)}`,
        verdicts.join('; '),
      ])
    }
  }
  console.log(formatTable(['scenario', 'contender', 'a second', 'ratio', 'spread', 'target'], rows))
  await tuned.close()
  await asItComes.close()
  return allMet
}

/** For each number in flight: the floor against the tuned client and, where there is a second, as it comes. */
function targets(floors: Readonly<Record<number, readonly number[]>>, inFlight: number): readonly Target[] {
  return (floors[inFlight] ?? []).map((atLeast, index) => ({
    contender: OURS,
    against: index === 0 ? TUNED : AS_IT_COMES,
    atLeast,
  }))
}
