import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Cache, Duration, ExplainedStep, ExplainOptions, Namespace } from 'cachewright'
import fc from 'fast-check'
import { it } from 'vitest'
import { PREFIX, SimulatedProcess } from '../simulation/simulated-process.ts'
import { SimulatedRedis } from '../simulation/simulated-redis.ts'
import { VirtualTime } from '../simulation/virtual-time.ts'
import { trials } from '../support/trials.ts'
import { callAsExplained, PROBED } from './predictions.ts'

const STEP_MS = 50
/** After this many turns of the event loop without a message, none are under way. */
const QUIET_TURNS = 4
const NAMESPACE = 'orders'
const KEY = `${NAMESPACE}:1`

/** Two processes over one simulated Redis, whose network carries everything at once. */
class Stage {
  readonly time = new VirtualTime()
  readonly redis = new SimulatedRedis(this.time, [], () => {})
  readonly processes: readonly [SimulatedProcess, SimulatedProcess]
  readonly #releases: (() => void)[] = []

  constructor(keepsLocally: boolean) {
    const local = keepsLocally ? {} : (false as const)
    const options = { ttl: '2s', lease: { ttl: '4s' }, local } as const
    this.processes = [
      new SimulatedProcess(0, this.redis, this.time, options),
      new SimulatedProcess(1, this.redis, this.time, options),
    ]
  }

  get cache(): Cache {
    return this.processes[0].cache
  }

  load(place: Place, options: ExplainOptions): void {
    this.at(place)
      .getOrSet(keyAt(place), () => 'loaded', options)
      .catch(() => {})
  }

  /** Loads the key by a loader that fails. */
  fail(place: Place, options: ExplainOptions): void {
    this.at(place)
      .getOrSet(keyAt(place), () => Promise.reject(new Error('The source failed')), options)
      .catch(() => {})
  }

