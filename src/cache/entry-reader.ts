import { RAW } from '../backend/read-outcome.ts'
import type { SharedTier } from '../backend/shared-tier.ts'
import {
  type BoundGeneration,
  type EntryFacts,
  type EntryMeta,
  GENERATION_BYTES,
  leaseDeadlineMs,
  readEntryFacts,
  readGenerations,
  stampIn,
} from '../codec/entry-meta.ts'
import type { PlainEntry } from '../codec/envelope.ts'
import type { OpenedValue, ValueCodec } from '../codec/value-codec.ts'
import type { Clock } from '../foundation/clock.ts'
import { type Dependence, INDEPENDENT } from './dependence.ts'
import type { EarlierRead } from './earlier-read.ts'
import type { Generations } from './generations.ts'
import { type Isolation, isolate } from './isolation.ts'
import { KeySpace } from './key-space.ts'
import type { KnownGeneration } from './known-generation.ts'
import { type Accepts, mayBeServed } from './load-request.ts'
import { LocalEntry, type LocalTimes } from './local-entry.ts'
import type { LocalTier } from './local-tier.ts'
import { SharedAnswers } from './shared-answers.ts'

/** What the shared tier holds under a key. */
export type Judgement =
  /** Nothing, or a value that is being loaded; `stamp` is empty. */
  | { readonly state: 'absent'; readonly stamp: '' }
  /** Something that must not be served: its generation has gone, or it cannot be decoded. */
  | { readonly state: 'unusable'; readonly stamp: string; readonly error: unknown }
  /** A valid value; how fresh it is, its times tell. */
  | { readonly state: 'usable'; readonly stamp: string; readonly entry: LocalEntry }

/** An entry whose creation lies further ahead than this on its server's clock counts as stale (another clock wrote it). */
const FUTURE_TOLERANCE_MS = 1_000

/** A deadline further off than this stems from another clock. */
export const LONGEST_LEASE_MS = 60_000

/** One read under way. */
interface Question {
  readonly storedKey: string
  /** Generations that the entry must bear. */
  readonly expected: readonly string[]
  /** Generations that were read together with the entry. */
  readonly fetched: ReadonlyMap<string, KnownGeneration | undefined>
  /** Stands for this read in the local tier. */
  readonly pending: object
  readonly accepts: Accepts | undefined
}

const NONE: Question['fetched'] = new Map()
const NO_SECTION: Buffer = Buffer.alloc(0)
const ABSENT: Judgement = Object.freeze({ state: 'absent', stamp: '' })

/** What an {@link EntryReader} is made of. */
export interface ReaderParts {
  readonly tier: SharedTier
  readonly codec: ValueCodec
  readonly local: LocalTier
  readonly generations: Generations
  readonly isolation: Isolation
  readonly clock: Clock
  /** Resolves when the tier is open; `undefined` where it is. */
  readonly opened: () => Promise<void> | undefined
  /** Told of bytes that cannot be decoded. */
  readonly onUndecodable: (storedKey: string, error: unknown) => void
}

/**
 * Reads an entry and judges it. The key, and whatever generations are expected and not known, are asked for in one
 * tick, so in one round trip; only generations that the entry alone names cost another one, the first time.
 */
export class EntryReader {
  readonly #parts: ReaderParts
  /** Generations that are being read. */
  readonly #fetching = new SharedAnswers<KnownGeneration | undefined>()
  /** The section `generations` of the last entry that was judged at a glance, and what it means. */
  #lastSection: Buffer = NO_SECTION
  #lastDependence: Dependence = INDEPENDENT

  constructor(parts: ReaderParts) {
    this.#parts = parts
  }

  /**
   * @param expected stored keys of generations that the entry must bear; one that does not is unusable
   * @param accepts whether the value may be served; where it may not, it is unusable
   * @throws CacheError where the tier cannot be read
   */
  async read(storedKey: string, expected: readonly string[], accepts?: Accepts): Promise<Judgement> {
    const { local, opened } = this.#parts
    // A connection that is made begins an epoch, in which nothing is expected yet.
    const opening = opened()
    if (opening !== undefined) await opening
    const pending = local.expect(storedKey)
    const question = { accepts, expected, fetched: NONE, pending, storedKey }
    return this.#concluded(question, this.#ask(question))
  }

  /** Whether what was read is still all that is to be known of the key. */
  isCurrent(storedKey: string, earlier: EarlierRead): boolean {
    return this.#parts.local.isExpected(storedKey, earlier)
  }

  /**
   * As {@link read}, of what was read already; its read stands in the local tier until then.
   * @throws also what that failed with
   */
  async judge(
    storedKey: string,
    expected: readonly string[],
    accepts: Accepts | undefined,
    earlier: EarlierRead,
  ): Promise<Judgement> {
    if (earlier.failure !== undefined) throw earlier.failure
    const question = { accepts, expected, fetched: NONE, pending: earlier, storedKey }
    return this.#concluded(question, earlier.bytes === null ? ABSENT : this.#judge(question, earlier.bytes))
  }

