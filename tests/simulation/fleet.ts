import { PartialLoadError } from '../../src/cache/batches/partial-load-error.ts'
import type { ReadThroughOptions } from '../../src/cache/core/read-through-options.ts'
import type { Namespace } from '../../src/cache/namespace.ts'
import { CacheError } from '../../src/foundation/errors/cache-error.ts'
import { Absences } from './absences.ts'
import type { Choices } from './choices.ts'
import { type Invalidation, LoaderFailure } from './history.ts'
import type { Link } from './link.ts'
import { entryIn, Oracle, printable } from './oracle.ts'
import { CLOCK_ERROR_MS, type Place, ROOT, type Setting } from './setting.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { SimulatedRedis } from './simulated-redis.ts'
import { TRUST_MS } from './simulated-tier.ts'
import { VirtualTime } from './virtual-time.ts'

/** How often each kind of step was taken. */
export type Tally = Map<string, number>

/** Processes with real caches over one simulated Redis, and all that is known of what they do. */
export class Fleet {
  readonly setting: Setting
  readonly choices: Choices
  readonly tally: Tally
  readonly trace: string[] | undefined
  readonly time: VirtualTime = new VirtualTime()
  readonly redis: SimulatedRedis
  readonly oracle: Oracle
  readonly absences: Absences
  readonly processes: SimulatedProcess[] = []
  readonly open: Set<{ readonly label: string; readonly process: SimulatedProcess }> = new Set()
  readonly abortable: Set<AbortController> = new Set()
  /** How often something was stored under a key, or removed. */
  readonly touched: Map<string, number> = new Map()
  /** How often something was written under a key, and not loaded. */
  readonly written: Map<string, number> = new Map()
  begun = 0
  violation: Error | undefined

  constructor(setting: Setting, choices: Choices, tally: Tally, trace: string[] | undefined) {
    this.setting = setting
    this.choices = choices
    this.tally = tally
    this.trace = trace
    this.redis = new SimulatedRedis(this.time, setting.defects ?? [], (storedKey, isWritten) =>
      this.#changed(storedKey, isWritten),
    )
    this.oracle = new Oracle(
      () => this.redis,
      TRUST_MS,
      (storedKey) => this.absences.checkStored(storedKey),
    )
    this.absences = new Absences(this.oracle, (kind) => this.note(kind, ''))
  }

