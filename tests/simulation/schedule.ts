import type { Cache } from '../../src/cache/cache.ts'
import type { ReadThroughOptions } from '../../src/cache/cache-options.ts'
import { KeySpace } from '../../src/cache/key-space.ts'
import type { LoadContext } from '../../src/cache/load-context.ts'
import type { GetOrSetOptions } from '../../src/cache/policies.ts'
import { CacheError } from '../../src/foundation/cache-error.ts'
import { globMatcher } from '../../src/foundation/glob.ts'
import { Choices } from './choices.ts'
import type { Link } from './link.ts'
import { entryIn, type Invalidation, type KnownValue, Oracle, printable, Violation } from './oracle.ts'
import { PREFIX, SimulatedProcess } from './simulated-process.ts'
import { type Defect, SimulatedRedis } from './simulated-redis.ts'
import { TRUST_MS } from './simulated-tier.ts'
import { VirtualTime } from './virtual-time.ts'

/** What may happen in a schedule. */
export interface Setting {
  readonly processes: number
  /** Operations that are begun at most. */
  readonly actions: number
  /** Whether anything is invalidated or written. */
  readonly invalidates: boolean
  /** Whether connections break, entries are evicted, servers restart, processes crash, time jumps. */
  readonly faults: boolean
  readonly ttlMs: number
  /** Both stale windows. */
  readonly staleMs: number
  readonly local: boolean
  readonly defects?: readonly Defect[]
}

/** How often each kind of step was taken. */
export type Tally = Map<string, number>

/** A load under way: its loader has been called, and will read the source, and then return, when it is told to. */
interface Load {
  readonly process: SimulatedProcess
  readonly storedKey: string
  readonly fate: 'value' | 'skip' | 'fail' | 'nothing'
  readonly tagKeys: ReadonlySet<string>
  readonly context: LoadContext
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  readonly isUncached: boolean
  text: string | undefined
}

/** An acknowledged invalidation that a restart has undone. */
interface Lost {
  readonly invalidation: Invalidation
  readonly process: SimulatedProcess | undefined
  readonly life: number
}

interface Place {
  readonly key: string
  readonly storedKey: string
  readonly space: KeySpace
  readonly tags: readonly string[]
}

const ROOT = new KeySpace(PREFIX)
const WITHIN = ROOT.within('n')
const PLACES: readonly Place[] = [
  place(WITHIN, 'c', ['t']),
  place(ROOT, 'b', ['t', 'u']),
  place(ROOT, 'a', ['t']),
]
const TAGS = ['t', 'u', 'v'] as const
/** Kinds of change, one of which a schedule may make more often than the others. */
const FAVOURITES = ['set', 'delete', 'invalidateTags', 'invalidatePattern', 'clear'] as const
const JUMPS_MS = [5, 300, 1_100, 3_100, 6_000, 11_000] as const
/** The longest that the clock of a server can be misjudged where replies come within their deadline, twice over. */
const CLOCK_ERROR_MS = 1_100
/** Invalidations of this long ago are repeated to a server that may have forgotten them. */
const REPEATED_MS = 10_000
const MOST_DRAIN_STEPS = 3_000

function place(space: KeySpace, key: string, tags: readonly string[]): Place {
  return { key, space, tags, storedKey: space.storedKey(key) }
}

class LoaderFailure extends Error {}

/** One run of the fleet, every step of which is chosen by the bytes that it is given. */
export class Schedule {
  readonly #setting: Setting
  readonly #choices: Choices
  readonly #tally: Tally
  readonly #trace: string[] | undefined
  readonly #time = new VirtualTime()
  readonly #redis: SimulatedRedis
  readonly #oracle: Oracle
  readonly #processes: SimulatedProcess[] = []
  readonly #loads = new Set<Load>()
  readonly #open = new Set<{ readonly label: string; readonly process: SimulatedProcess }>()
  readonly #abortable = new Set<AbortController>()
  /** How often something was stored under a key, or removed. */
  readonly #touched = new Map<string, number>()
  readonly #places: readonly Place[]
  readonly #loaderWeight: number
  readonly #faultWeight: number
  readonly #favoured: string | undefined
  #begun = 0
  #savedAt = 0
  readonly #lost: Lost[] = []
  #violation: Error | undefined

