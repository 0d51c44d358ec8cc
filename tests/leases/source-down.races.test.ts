import { expect, test } from 'vitest'
import { useBuild } from '../support/build.ts'
import { startChildren } from '../support/participant.ts'
import { useScene } from '../support/scene.ts'
import { trials } from '../support/trials.ts'

const PROCESSES = 4
const KEYS = Array.from({ length: 1_000 }, (_, index) => `key:${index}`)
/** Keys of which there is no stale value. */
const COLD = Array.from({ length: 100 }, (_, index) => `cold:${index}`)
const DOWN_MS = trials(3_000, 6_000, 10_000)
const PAUSE_MS = 1_000

useBuild('package')
const scene = useScene()

test('a source that is down sees one try for a key and interval at most, from a whole fleet', async () => {
  const policies = { staleIfError: '10m', retryAfterError: '1s', errorTtl: '1s' } as const
  const cache = { prefix: 'down:', ttl: '5m', commandTimeout: '10s', ...policies } as const
  const seeding = await scene.open(cache)
  await seeding.setMany(KEYS.map((key) => [key, 'stale', '1ms'] as const))
  const children = await startChildren(PROCESSES, { redis: scene.redis.url, cache })
  try {
    const untilMs = Date.now() + DOWN_MS
    const outcomes = await Promise.all(
      children.map((child) => child.endure({ keys: [...KEYS, ...COLD], untilMs, pauseMs: PAUSE_MS * 1.5 })),
    )
    const triesOf = new Map<string, number[]>()
    for (const [key, atMs] of outcomes.flatMap(({ tries }) => tries)) {
      triesOf.set(key, [...(triesOf.get(key) ?? []), atMs])
    }
    expect(triesOf.size).toBe(KEYS.length + COLD.length)
    for (const [key, tries] of triesOf) {
      const times = tries.sort((one, other) => one - other)
      const gaps = times.slice(1).map((atMs, index) => atMs - (times[index] as number))
      // Both clocks count whole milliseconds.
      expect(Math.min(PAUSE_MS, ...gaps), `${key} was tried at ${times}`).toBeGreaterThanOrEqual(PAUSE_MS - 2)
      expect(times.length, key).toBeGreaterThan(1)
    }
    const answers = new Set(outcomes.flatMap((outcome) => [...outcome.answers.keys()]))
    expect(answers).toEqual(new Set(['stale', 'The source is down', 'CACHE_SOURCE_FAILED']))
  } finally {
    await Promise.all(children.map((child) => child.end()))
  }
}, 120_000)