  async #concluded(
    { pending, storedKey }: Question,
    judging: Judgement | Promise<Judgement>,
  ): Promise<Judgement> {
    const { local } = this.#parts
    try {
      const judgement = await judging
      if (judgement.state !== 'usable') local.drop(storedKey)
      return judgement
    } finally {
      local.forget(storedKey, pending)
    }
  }

  /**
   * The fresh value in these bytes, where that can be told at once: its generations are known here, and nothing has to
   * be loaded to decode it. Kept as what {@link read} finds is.
   */
  freshIn(
    storedKey: string,
    bytes: Buffer,
    pending: object,
    accepts: Accepts | undefined,
    nowMs: number,
  ): LocalEntry | undefined {
    const { codec, isolation, local } = this.#parts
    let dependence: Dependence | undefined
    let facts: EntryFacts
    let times: LocalTimes
    let value: unknown
    try {
      const found = codec.openPlainEntry(storedKey, bytes)
      if (found === undefined) return undefined
      dependence = this.#dependenceIn(bytes, found)
      if (dependence === undefined) return undefined
      facts = readEntryFacts(bytes)
      times = this.#timesOf(storedKey, facts, leaseDeadlineMs(bytes), nowMs)
      // What no clock can have written is not fresh either.
      if (!(nowMs < times.freshUntilMs)) return undefined
      value = codec.decodePlainEntry(bytes, found)
    } catch {
      // It is told when it is judged.
      return undefined
    }
    if (value instanceof Promise) {
      value.catch(() => {})
      return undefined
    }
    if (!mayBeServed(value, accepts)) return undefined
    const entry = new LocalEntry(isolate(value, isolation), facts, times, dependence, local.epoch)
    local.keep(storedKey, pending, entry, bytes.length)
    return entry
  }

  async #ask(question: Question): Promise<Judgement> {
    const { expected, storedKey } = question
    const reading = this.#parts.tier.read(storedKey, RAW)
    const unknown = expected.filter((key) => this.#parts.generations.known(key) === undefined)
    if (unknown.length === 0) {
      const bytes = await reading
      return bytes === null ? ABSENT : await this.#judge(question, bytes)
    }
    const [bytes, ...found] = await Promise.all([reading, ...unknown.map((key) => this.fetch(key))])
    if (bytes === null) return ABSENT
    const fetched = new Map(unknown.map((key, index) => [key, found[index]]))
    return await this.#judge({ ...question, fetched }, bytes)
  }

  /** Reads a generation; those who ask meanwhile share the answer. `undefined` where there is none. */
  fetch(generationKey: string): Promise<KnownGeneration | undefined> {
    return this.#fetching.ask(generationKey, () => this.#fetch(generationKey))
  }

  /** A generation was invalidated: who asks from now on must not share an older answer. */
  refetch(generationKey: string): void {
    this.#fetching.askAnew(generationKey)
  }

  refetchAll(): void {
    this.#fetching.askAllAnew()
  }

  async #fetch(generationKey: string): Promise<KnownGeneration | undefined> {
    const { generations, tier } = this.#parts
    const pending = generations.expect(generationKey)
    try {
      const bytes = await tier.read(generationKey, RAW)
      if (bytes?.length !== GENERATION_BYTES) return undefined
      return generations.learn(generationKey, pending, bytes.toString('latin1'))
    } finally {
      generations.forget(generationKey, pending)
    }
  }

  /** @throws CacheError where a generation cannot be read; bytes that cannot be decoded are unusable */
  async #judge(question: Question, bytes: Buffer): Promise<Judgement> {
    const { accepts, expected, pending, storedKey } = question
    const undecodable = (error: unknown): Judgement => {
      this.#parts.onUndecodable(storedKey, error)
      return { state: 'unusable', stamp: stampIn(bytes), error }
    }
    let opened: OpenedValue | undefined
    try {
      opened = this.#parts.codec.open(storedKey, bytes)
    } catch (error) {
      return undecodable(error)
    }
    if (opened === undefined) return ABSENT
    const meta = opened.entry
    // What bears no tag cannot be invalidated by one.
    const generations =
      meta === undefined ? !expected.some(KeySpace.isTagKey) && [] : await this.#bind(question, meta)
    if (!generations) return { state: 'unusable', stamp: stampIn(bytes), error: undefined }
    let value: unknown
    try {
      const decoded = opened.decode()
      value = decoded instanceof Promise ? await decoded : decoded
    } catch (error) {
      return undecodable(error)
    }
    if (accepts !== undefined && !(await accepts(value))) {
      return { state: 'unusable', stamp: stampIn(bytes), error: undefined }
    }
    if (meta === undefined) return this.#plain(storedKey, bytes, value, pending)
    const dependence = this.#parts.generations.dependence(meta.generations, generations)
    const entry = this.entry(storedKey, value, meta, dependence, leaseDeadlineMs(bytes))
    this.#parts.local.keep(storedKey, pending, entry, bytes.length)
    return { state: 'usable', stamp: meta.stamp, entry }
  }

  /**
   * A value that is ready to be served, whether or not it is kept.
   * @param leaseMs until when somebody may be loading a newer one, on the server's clock
   */
  entry(
    storedKey: string,
    value: unknown,
    meta: EntryMeta,
    dependence: Dependence,
    leaseMs: number,
  ): LocalEntry {
    const { isolation, local } = this.#parts
    const times = this.#timesOf(storedKey, meta, leaseMs, this.#parts.clock.monotonicMs())
    return new LocalEntry(isolate(value, isolation), meta, times, dependence, local.epoch)
  }

  /** What an entry depends on, where all of that is known here; the same as the entry before it, as a rule. */
  #dependenceIn(bytes: Buffer, { generationsAt, payloadAt }: PlainEntry): Dependence | undefined {
    const { generations, tier } = this.#parts
    const isLasting = tier.localTtlMs === Number.POSITIVE_INFINITY
    if (
      isLasting &&
      this.#lastDependence.isValid &&
      isAt(bytes, generationsAt, payloadAt, this.#lastSection)
    ) {
      return this.#lastDependence
    }
    const dependence = generations.dependenceOn(readGenerations(bytes, generationsAt))
    if (dependence !== undefined) {
      this.#lastSection = Buffer.from(bytes.subarray(generationsAt, payloadAt))
      this.#lastDependence = dependence
    }
    return dependence
  }

  #timesOf(
    storedKey: string,
    { createdAtMs, ttlMs }: EntryFacts,
    leaseMs: number,
    nowMs: number,
  ): LocalTimes {
    const { tier } = this.#parts
    const { localTtlMs } = tier
    const keptUntilMs = localTtlMs === Number.POSITIVE_INFINITY ? undefined : nowMs + localTtlMs
    const serverNowMs = tier.serverNowMs(storedKey, nowMs)
    // Whose server's clock is not known is taken for stale.
    if (serverNowMs === undefined) {
      return { bornMs: undefined, freshUntilMs: nowMs, keptUntilMs, leasedUntilMs: 0 }
    }
    const ageMs = serverNowMs - createdAtMs
    const leftMs = ageMs < -FUTURE_TOLERANCE_MS ? 0 : ttlMs - ageMs
    const leaseLeftMs = leaseMs - serverNowMs
    // T7.
    const leasedUntilMs = leaseLeftMs > LONGEST_LEASE_MS ? 0 : nowMs + leaseLeftMs
    return { bornMs: nowMs - ageMs, freshUntilMs: nowMs + leftMs, keptUntilMs, leasedUntilMs }
  }

  /** Plain values carry no time to live: it is asked for, and the value is kept only for that long. */
  #plain(storedKey: string, bytes: Buffer, value: unknown, pending: object): Judgement {
    const { clock, isolation, local, tier } = this.#parts
    const nowMs = clock.monotonicMs()
    const isTold = tier.coherence === 'tracking' || tier.coherence === 'process'
    const kept = (freshUntilMs: number) => {
      const times = { bornMs: undefined, freshUntilMs, keptUntilMs: freshUntilMs, leasedUntilMs: 0 }
      return new LocalEntry(isolate(value, isolation), undefined, times, INDEPENDENT, local.epoch)
    }
    const entry = kept(Number.POSITIVE_INFINITY)
    if (isTold && local.isExpected(storedKey, pending)) {
      // The caller does not wait for this.
      const again = local.expect(storedKey)
      tier.ttlMs(storedKey).then(
        (ttlMs) => {
          if (ttlMs !== undefined) local.keep(storedKey, again, kept(nowMs + ttlMs), bytes.length)
        },
        () => local.forget(storedKey, again),
      )
    }
    return { state: 'usable', stamp: stampIn(bytes), entry }
  }

  /**
   * What the entry depends on, as known here; `undefined` where a generation was renewed or is lost, or where the
   * entry lacks one that is expected of it.
   */
  async #bind(
    { expected, fetched }: Question,
    { generations: bound }: EntryMeta,
  ): Promise<readonly KnownGeneration[] | undefined> {
    for (const generationKey of expected) {
      if (!bound.some(({ storedKey }) => storedKey === generationKey)) return undefined
    }
    const known: KnownGeneration[] = []
    for (const one of bound) {
      const current = await this.#current(one, fetched)
      if (current === undefined) return undefined
      known.push(current)
    }
    return known
  }

  /** The generation as it is now, if it is the one that the entry is bound to. */
  async #current(
    { generation, storedKey }: BoundGeneration,
    fetched: Question['fetched'],
  ): Promise<KnownGeneration | undefined> {
    const read = fetched.get(storedKey)
    const known = this.#parts.generations.known(storedKey) ?? (read?.isLive ? read : undefined)
    if (known?.generation === generation) return known
    // What was known before this read, or shared with an earlier one, may be behind: it is asked for once more.
    const isSure = fetched.has(storedKey) && (read === undefined || read.isLive)
    const current = isSure ? undefined : await this.fetch(storedKey)
    return current?.generation === generation ? current : undefined
  }
}

/** Whether these bytes stand there; they are too few for a call to pay. */
function isAt(bytes: Buffer, start: number, end: number, wanted: Buffer): boolean {
  if (end - start !== wanted.length) return false
  for (let index = 0; index < wanted.length; index++) {
    if (bytes[start + index] !== wanted[index]) return false
  }
  return true
}