  constructor(setting: Setting, bytes: Uint8Array, tally: Tally, trace?: string[]) {
    this.#setting = setting
    this.#choices = new Choices(bytes)
    this.#tally = tally
    this.#trace = trace
    this.#redis = new SimulatedRedis(this.#time, setting.defects ?? [], (storedKey) =>
      this.#changed(storedKey),
    )
    this.#oracle = new Oracle(() => this.#redis, TRUST_MS)
    // A schedule of few keys and processes, and of slow loaders, meets what a broad one seldom does, and the other way.
    this.#places = PLACES.slice(this.#choices.of([2, 2, 1, 0]))
    this.#loaderWeight = this.#choices.of([1, 1, 3])
    this.#faultWeight = this.#choices.of([1, 1, 1, 3])
    this.#favoured = this.#choices.of([...FAVOURITES, undefined, undefined])
    const processes = Math.min(this.#choices.of([2, 2, 3, 1]), setting.processes)
    for (let id = 1; id <= processes; id++) this.#addProcess()
  }

  /** @throws Violation */
  async run(): Promise<void> {
    const random = Math.random
    const refuse = (error: unknown) => {
      this.#violation ??= new Violation(`An unhandled rejection: ${String(error)}`)
    }
    Math.random = () => this.#choices.below(4) / 4
    process.on('unhandledRejection', refuse)
    try {
      while (!this.#choices.isOver) {
        this.#choices.weighted(this.#steps())()
        await this.#settle()
      }
      await this.#end()
    } finally {
      Math.random = random
      process.off('unhandledRejection', refuse)
    }
  }

