import type { ReplyClock } from '../../backend/read-outcome.ts'
import type { SharedTier } from '../../backend/shared-tier.ts'
import {
  type BoundGeneration,
  type EntryFacts,
  leaseDeadlineMs,
  readEntryFacts,
  readGenerations,
  stampIn,
} from '../../codec/envelope/entry-meta.ts'
import type { PlainEntry } from '../../codec/envelope/envelope.ts'
import type { OpenedValue, ValueCodec } from '../../codec/value-codec.ts'
import { type Isolation, isolate } from '../local/isolation.ts'
import { LocalEntry } from '../local/local-entry.ts'
import type { LocalTier } from '../local/local-tier.ts'
import { keptUntil, localTimes, type ReadMoment } from '../local/local-times.ts'
import { type GenerationSet, NO_GENERATIONS } from '../tags/generation-set.ts'
import type { GenerationTable } from '../tags/generation-table.ts'
import type { KnownGeneration } from '../tags/known-generation.ts'
import { ABSENT, type Judgement } from './judgement.ts'

/** Stands for one read of a key, in the local tier too. */
export interface KeyRead {
  readonly storedKey: string
  /** A moment of the generation table before it was sent. */
  readonly askedAt: number
  /**
   * Set where the read must not be older than a change that was acknowledged anywhere before it began: the generations
   * that were asked for together with the key. No other is believed whose push might still be on its way.
   */
  readonly asked?: ReadonlyMap<string, Promise<KnownGeneration | undefined>> | undefined
}

/** What an {@link EntryJudge} is made of. */
export interface JudgeParts {
  readonly tier: SharedTier
  readonly codec: ValueCodec
  readonly local: LocalTier
  readonly generations: GenerationTable
  readonly isolation: Isolation
  /** Told of bytes that cannot be decoded. */
  readonly onUndecodable: (storedKey: string, error: unknown) => void
}

/** Bytes that were checked, before their generations and their value were looked at. */
interface Opened {
  /** `undefined` for a plain value. */
  readonly facts: EntryFacts | undefined
  readonly set: GenerationSet | undefined | Promise<GenerationSet | undefined>
  decode(): unknown
}

/**
 * Turns the bytes under a key into a judgement, and keeps a usable entry in the local tier.
 *
 * The judgement is at hand at once where the entry's generations are known here and its value can be decoded at once:
 * most reads are answered in the callback that brings their reply. Otherwise it is a promise, for which one more round
 * trip asks for all generations that are missing.
 */
export class EntryJudge {
  readonly #parts: JudgeParts
  /** The section `generations` of the last entry, and what it means: most entries have the same one. */
  #lastSection: Buffer = Buffer.alloc(0)
  #lastSet: GenerationSet = NO_GENERATIONS

  constructor(parts: JudgeParts) {
    this.#parts = parts
  }

  /**
   * @param bytes `null` where the key holds no string
   * @param nowMs the present moment on the monotonic clock
   * @param server the clock of the server that sent the reply
   * @returns a promise where something has to be waited for; it rejects with a CacheError where a generation cannot be
   * read
   */
  judge(
    read: KeyRead,
    bytes: Buffer | null,
    nowMs: number,
    server?: ReplyClock,
  ): Judgement | Promise<Judgement> {
    const judging = bytes === null ? ABSENT : this.#judge(read, bytes, nowMs, server)
    if (!(judging instanceof Promise)) return this.#concluded(read, judging)
    return judging.then(
      (judgement) => this.#concluded(read, judgement),
      (error) => {
        this.#parts.local.forget(read.storedKey, read)
        throw error
      },
    )
  }

  /**
   * Asks for the generations of a read that must not be older than a change that was acknowledged anywhere: for those
   * whose pushes may arrive later than the reply.
   */
  askAnew(storedKey: string, generationKeys: readonly string[]): NonNullable<KeyRead['asked']> {
    const { generations, tier } = this.#parts
    const asked = new Map<string, Promise<KnownGeneration | undefined>>()
    for (const generationKey of generationKeys) {
      if (tier.pushesInOrder(storedKey, generationKey)) continue
      const fetching = generations.fetchAnew(generationKey)
      // A failure is told to the judgement that needs it.
      fetching.catch(() => {})
      asked.set(generationKey, fetching)
    }
    return asked
  }

