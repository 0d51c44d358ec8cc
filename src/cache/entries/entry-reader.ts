import { RAW } from '../../backend/read-outcome.ts'
import type { SharedTier } from '../../backend/shared-tier.ts'
import {
  type BoundGeneration,
  type EntryMeta,
  GENERATION_BYTES,
  leaseDeadlineMs,
  stampIn,
} from '../../codec/envelope/entry-meta.ts'
import type { OpenedValue, ValueCodec } from '../../codec/value-codec.ts'
import type { Clock } from '../../foundation/clock.ts'
import { isTagKey } from '../../foundation/reserved-keys.ts'
import { CoalescedCalls } from '../keys/coalesced-calls.ts'
import { type Isolation, isolate } from '../local/isolation.ts'
import { LocalEntry } from '../local/local-entry.ts'
import type { LocalTier } from '../local/local-tier.ts'
import { localTimesOf } from '../local/local-times.ts'
import { type GenerationSet, NO_GENERATIONS } from '../tags/generation-set.ts'
import type { GenerationTable } from '../tags/generation-table.ts'
import type { KnownGeneration } from '../tags/known-generation.ts'
import type { Accepts } from './acceptance.ts'
import type { EarlierRead } from './earlier-read.ts'

/** What the shared tier holds under a key. */
export type Judgement =
  /** Nothing, or a value that is being loaded; `stamp` is empty. */
  | { readonly state: 'absent'; readonly stamp: '' }
  /** Something that must not be served: its generation has gone, or it cannot be decoded. */
  | { readonly state: 'unusable'; readonly stamp: string; readonly error: unknown }
  /** A valid value; how fresh it is, its times tell. */
  | { readonly state: 'usable'; readonly stamp: string; readonly entry: LocalEntry }

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
const ABSENT: Judgement = Object.freeze({ state: 'absent', stamp: '' })

/** What an {@link EntryReader} is made of. */
export interface ReaderParts {
  readonly tier: SharedTier
  readonly codec: ValueCodec
  readonly local: LocalTier
  readonly generations: GenerationTable
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
  readonly #fetching = new CoalescedCalls<KnownGeneration | undefined>()

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
  invalidated(generationKey: string): void {
    this.#fetching.askAnew(generationKey)
  }

  writeBegan(generationKey: string): void {
    this.#fetching.askAnew(generationKey)
  }

  writeSettled(generationKey: string): void {
    this.#fetching.askAnew(generationKey)
  }

  removing(): void {}

  epochBegan(): void {
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
    const generations = meta === undefined ? !expected.some(isTagKey) && [] : await this.#bind(question, meta)
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
    const generationSet = this.#parts.generations.generationSet(meta.generations, generations)
    const entry = this.entry(storedKey, value, meta, generationSet, leaseDeadlineMs(bytes))
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
    generationSet: GenerationSet,
    leaseMs: number,
  ): LocalEntry {
    const { clock, isolation, local, tier } = this.#parts
    const times = localTimesOf(tier, storedKey, meta, leaseMs, clock.monotonicMs())
    return new LocalEntry(isolate(value, isolation), meta, times, generationSet, local.epoch)
  }

  /** Plain values carry no time to live: it is asked for, and the value is kept only for that long. */
  #plain(storedKey: string, bytes: Buffer, value: unknown, pending: object): Judgement {
    const { clock, isolation, local, tier } = this.#parts
    const nowMs = clock.monotonicMs()
    const isTold = tier.coherence === 'tracking' || tier.coherence === 'process'
    const kept = (freshUntilMs: number) => {
      const times = { bornMs: undefined, freshUntilMs, keptUntilMs: freshUntilMs, leasedUntilMs: 0 }
      return new LocalEntry(isolate(value, isolation), undefined, times, NO_GENERATIONS, local.epoch)
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