  hold(place: Place, options: ExplainOptions): void {
    this.at(place)
      .getOrSet(keyAt(place), () => this.#held(), options)
      .catch(() => {})
  }

  /** Refreshes the key. */
  refresh(place: Place, options: ExplainOptions): void {
    this.at(place)
      .refresh(keyAt(place), () => this.#held(), options)
      .catch(() => {})
  }

  /** A change that holds the key, or the tags. */
  change(place: Place, { tags = [] }: ExplainOptions, hold: Duration): void {
    const keys = tags.length === 0 ? [keyAt(place)] : []
    this.at(place)
      .change({ keys, tags, hold }, () => this.#held())
      .catch(() => {})
  }

  at(place: Place): Namespace {
    const cache = this.processes[place === 'elsewhere' ? 1 : 0].cache
    return place === 'namespace' ? cache.namespace(NAMESPACE) : cache
  }

  #held(): Promise<string> {
    return new Promise((resolve) => this.#releases.push(() => resolve('held')))
  }

  release(): void {
    for (const release of this.#releases.splice(0)) release()
  }

  lose(): void {
    this.redis.isAway = true
    for (const { tier } of this.processes) tier.lose()
  }

  /** Lets this much time pass, with everything that it brings. */
  async pass(durationMs: number): Promise<void> {
    for (let left = durationMs; left > 0; left -= STEP_MS) {
      this.time.pass(Math.min(left, STEP_MS))
      while (this.time.isDue) this.time.fireNext()
      await this.carry()
    }
  }

  /** Carries whatever is under way, until nothing is. */
  async carry(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      await nextTurn()
      for (const { tier } of this.processes) {
        if (tier.isConnecting || (tier.isLost && !this.redis.isAway)) tier.handshake()
        while (tier.link !== undefined && tier.link.requests.length > 0) {
          this.redis.execute(tier.link)
          quiet = 0
        }
        if ((tier.link?.inbound.length ?? 0) > 0) {
          tier.deliver(Number.POSITIVE_INFINITY)
          quiet = 0
        }
      }
    }
  }

  async end(): Promise<void> {
    this.release()
    await this.carry()
    for (const process of this.processes) process.crash(this.redis)
  }
}

/** The actor: this cache, a namespace of it with another name for the same key, or another process. */
type Place = 'here' | 'namespace' | 'elsewhere'

function keyAt(place: Place): string {
  return place === 'namespace' ? '1' : KEY
}

const anyPlace = fc.constantFrom<Place>('here', 'here', 'namespace', 'elsewhere')
const anyOptions: fc.Arbitrary<ExplainOptions> = fc.record({
  tags: fc.constantFrom([], [], ['a'], ['a', 'b']),
  ttl: fc.constantFrom(1, 1, 3, Number.POSITIVE_INFINITY),
  staleWhileRevalidate: fc.constantFrom(false as const, 30),
  staleIfError: fc.constantFrom(false as const, 5),
  retryAfterError: fc.constantFrom(false as const, 3),
  errorTtl: fc.constantFrom(false as const, 3),
})

/** What may happen to a key before it is asked about. */
type Act = readonly [name: string, happen: (stage: Stage) => unknown]

const placed = (name: string, happen: (stage: Stage, place: Place, options: ExplainOptions) => unknown) =>
  fc
    .tuple(anyPlace, anyOptions)
    .map(
      ([place, options]): Act => [
        `${name} ${place} ${JSON.stringify(options)}`,
        (s) => happen(s, place, options),
      ],
    )
const always = (name: string, happen: (stage: Stage) => unknown) => fc.constant<Act>([name, happen])

const anyAct: fc.Arbitrary<Act> = fc.oneof(
  { weight: 5, arbitrary: placed('load', (s, place, options) => s.load(place, options)) },
  { weight: 3, arbitrary: placed('hold', (s, place, options) => s.hold(place, options)) },
  {
    weight: 4,
    arbitrary: fc.integer({ min: 1, max: 25 }).map((n): Act => [`pass ${n}`, (s) => s.pass(n * 200 - 37)]),
  },
  { weight: 3, arbitrary: placed('fail', (s, place, options) => s.fail(place, options)) },
  placed('refresh', (s, place, options) => s.refresh(place, options)),
  { weight: 2, arbitrary: placed('change for long', (s, place, options) => s.change(place, options, '40s')) },
  placed('change briefly', (s, place, options) => s.change(place, options, '1s')),
  always('release', (s) => s.release()),
  placed('set', (s, place, options) => s.at(place).set(keyAt(place), 'set', options)),
  placed('grow stale', async (s, place, { tags }) => {
    s.load(place, { ttl: 1, staleWhileRevalidate: 30, tags })
    await s.carry()
    await s.pass(1_350)
  }),
  placed('delete', (s, place) => s.at(place).delete(keyAt(place))),
  placed('invalidate', (s, place, { tags = [] }) => s.at(place).invalidateTags(tags)),
  placed('clear', (s, place) => s.at(place).clear()),
  always('plain', (s) => s.redis.write(PREFIX + KEY, Buffer.from('"plain"'), 3_000)),
  always('corrupt', (s) => s.redis.write(PREFIX + KEY, Buffer.from('\u0001corrupt'), 3_000)),
  always('evict a tag', (s) => s.redis.foreignRemove(`${PREFIX}\u0000tag:a`)),
  always('evict the namespace', (s) => s.redis.foreignRemove(`${PREFIX}\u0000namespace`)),
  always('flush', (s) => s.redis.flush(s.processes.flatMap(({ tier }) => tier.link ?? []))),
  always('lose', (s) => s.lose()),
  {
    weight: 2,
    arbitrary: always('return', (s) => {
      s.redis.isAway = false
    }),
  },
)

it('getOrSet does what explain predicts after any history of the key', {
  timeout: 300_000,
}, async () => {
  const met = new Map<ExplainedStep, number>()
  const runs = trials(300, 1_000, 10_000)
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(anyAct, { maxLength: 10, size: 'max' }),
      anyOptions,
      async (keepsLocally, acts, asked) => {
        const stage = new Stage(keepsLocally)
        try {
          for (const [, happen] of acts) {
            const happening = happen(stage)
            if (happening instanceof Promise) happening.catch(() => {})
            await stage.carry()
            if (happening instanceof Promise) await happening.catch(() => {})
          }
          await explainAndCheck(stage, asked, met)
        } finally {
          await stage.end()
        }
      },
    ),
    { numRuns: runs },
  )
  for (const step of STEPS)
    assert.ok((met.get(step) ?? 0) >= runs / 500, `${step} was met ${met.get(step)} times`)
})

const STEPS: readonly ExplainedStep[] = [
  'serve-local',
  'serve-shared',
  'serve-stale',
  'join',
  'wait',
  'load',
  'load-uncached',
  'reject',
]

async function explainAndCheck(
  stage: Stage,
  asked: ExplainOptions,
  met: Map<ExplainedStep, number>,
): Promise<void> {
  const explaining = stage.cache.explain(KEY, asked)
  await stage.carry()
  const explanation = await explaining
  const observation = await callAsExplained(
    explanation,
    { cache: stage.cache, space: stage.cache },
    KEY,
    asked,
    () => stage.carry(),
  )
  const { step } = explanation.next
  met.set(step, (met.get(step) ?? 0) + 1)
  assert.deepEqual(JSON.parse(JSON.stringify(explanation)), { ...explanation })
  if (observation.did === 'load') {
    const isStored = stage.redis.peek(PREFIX + KEY)?.includes(PROBED) ?? false
    assert.equal(isStored, step === 'load', String(explanation))
  }
}