  #changed(storedKey: string, isWritten: boolean): void {
    this.touch(storedKey)
    if (isWritten) this.written.set(storedKey, (this.written.get(storedKey) ?? 0) + 1)
    const entry = entryIn(storedKey, this.redis.peek(storedKey))
    if (entry === undefined) return
    if (entry.text !== undefined)
      this.oracle.stored(entry.text, this.time.monotonicMs(), isWritten && !this.redis.isHaunted)
    try {
      this.oracle.checkStored(storedKey)
    } catch (error) {
      this.violation ??= error as Error
    }
  }

  touch(storedKey: string): void {
    this.touched.set(storedKey, this.touchedSoFar(storedKey) + 1)
  }

  touchedSoFar(storedKey: string): number {
    return this.touched.get(storedKey) ?? 0
  }

  links(): Link[] {
    return this.processes.flatMap(({ isAlive, tier }) => (isAlive && tier.link ? [tier.link] : []))
  }

  cut(link: Link, arrives: boolean): void {
    if (!arrives) link.inbound.length = 0
    link.requests.length = 0
    link.isCut = true
    this.redis.forget(link)
  }

  cacheOf(process: SimulatedProcess, { space }: Place): Namespace {
    if (this.setting.holding) {
      // It has the reads, deletes and invalidations of any namespace, and nothing else of it is called.
      const name = space === ROOT ? 'held' : 'held-within'
      return process.cache.namespace(name, { store: 'local' }) as unknown as Namespace
    }
    return space === ROOT ? process.cache : process.cache.namespace('n')
  }

  began(process: SimulatedProcess, label: string, concerns: Invalidation['concerns']): Invalidation {
    return this.oracle.began(`${process.id} ${label}`, process.id, concerns)
  }

  /** An operation that makes older values old, as soon as it is acknowledged. */
  change(
    process: SimulatedProcess,
    invalidations: readonly Invalidation[],
    label: string,
    work: () => Promise<unknown>,
  ): void {
    this.call(process, `${process.id} ${label}`, () => this.changed(process, invalidations, work))
  }

  /** The result of an operation that makes older values old. */
  async changed<Result>(
    process: SimulatedProcess,
    invalidations: readonly Invalidation[],
    work: () => Promise<Result>,
  ): Promise<Result> {
    let isAcknowledged = false
    try {
      const result = await work()
      isAcknowledged = true
      return result
    } finally {
      for (const invalidation of invalidations) {
        this.oracle.settled(
          invalidation,
          isAcknowledged && process.isAlive,
          this.time.monotonicMs(),
          this.marks(),
        )
      }
    }
  }

  /** For each process, how to tell whether all that Redis has sent it by now has arrived. */
  marks(): ReadonlyMap<number, () => boolean> {
    return new Map(
      this.processes.map(({ id, tier }) => {
        const { link } = tier
        // Who is not connected cannot know, and keeps to the loads that it has begun until it is.
        if (link === undefined) return [id, () => tier.link !== undefined] as const
        const { isCut, sent } = link
        return [id, () => tier.link !== link || (!isCut && link.arrived >= sent)] as const
      }),
    )
  }

  call(process: SimulatedProcess, label: string, work: () => Promise<unknown>, signal?: AbortSignal): void {
    const call = { label, process }
    const count = this.begun
    this.do(label.split(' ')[1] as string, `#${count} ${label}`, () => {
      this.open.add(call)
      work().then(
        (result) => {
          this.note('returns', `#${count} ${told(result)}`)
          this.open.delete(call)
        },
        (error) => {
          this.note('rejects', `#${count} ${String(error)}`)
          this.open.delete(call)
          if (!process.isAlive || isExpected(error, signal)) return
          this.violation ??= error as Error
        },
      )
    })
  }

  /** How long a value may be served after it was loaded. */
  get servableMs(): number {
    return this.setting.ttlMs + this.setting.staleMs + CLOCK_ERROR_MS
  }

  addProcess(): void {
    const { copies } = this.setting
    const id = this.processes.length + 1
    const process = new SimulatedProcess(id, this.redis, this.time, this.#options(), copies)
    this.processes.push(process)
  }

  #options(): ReadThroughOptions {
    const { local, staleMs, ttlMs } = this.setting
    const stale = staleMs === 0 ? (false as const) : staleMs / 1_000
    return {
      ...{ ttl: ttlMs / 1_000, staleWhileRevalidate: stale, staleIfError: stale, lease: { ttl: '2s' } },
      ...(local ? {} : { local: false as const }),
      // It would slow down every promise of the process.
      detectCycles: false,
    }
  }

  do(kind: string, detail: string, step: () => void): void {
    this.note(kind, detail)
    step()
  }

  note(kind: string, detail: string): void {
    this.tally.set(kind, (this.tally.get(kind) ?? 0) + 1)
    this.trace?.push(`${this.time.monotonicMs().toFixed(0).padStart(6)} ${kind}: ${printable(detail)}`)
  }
}

/** What an operation may reject with: Redis away, a slow or failed source, its own signal. */
function isExpected(error: unknown, signal: AbortSignal | undefined): boolean {
  if (error instanceof LoaderFailure) return true
  if (error instanceof DOMException) return error.name === 'AbortError' && signal?.aborted === true
  if (error instanceof PartialLoadError)
    return [...error.errors.values()].every((one) => isExpected(one, signal))
  return (
    error instanceof CacheError && error.code !== 'CACHE_INTERNAL' && error.code !== 'CACHE_INVALID_ARGUMENT'
  )
}

/** A reply, as a trace has it. */
export function told(reply: unknown): string {
  if (Buffer.isBuffer(reply)) return reply[0] === 2 ? 'placeholder' : `${reply.length} bytes`
  if (Array.isArray(reply)) return `(${reply.map(told).join()})`
  if (typeof reply === 'string' && reply.length === 16) return 'generation'
  return typeof reply === 'object' ? JSON.stringify(reply) : String(reply)
}