  #steps(): (readonly [weight: number, step: () => void])[] {
    const steps: (readonly [number, () => void])[] = []
    if (this.#begun < this.#setting.actions) steps.push([4, () => this.#act()])
    for (const { isAlive, tier } of this.#processes) {
      if (!isAlive) continue
      const { link, orphan } = tier
      if (tier.isConnecting || tier.isLost)
        steps.push([3, () => this.#do(tier.isLost ? 'reconnect' : 'connect', '', () => tier.handshake())])
      if (orphan !== undefined && orphan.requests.length > 0) steps.push([2, () => this.#execute(orphan)])
      if (link === undefined) continue
      if (link.requests.length > 0 && !link.isCut) steps.push([4, () => this.#execute(link)])
      if (link.inbound.length > 0) steps.push([4, () => this.#deliver(tier, link, 1)])
      if (link.inbound.length > 1) steps.push([3, () => this.#deliver(tier, link, link.inbound.length)])
      if (link.isCut) steps.push([1, () => this.#do('notice', link.name, () => tier.lose())])
    }
    for (const load of this.#loads) steps.push([this.#loaderWeight, () => this.#goOn(load)])
    if (this.#time.isDue) steps.push([3, () => this.#do('timer', '', () => this.#time.fireNext())])
    else if (this.#setting.invalidates && this.#time.hasTimer)
      steps.push([1, () => this.#do('timer', '', () => this.#time.fireNext())])
    for (const controller of this.#abortable) {
      steps.push([
        1,
        () => this.#do('abort', '', () => controller.abort(new DOMException('Enough', 'AbortError'))),
      ])
      break
    }
    if (!this.#setting.invalidates)
      steps.push([1, () => this.#do('time passes', '3 ms', () => this.#time.pass(3))])
    if (this.#setting.faults) steps.push([this.#faultWeight, () => this.#fault()])
    if (steps.length === 0) steps.push([1, () => {}])
    return steps
  }

  // What the server and the connections do.

  #execute(link: Link): void {
    this.#do('execute', `${link.name} ${link.requests[0]?.label}`, () => {
      this.#oracle.tick()
      this.#redis.execute(link)
    })
  }

  #deliver(tier: SimulatedProcess['tier'], link: Link, count: number): void {
    const items = link.inbound.slice(0, count).map((arrival) => {
      if (arrival.kind === 'reply') return `reply to ${arrival.request.label}: ${told(arrival.reply)}`
      return arrival.kind === 'push' ? `push ${arrival.storedKey}` : 'flush'
    })
    this.#do('deliver', `${link.name} [${items.join('; ')}]`, () => tier.deliver(count))
  }

  #goOn(load: Load): void {
    const { fate, storedKey } = load
    if (load.text === undefined) {
      const at = this.#oracle.tick()
      load.text = `${storedKey}@${at}`
      this.#do('read source', `${load.process.id} ${load.text}`, () =>
        this.#oracle.learn({
          ...{ storedKey, text: load.text as string, tagKeys: new Set(load.tagKeys), isPlain: false },
          ...{ lastNewAt: at, bornMs: this.#time.monotonicMs(), servableMs: this.#servableMs },
          ...{ loadedAt: Number.POSITIVE_INFINITY, isUncached: load.isUncached },
        }),
      )
      return
    }
    this.#do(`loader ends: ${fate}`, `${load.process.id} ${load.text}`, () => {
      this.#loads.delete(load)
      const value = this.#oracle.value(load.text as string)
      if (value !== undefined) value.loadedAt = this.#oracle.tick()
      if (fate === 'skip') load.context.skip()
      if (fate === 'fail') load.reject(new LoaderFailure('The source failed'))
      else load.resolve(fate === 'nothing' ? undefined : load.text)
    })
  }

  // What goes wrong.

  #fault(): void {
    const choices = this.#choices
    // Where everything breaks all the time, nothing ever comes to be stored.
    if (choices.below(2) === 0) return
    const process = choices.of(this.#processes)
    const { link } = process.tier
    const storedKeys = this.#redis.keys()
    choices.weighted<() => void>([
      [
        6,
        () => {
          const jumpMs = choices.of(JUMPS_MS)
          this.#do('time passes', `${jumpMs} ms`, () => this.#time.pass(jumpMs))
        },
      ],
      [3, () => this.#do('expire', '', () => this.#redis.expire())],
      [
        5,
        () => {
          if (storedKeys.length === 0) return
          const storedKey = choices.of(storedKeys)
          this.#do('evict', storedKey, () => this.#redis.foreignRemove(storedKey))
        },
      ],
      [
        4,
        () => {
          if (link === undefined || link.isCut || !process.isAlive) return
          const arrives = choices.below(2) === 0
          this.#do('cut', `${link.name}${arrives ? '' : ', nothing more arrives'}`, () =>
            this.#cut(link, arrives),
          )
        },
      ],
      [
        3,
        () => {
          if (link !== undefined && process.isAlive) this.#do('give up', link.name, () => process.tier.lose())
        },
      ],
      [
        1,
        () => {
          if (this.#processes.filter(({ isAlive }) => isAlive).length < 2) return
          this.#do('crash', `${process.id}`, () => {
            process.crash(this.#redis)
            for (const load of this.#loads) if (load.process === process) this.#loads.delete(load)
          })
        },
      ],
      [4, () => this.#do('save', '', () => this.#save())],
      [3, () => this.#restart(choices.below(2) === 0)],
      [
        1,
        () => {
          this.#redis.isAway = !this.#redis.isAway
          this.#do(this.#redis.isAway ? 'goes away' : 'comes back', '', () => {
            if (this.#redis.isAway) for (const one of this.#links()) this.#cut(one, false)
          })
        },
      ],
    ])()
  }

  #changed(storedKey: string): void {
    this.#touch(storedKey)
    const entry = entryIn(storedKey, this.#redis.peek(storedKey))
    if (entry === undefined) return
    if (!this.#redis.isHaunted) this.#oracle.stored(entry.text, this.#time.monotonicMs())
    try {
      this.#oracle.checkStored(storedKey)
    } catch (error) {
      this.#violation ??= error as Error
    }
  }

  #touch(storedKey: string): void {
    this.#touched.set(storedKey, this.#touchedSoFar(storedKey) + 1)
  }

  #touchedSoFar(storedKey: string): number {
    return this.#touched.get(storedKey) ?? 0
  }

  #links(): Link[] {
    return this.#processes.flatMap(({ isAlive, tier }) => (isAlive && tier.link ? [tier.link] : []))
  }

  #cut(link: Link, arrives: boolean): void {
    if (!arrives) link.inbound.length = 0
    link.requests.length = 0
    link.isCut = true
    this.#redis.forget(link)
  }

  #save(): void {
    this.#savedAt = this.#oracle.tick()
    this.#redis.save()
  }

  /** What was acknowledged since the save is forgotten; those who live repeat what they invalidated. */
  #restart(isEmpty: boolean): void {
    this.#do('restart', isEmpty ? 'empty' : 'from what was saved', () => {
      for (const link of this.#links()) this.#cut(link, this.#choices.below(2) === 0)
      for (const { tier } of this.#processes) tier.orphan = undefined
      this.#redis.restart(isEmpty)
      for (const storedKey of this.#touched.keys()) this.#touch(storedKey)
      if (isEmpty) return
      for (const invalidation of this.#oracle.forgotten(this.#savedAt)) {
        const process = this.#processes.find(({ id }) => id === invalidation.processId)
        this.#lost.push({ invalidation, process, life: this.#redis.life })
      }
    })
  }

  // What callers do.

  #act(): void {
    this.#begun++
    const choices = this.#choices
    const process = choices.of(this.#processes.filter(({ isAlive }) => isAlive))
    const at = choices.of(this.#places)
    const reads: (readonly [number, () => void])[] = [
      [12, () => this.#getOrSet(process, at)],
      [3, () => this.#get(process, at, true)],
      [1, () => this.#get(process, at, false)],
    ]
    const favoured = this.#favoured
    const changes = Object.entries({
      set: [3, () => this.#set(process, at)],
      delete: [4, () => this.#delete(process, at)],
      deleteMany: [1, () => this.#deleteMany(process)],
      invalidateTags: [4, () => this.#invalidateTags(process, at)],
      invalidatePattern: [1, () => this.#invalidatePattern(process, at)],
      clear: [1, () => this.#clear(process, at)],
      setMany: [1, () => this.#setMany(process)],
    } satisfies Record<string, readonly [number, () => void]>).map(
      ([name, [weight, change]]) => [name === favoured ? 12 : weight, change] as const,
    )
    const foreign: (readonly [number, () => void])[] = [
      [1, () => this.#foreignDelete(at)],
      [1, () => this.#foreignSet(at)],
      [1, () => this.#flush()],
    ]
    const { faults, invalidates } = this.#setting
    choices.weighted([...reads, ...(invalidates ? changes : []), ...(invalidates && faults ? foreign : [])])()
  }

  #cacheOf(process: SimulatedProcess, { space }: Place): Cache {
    return space === ROOT ? process.cache : process.cache.namespace('n')
  }

  #getOrSet(process: SimulatedProcess, at: Place): void {
    const choices = this.#choices
    const isCalm = !this.#setting.invalidates
    const tags = !isCalm && choices.rarely(4) ? [] : at.tags
    const added = !isCalm && choices.rarely(4) ? [choices.of(TAGS)] : []
    const fate = choices.weighted<Load['fate']>([
      [10, 'value'],
      [1, 'skip'],
      [1, 'fail'],
      [1, 'nothing'],
    ])
    const controller = choices.rarely(8) ? new AbortController() : undefined
    if (controller !== undefined) this.#abortable.add(controller)
    const tagKeys = [...tags, ...added].map((tag) => at.space.tagKey(tag))
    const asked = tags.map((tag) => at.space.tagKey(tag))
    const question = this.#oracle.question(
      process.id,
      at.storedKey,
      asked,
      true,
      process.tier.link !== undefined,
      this.#time.monotonicMs(),
    )
    const options: GetOrSetOptions = { tags, ...(controller && { signal: controller.signal }) }
    const label = `${process.id} getOrSet ${at.storedKey} [${tags}]+[${added}]${fate === 'value' ? '' : ` ${fate}`}`
    process.servedInstead.delete(at.key)
    this.#call(process, label, async () => {
      const load = (context: LoadContext) =>
        new Promise<unknown>((resolve, reject) => {
          this.#note('loader begins', `${process.id} ${at.storedKey}`)
          if (isCalm) this.#assertAlone(at.storedKey)
          if (added.length > 0) context.addTags(added)
          const begun: Load = {
            ...{ process, fate, context, resolve, reject, storedKey: at.storedKey },
            ...{ tagKeys: new Set(tagKeys), text: undefined },
            isUncached: !process.tier.leased.has(at.storedKey),
          }
          this.#loads.add(begun)
          if (!isCalm) return
          // A loader that goes on though nobody waits for it any more may meet the next one.
          context.signal.addEventListener('abort', () => {
            this.#loads.delete(begun)
            reject(new LoaderFailure('Nobody waits for it'))
          })
        })
      try {
        const text = await this.#cacheOf(process, at).getOrSet(at.key, load, options)
        if (!process.servedInstead.has(at.key)) this.#oracle.answered(question, text)
        return text
      } finally {
        if (controller !== undefined) this.#abortable.delete(controller)
      }
    })
  }

  #get(process: SimulatedProcess, at: Place, isLocal: boolean): void {
    const question = this.#oracle.question(
      process.id,
      at.storedKey,
      [],
      isLocal,
      process.tier.link !== undefined,
      this.#time.monotonicMs(),
    )
    const written = this.#oracle.written(process.id, at.storedKey)
    this.#call(process, `${process.id} get ${at.storedKey}${isLocal ? '' : ' from Redis'}`, async () => {
      const text = await this.#cacheOf(process, at).get(at.key, { local: isLocal })
      this.#oracle.answered(question, text)
      const isUntouched = written?.keys.every(([storedKey, count]) => count === this.#touchedSoFar(storedKey))
      const isFresh =
        this.#time.monotonicMs() < (written?.value.bornMs ?? 0) + this.#setting.ttlMs - CLOCK_ERROR_MS
      // Where the clock of the server is not known, everything counts as stale.
      const isTimed = process.tier.serverNowMs() !== undefined
      if (written !== undefined && isUntouched && isFresh && isTimed) {
        this.#note('read its own write', `${process.id} ${text}`)
        if (text !== written.value.text) {
          throw new Violation(`process ${process.id} wrote ${written.value.text} and got ${text}`)
        }
      }
      return text
    })
  }

  #set(process: SimulatedProcess, at: Place): void {
    const tags = this.#choices.rarely(4) ? [] : at.tags
    const { invalidation, value } = this.#writeBegins(process, at, tags)
    this.#change(process, [invalidation], `set ${value.text} [${tags}]`, async () => {
      await this.#cacheOf(process, at).set(at.key, value.text, { tags })
      this.#oracle.wrote(process.id, value, (storedKey) => this.#touchedSoFar(storedKey))
    })
  }

  #setMany(process: SimulatedProcess): void {
    const places = this.#places.filter(({ space }) => space === ROOT)
    const writes = places.map((at) => this.#writeBegins(process, at, ['t']))
    const entries = writes.map(({ value }, index) => [places[index]?.key as string, value.text] as const)
    const label = `setMany ${entries.map(([, text]) => text)} [t]`
    this.#change(
      process,
      writes.map(({ invalidation }) => invalidation),
      label,
      () => process.cache.setMany(entries as [string, string][], { tags: ['t'] }),
    )
  }

  #writeBegins(process: SimulatedProcess, at: Place, tags: readonly string[]) {
    const text = `${at.storedKey}@${this.#oracle.tick()}w`
    const tagKeys = new Set(tags.map((tag) => at.space.tagKey(tag)))
    const value: KnownValue = {
      ...{
        text,
        tagKeys,
        storedKey: at.storedKey,
        isPlain: false,
        isUncached: false,
        lastNewAt: this.#oracle.tick(),
      },
      ...{
        bornMs: this.#time.monotonicMs(),
        loadedAt: Number.NEGATIVE_INFINITY,
        servableMs: this.#servableMs,
      },
    }
    this.#oracle.learn(value)
    const invalidation = this.#oracle.began(
      `${process.id} set ${text}`,
      process.id,
      (one) => one.storedKey === at.storedKey && one !== value,
    )
    return { invalidation, value }
  }

  #delete(process: SimulatedProcess, at: Place): void {
    const { key, storedKey } = at
    const label = `delete ${storedKey}`
    const invalidation = this.#began(process, label, (value) => value.storedKey === storedKey)
    this.#change(process, [invalidation], label, () => this.#cacheOf(process, at).delete(key))
  }

  #deleteMany(process: SimulatedProcess): void {
    const invalidation = this.#began(process, 'deleteMany', () => true)
    const keys = this.#places.map(({ space, key }) => (space === ROOT ? key : `n:${key}`))
    this.#change(process, [invalidation], 'deleteMany', () => process.cache.deleteMany(keys))
  }

  #invalidateTags(process: SimulatedProcess, at: Place): void {
    const tags = this.#choices.rarely(4) ? TAGS : [this.#choices.of(TAGS)]
    const tagKeys = tags.map((tag) => at.space.tagKey(tag))
    const label = `invalidateTags ${printable(tagKeys.join())}`
    const concerns = ({ tagKeys: borne }: KnownValue) => tagKeys.some((tagKey) => borne.has(tagKey))
    this.#change(process, [this.#began(process, label, concerns)], label, () =>
      this.#cacheOf(process, at).invalidateTags(tags),
    )
  }

  #invalidatePattern(process: SimulatedProcess, at: Place): void {
    const pattern = this.#choices.of(['*', `${at.key}*`, '?'])
    const label = `invalidatePattern ${at.space.prefix}${pattern}`
    const matches = globMatcher(at.space.prefix + pattern)
    const invalidation = this.#began(process, label, ({ storedKey }) => matches(storedKey))
    this.#change(process, [invalidation], label, () => this.#cacheOf(process, at).invalidatePattern(pattern))
  }

  #clear(process: SimulatedProcess, at: Place): void {
    const { prefix } = at.space
    const invalidation = this.#began(
      process,
      `clear ${prefix}`,
      ({ isPlain, storedKey }) => !isPlain && storedKey.startsWith(prefix),
    )
    this.#change(process, [invalidation], `clear ${prefix}`, () => this.#cacheOf(process, at).clear())
  }

  #foreignDelete({ storedKey }: Place): void {
    const label = `foreign DEL ${storedKey}`
    const invalidation = this.#oracle.began(label, undefined, (value) => value.storedKey === storedKey)
    this.#do('foreign DEL', storedKey, () => {
      this.#redis.foreignRemove(storedKey)
    })
    this.#oracle.settled(invalidation, true, this.#time.monotonicMs(), this.#marks())
  }