  #concluded(read: KeyRead, judgement: Judgement): Judgement {
    const { local } = this.#parts
    if (judgement.state !== 'usable') local.drop(read.storedKey)
    local.forget(read.storedKey, read)
    return judgement
  }

  #judge(
    read: KeyRead,
    bytes: Buffer,
    nowMs: number,
    server: ReplyClock | undefined,
  ): Judgement | Promise<Judgement> {
    const { tier } = this.#parts
    const serverNowMs = server === undefined ? tier.serverNowMs(read.storedKey, nowMs) : server.nowMs(nowMs)
    let opened: Opened | undefined
    try {
      opened = this.#open(read, bytes)
    } catch (error) {
      return this.#undecodable(read, bytes, error)
    }
    if (opened === undefined) return ABSENT
    const { set } = opened
    return set instanceof Promise
      ? set.then((found) => this.#judgeBound(read, bytes, opened, found, { nowMs, serverNowMs }))
      : this.#judgeBound(read, bytes, opened, set, { nowMs, serverNowMs })
  }

  /** `undefined` for a placeholder. @throws CacheError `CACHE_UNDECODABLE` */
  #open(read: KeyRead, bytes: Buffer): Opened | undefined {
    const { codec } = this.#parts
    const plain = codec.openPlainEntry(read.storedKey, bytes)
    if (plain !== undefined) {
      return {
        facts: readEntryFacts(bytes),
        set: this.#setIn(read, bytes, plain),
        decode: () => codec.decodePlainEntry(bytes, plain),
      }
    }
    const opened: OpenedValue | undefined = codec.open(read.storedKey, bytes)
    if (opened === undefined) return undefined
    const { entry } = opened
    return {
      facts: entry,
      set: entry === undefined ? NO_GENERATIONS : this.#currentSet(read, entry.generations),
      decode: () => opened.decode(),
    }
  }

  /** @param set `undefined` where a generation was replaced or is lost */
  #judgeBound(
    read: KeyRead,
    bytes: Buffer,
    opened: Opened,
    set: GenerationSet | undefined,
    moment: ReadMoment,
  ): Judgement | Promise<Judgement> {
    if (set === undefined) return { state: 'unusable', stamp: stampIn(bytes) }
    try {
      const value = opened.decode()
      if (!(value instanceof Promise)) return this.#usable(read, bytes, opened.facts, set, value, moment)
      return value.then(
        (loaded) => this.#usable(read, bytes, opened.facts, set, loaded, moment),
        (error) => this.#undecodable(read, bytes, error),
      )
    } catch (error) {
      return this.#undecodable(read, bytes, error)
    }
  }

  #undecodable({ storedKey }: KeyRead, bytes: Buffer, error: unknown): Judgement {
    this.#parts.onUndecodable(storedKey, error)
    return { state: 'unusable', stamp: stampIn(bytes) }
  }

  #usable(
    read: KeyRead,
    bytes: Buffer,
    facts: EntryFacts | undefined,
    set: GenerationSet,
    value: unknown,
    moment: ReadMoment,
  ): Judgement {
    if (facts === undefined) return this.#plainValue(read, bytes, value, moment)
    const entry = this.entry(value, facts, set, leaseDeadlineMs(bytes), moment)
    this.#parts.local.keep(read.storedKey, read, entry, bytes.length)
    return { state: 'usable', stamp: facts.stamp, entry }
  }

  /**
   * A value that is ready to be served, whether or not it is kept.
   * @param leaseMs until when somebody may be loading a newer value, on the server's clock
   */
  entry(
    value: unknown,
    facts: EntryFacts,
    set: GenerationSet,
    leaseMs: number,
    moment: ReadMoment,
  ): LocalEntry {
    const { isolation, local, tier } = this.#parts
    const { localTtlMs } = tier
    const keptUntilMs =
      localTtlMs === Number.POSITIVE_INFINITY
        ? undefined
        : keptUntil(localTtlMs, moment.nowMs, set.believedUntilMs)
    const times = localTimes(facts, leaseMs, moment, keptUntilMs)
    return new LocalEntry(isolate(value, isolation), facts, times, set, local.epoch)
  }

  /** A plain value does not tell its time to live: Redis is asked for it, and the value is kept only for that long (L7). */
  #plainValue(read: KeyRead, bytes: Buffer, value: unknown, { nowMs }: ReadMoment): Judgement {
    const { isolation, local, tier } = this.#parts
    const { storedKey } = read
    const untilMs = (freshUntilMs: number) => {
      const times = { bornMs: undefined, freshUntilMs, keptUntilMs: freshUntilMs, leasedUntilMs: 0 }
      return new LocalEntry(isolate(value, isolation), undefined, times, NO_GENERATIONS, local.epoch)
    }
    const isTold = tier.coherence === 'tracking' || tier.coherence === 'process'
    if (isTold && local.isExpected(storedKey, read)) {
      // The caller does not wait for this.
      const again = local.expect(storedKey)
      tier.ttlMs(storedKey).then(
        (ttlMs) => {
          if (ttlMs !== undefined) local.keep(storedKey, again, untilMs(nowMs + ttlMs), bytes.length)
        },
        () => local.forget(storedKey, again),
      )
    }
    return { state: 'usable', stamp: stampIn(bytes), entry: untilMs(Number.POSITIVE_INFINITY) }
  }

  /** The set of an entry in the form that is read most; usually the same as that of the entry before it. */
  #setIn(read: KeyRead, bytes: Buffer, { generationsAt, payloadAt }: PlainEntry): Opened['set'] {
    const isLasting = read.asked === undefined && this.#parts.tier.localTtlMs === Number.POSITIVE_INFINITY
    if (isLasting && this.#lastSet.isValid && isAt(bytes, generationsAt, payloadAt, this.#lastSection)) {
      return this.#lastSet
    }
    const set = this.#currentSet(read, readGenerations(bytes, generationsAt))
    if (isLasting && set !== undefined && !(set instanceof Promise)) {
      this.#lastSection = Buffer.from(bytes.subarray(generationsAt, payloadAt))
      this.#lastSet = set
    }
    return set
  }

  /** The set of these generations if all are the current ones; `undefined` where one is not. */
  #currentSet(read: KeyRead, bound: readonly BoundGeneration[]): Opened['set'] {
    const isBelieved = bound.every(({ storedKey }) => this.#isBelieved(read, storedKey))
    const set = isBelieved ? this.#parts.generations.resolve(bound) : undefined
    return set ?? this.#askFor(read, bound)
  }

  /** Whether what is known of a generation may be believed, since news of a change would have come before the reply. */
  #isBelieved({ asked, storedKey }: KeyRead, generationKey: string): boolean {
    return asked === undefined || this.#parts.tier.pushesInOrder(storedKey, generationKey)
  }

  async #askFor(read: KeyRead, bound: readonly BoundGeneration[]): Promise<GenerationSet | undefined> {
    // All in one tick, so in one round trip.
    const current = await Promise.all(bound.map((one) => this.#current(read, one)))
    const known: KnownGeneration[] = []
    for (const one of current) {
      if (one === undefined) return undefined
      known.push(one)
    }
    return this.#parts.generations.setOf(bound, known)
  }

  /** What is known of a generation, if it is still the one that the entry is bound to. */
  async #current(
    read: KeyRead,
    { generation, storedKey }: BoundGeneration,
  ): Promise<KnownGeneration | undefined> {
    const { generations } = this.#parts
    let current: KnownGeneration | undefined
    if (this.#isBelieved(read, storedKey)) {
      const known = generations.known(storedKey)
      if (known?.generation === generation) return known
      // One that was read before this read began may be older than the entry, so it is read once more (T4).
      const isSure = known !== undefined && known.confirmedAt >= read.askedAt
      current = isSure ? undefined : await generations.fetch(storedKey)
    } else {
      current = await (read.asked?.get(storedKey) ?? generations.fetchAnew(storedKey))
    }
    return current?.generation === generation ? current : undefined
  }
}

/** Whether these bytes stand there. They are too few for a native call to pay. */
function isAt(bytes: Buffer, start: number, end: number, wanted: Buffer): boolean {
  if (end - start !== wanted.length) return false
  for (let index = 0; index < wanted.length; index++) {
    if (bytes[start + index] !== wanted[index]) return false
  }
  return true
}