  #foreignSet({ storedKey }: Place): void {
    const ttlMs = this.#choices.of([2_000, 600_000])
    const text = `${storedKey}@${this.#oracle.tick()}f`
    const value: KnownValue = {
      ...{
        text,
        storedKey,
        tagKeys: new Set(),
        isPlain: true,
        isUncached: false,
        lastNewAt: this.#oracle.tick(),
      },
      ...{
        bornMs: this.#time.monotonicMs(),
        loadedAt: Number.NEGATIVE_INFINITY,
        servableMs: ttlMs + CLOCK_ERROR_MS,
      },
    }
    this.#oracle.learn(value)
    const label = `foreign SET ${text}`
    const concerns = (one: KnownValue) => one.storedKey === storedKey && one !== value
    const invalidation = this.#oracle.began(label, undefined, concerns)
    this.#do('foreign SET', text, () =>
      this.#redis.write(storedKey, Buffer.from(JSON.stringify(text)), ttlMs),
    )
    value.lastNewAt = this.#oracle.tick()
    this.#oracle.settled(invalidation, true, this.#time.monotonicMs(), this.#marks())
  }

  #flush(): void {
    const invalidation = this.#oracle.began('foreign FLUSHALL', undefined, () => true)
    this.#do('foreign FLUSHALL', '', () => this.#redis.flush(this.#links()))
    for (const storedKey of this.#touched.keys()) this.#touch(storedKey)
    this.#oracle.settled(invalidation, true, this.#time.monotonicMs(), this.#marks())
  }

  #began(process: SimulatedProcess, label: string, concerns: Invalidation['concerns']): Invalidation {
    return this.#oracle.began(`${process.id} ${label}`, process.id, concerns)
  }

  /** An operation that makes older values old, as soon as it is acknowledged. */
  #change(
    process: SimulatedProcess,
    invalidations: readonly Invalidation[],
    label: string,
    work: () => Promise<unknown>,
  ): void {
    this.#call(process, `${process.id} ${label}`, async () => {
      let isAcknowledged = false
      try {
        const result = await work()
        isAcknowledged = true
        return result
      } finally {
        for (const invalidation of invalidations) {
          this.#oracle.settled(
            invalidation,
            isAcknowledged && process.isAlive,
            this.#time.monotonicMs(),
            this.#marks(),
          )
        }
      }
    })
  }

  /** For each process, how to tell whether all that Redis has sent it by now has arrived. */
  #marks(): ReadonlyMap<number, () => boolean> {
    return new Map(
      this.#processes.map(({ id, tier }) => {
        const { link } = tier
        // Who is not connected cannot know, and keeps to the loads that it has begun until it is.
        if (link === undefined) return [id, () => tier.link !== undefined] as const
        const { isCut, sent } = link
        return [id, () => tier.link !== link || (!isCut && link.arrived >= sent)] as const
      }),
    )
  }

  #call(process: SimulatedProcess, label: string, work: () => Promise<unknown>): void {
    const call = { label, process }
    const count = this.#begun
    this.#do(label.split(' ')[1] as string, `#${count} ${label}`, () => {
      this.#open.add(call)
      work().then(
        (result) => {
          this.#note('returns', `#${count} ${told(result)}`)
          this.#open.delete(call)
        },
        (error) => {
          this.#note('rejects', `#${count} ${String(error)}`)
          this.#open.delete(call)
          if (!process.isAlive || isExpected(error)) return
          this.#violation ??= error as Error
        },
      )
    })
  }

  // The end: all faults are over, and everything settles.

  async #end(): Promise<void> {
    this.#note('drain', '')
    this.#redis.isAway = false
    await this.#drain()
    for (const process of this.#processes) {
      if (!process.isAlive) continue
      for (const at of this.#places) this.#get(process, at, false)
    }
    await this.#drain()
    const isRepeated = ({ process, invalidation, life }: Lost) =>
      process?.isAlive &&
      Number.isFinite(invalidation.acknowledgedMs) &&
      process.tier.metAtMs(life) - invalidation.acknowledgedMs <= REPEATED_MS
    this.#oracle.remembered(this.#lost.filter(isRepeated).map(({ invalidation }) => invalidation))
    for (const storedKey of this.#redis.keys()) this.#oracle.checkStored(storedKey)
    this.#addProcess()
    for (const process of this.#processes) {
      if (!process.isAlive) continue
      for (const at of this.#places) {
        this.#getOrSet(process, at)
        this.#get(process, at, true)
      }
    }
    await this.#drain()
  }

  async #drain(): Promise<void> {
    for (let steps = 0; steps < MOST_DRAIN_STEPS; steps++) {
      const isIdle = !this.#moveAll()
      await this.#settle()
      if (!isIdle) continue
      if (![...this.#open].some(({ process }) => process.isAlive)) return
      this.#do('timer', '', () => this.#time.fireNext())
      await this.#settle()
    }
    const labels = [...this.#open].flatMap(({ label, process }) => (process.isAlive ? [label] : []))
    throw new Violation(`Calls that never settle: ${labels.join('; ')}`)
  }

  #moveAll(): boolean {
    let hasMoved = false
    for (const { isAlive, tier } of this.#processes) {
      if (!isAlive) continue
      if (tier.link?.isCut) this.#do('notice', tier.link.name, () => tier.lose())
      if (tier.isConnecting || tier.isLost) {
        this.#do('reconnect', '', () => tier.handshake())
        hasMoved = true
      }
      const { link } = tier
      if (link === undefined) continue
      while (link.requests.length > 0) {
        this.#execute(link)
        hasMoved = true
      }
      if (link.inbound.length > 0) {
        this.#deliver(tier, link, link.inbound.length)
        hasMoved = true
      }
    }
    for (const load of this.#loads) {
      this.#goOn(load)
      hasMoved = true
    }
    return hasMoved
  }

  async #settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#violation !== undefined) throw this.#violation
  }

  /** How long a value may be served after it was loaded. */
  get #servableMs(): number {
    return this.#setting.ttlMs + this.#setting.staleMs + CLOCK_ERROR_MS
  }

  #addProcess(): void {
    const process = new SimulatedProcess(this.#processes.length + 1, this.#redis, this.#time, this.#options())
    this.#processes.push(process)
  }

  #options(): ReadThroughOptions {
    const { local, staleMs, ttlMs } = this.#setting
    const stale = staleMs === 0 ? (0 as const) : staleMs / 1_000
    return {
      ...{ ttl: ttlMs / 1_000, staleWhileRevalidate: stale, staleIfError: stale, lease: '2s' },
      ...(local ? {} : { local: false as const }),
    }
  }

  #assertAlone(storedKey: string): void {
    for (const load of this.#loads) {
      if (load.storedKey === storedKey) this.#violation ??= new Violation(`Two loaders run for ${storedKey}`)
    }
  }

  #do(kind: string, detail: string, step: () => void): void {
    this.#note(kind, detail)
    step()
  }

  #note(kind: string, detail: string): void {
    this.#tally.set(kind, (this.#tally.get(kind) ?? 0) + 1)
    this.#trace?.push(`${this.#time.monotonicMs().toFixed(0).padStart(6)} ${kind}: ${printable(detail)}`)
  }
}

/** What an operation may reject with: Redis away, an aborted caller, a failed source. */
function isExpected(error: unknown): boolean {
  if (error instanceof LoaderFailure) return true
  if (error instanceof DOMException) return error.name === 'AbortError'
  return error instanceof CacheError && error.code !== 'CACHE_INTERNAL'
}

function told(reply: unknown): string {
  if (Buffer.isBuffer(reply)) return reply[0] === 2 ? 'placeholder' : `${reply.length} bytes`
  if (Array.isArray(reply)) return `(${reply.map(told).join()})`
  if (typeof reply === 'string' && reply.length === 16) return 'generation'
  return typeof reply === 'object' ? JSON.stringify(reply) : String(reply)
}
