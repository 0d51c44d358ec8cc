import type { ReplyClock } from '../../backend/seams/read-outcome.ts'
import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import { type EntryFacts, leaseDeadlineMs, readEntryFacts, stampIn } from '../../codec/envelope/entry-meta.ts'
import type { PlainEntry } from '../../codec/envelope/envelope.ts'
import type { OpenedValue } from '../../codec/opened-value.ts'
import type { ValueCodec } from '../../codec/value-codec.ts'
import { type IsolatedValue, type Isolation, isolate, NO_VALUE } from '../local/isolation.ts'
import { LocalEntry } from '../local/local-entry.ts'
import type { LocalTier } from '../local/local-tier.ts'
import { keptUntil, localTimes, type ReadMoment } from '../local/local-times.ts'
import type { PrefixRules } from '../local/prefix-rules.ts'
import { type GenerationSet, NO_GENERATIONS } from '../tags/generation-set.ts'
import type { CheckedSet, GenerationCheck } from './generation-check.ts'
import { ABSENT, type Judgement } from './judgement.ts'
import type { KeyRead } from './key-read.ts'

/** The parts of an {@link EntryJudge}. */
export interface JudgeParts {
  readonly tier: SharedTier
  readonly codec: ValueCodec
  readonly local: LocalTier
  readonly check: GenerationCheck
  readonly isolations: PrefixRules<Isolation>
  /** Called for bytes that cannot be decoded. */
  readonly onUndecodable: (storedKey: string, error: unknown) => void
}

/** Verified bytes, whose value has not been decoded yet. */
interface Opened extends ReadMoment {
  /** `undefined` for a plain value. */
  readonly facts: EntryFacts | undefined
  readonly set: CheckedSet
  /** Set for an entry in the most frequent form; otherwise `other` is set. */
  readonly plain: PlainEntry | undefined
  readonly other: OpenedValue | undefined
}

/**
 * Turns the bytes under a key into a judgement, and keeps a usable entry in the local tier.
 *
 * The judgement is synchronous if this process knows the entry's generations and need not load anything to decode its
 * value. So most reads are answered in the callback that receives their reply. Otherwise it is a promise; one more
 * round trip then reads all missing generations.
 */
export class EntryJudge {
  readonly #parts: JudgeParts
  /** Keeps the hidden class of entries alive if the local tier holds none: see `PendingRead.specimen`. */
  #specimen: LocalEntry | undefined

  constructor(parts: JudgeParts) {
    this.#parts = parts
  }

  /**
   * @param bytes `null` if the key holds no string
   * @param nowMs the current time on the monotonic clock
   * @param server the clock of the server that sent the reply
   * @returns a promise if the judgement is not synchronous; it rejects with a CacheError if a generation cannot be read
   */
  judge(
    read: KeyRead,
    bytes: Buffer | null,
    nowMs: number,
    server?: ReplyClock,
  ): Judgement | Promise<Judgement> {
    const judging = bytes === null ? ABSENT : this.#judge(read, bytes, nowMs, server)
    return judging instanceof Promise ? this.#concludedLater(read, judging) : this.#concluded(read, judging)
  }

  #concluded(read: KeyRead, judgement: Judgement): Judgement {
    const { local } = this.#parts
    // If the key has been touched since, the local copy is gone already. If it has been read again, that read decides.
    if (local.isExpected(read.storedKey, read) && this.#isOutdated(read, judgement))
      local.drop(read.storedKey)
    local.forget(read.storedKey, read)
    return judgement
  }

  /** Whether a read has shown that Redis does not hold what the local tier does. One that keeps nothing may find another value. */
  #isOutdated({ asked, storedKey }: KeyRead, judgement: Judgement): boolean {
    if (judgement.state !== 'usable') return true
    const { entry } = judgement
    if (asked === undefined) return false
    return entry.isPlain || this.#parts.local.peekStored(storedKey)?.stamp !== entry.stamp
  }

  // Closures are in separate methods: V8 allocates the variables that they capture at every call of their method.

  async #concludedLater(read: KeyRead, judging: Promise<Judgement>): Promise<Judgement> {
    try {
      return this.#concluded(read, await judging)
    } catch (error) {
      this.#parts.local.forget(read.storedKey, read)
      throw error
    }
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
      opened = this.#open(read, bytes, nowMs, serverNowMs)
    } catch (error) {
      return this.#undecodable(read, bytes, error)
    }
    if (opened === undefined) return ABSENT
    return opened.set instanceof Promise
      ? this.#judgeLater(read, bytes, opened, opened.set)
      : this.#judgeBound(read, bytes, opened, opened.set)
  }

  async #judgeLater(
    read: KeyRead,
    bytes: Buffer,
    opened: Opened,
    set: Promise<GenerationSet | undefined>,
  ): Promise<Judgement> {
    return this.#judgeBound(read, bytes, opened, await set)
  }

  /** `undefined` for a placeholder. @throws CacheError `CACHE_UNDECODABLE` */
  #open(read: KeyRead, bytes: Buffer, nowMs: number, serverNowMs: number | undefined): Opened | undefined {
    const { check, codec } = this.#parts
    const plain = codec.openPlainEntry(read.storedKey, bytes)
    if (plain !== undefined) {
      const set = check.setIn(read, bytes, plain)
      return { facts: readEntryFacts(bytes), set, plain, other: undefined, nowMs, serverNowMs }
    }
    const other = codec.open(read.storedKey, bytes)
    if (other === undefined) return undefined
    const set = other.entry === undefined ? NO_GENERATIONS : check.currentSet(read, other.entry.generations)
    return { facts: other.entry, set, plain, other, nowMs, serverNowMs }
  }

  /** @param set `undefined` if a generation was replaced or lost */
  #judgeBound(
    read: KeyRead,
    bytes: Buffer,
    opened: Opened,
    set: GenerationSet | undefined,
  ): Judgement | Promise<Judgement> {
    if (set === undefined) return { state: 'unusable', stamp: stampIn(bytes) }
    try {
      const { facts, other, plain } = opened
      const value = plain === undefined ? other?.decode() : this.#parts.codec.decodePlainEntry(bytes, plain)
      return value instanceof Promise
        ? this.#usableLater(read, bytes, facts, set, value, opened)
        : this.#usable(read, bytes, facts, set, value, opened)
    } catch (error) {
      return this.#undecodable(read, bytes, error)
    }
  }

  async #usableLater(
    read: KeyRead,
    bytes: Buffer,
    facts: EntryFacts | undefined,
    set: GenerationSet,
    value: Promise<unknown>,
    opened: Opened,
  ): Promise<Judgement> {
    try {
      return this.#usable(read, bytes, facts, set, await value, opened)
    } catch (error) {
      return this.#undecodable(read, bytes, error)
    }
  }

  #undecodable({ storedKey }: KeyRead, bytes: Buffer, error: unknown): Judgement {
    this.#parts.onUndecodable(storedKey, error)
    return { state: 'unusable', stamp: stampIn(bytes), isUndecodable: true }
  }

  #usable(
    read: KeyRead,
    bytes: Buffer,
    facts: EntryFacts | undefined,
    set: GenerationSet,
    value: unknown,
    opened: Opened,
  ): Judgement {
    const size = Math.max(bytes.length, opened.other?.serializedBytes ?? 0)
    if (facts === undefined) return this.#plainValue(read, bytes, value, size, opened)
    const isolated = isolate(value, this.#parts.isolations.of(read.storedKey))
    const entry = this.entry(read.storedKey, isolated, facts, set, leaseDeadlineMs(bytes), opened)
    if (read.asked === undefined) this.#parts.local.keep(read.storedKey, read, entry, size)
    return { state: 'usable', stamp: facts.stamp, entry }
  }

  /**
   * A value that is ready to be served, whether or not the local tier keeps it.
   * @param leaseMs the end of its lease, on the server's clock
   */
  entry(
    storedKey: string,
    isolated: IsolatedValue,
    stored: EntryFacts,
    set: GenerationSet,
    leaseMs: number,
    moment: ReadMoment,
  ): LocalEntry {
    const { local, tier } = this.#parts
    const facts = set.isExpired ? this.#expired(storedKey, stored, set, moment) : stored
    const localTtlMs = Math.min(tier.localTtlMs, local.ttlMsOf(storedKey))
    const keptUntilMs = keptUntil(localTtlMs, moment.nowMs, set)
    const times = localTimes(facts, leaseMs, moment, keptUntilMs)
    this.#specimen ??= new LocalEntry(NO_VALUE, facts, times, set, local.epoch)
    return new LocalEntry(isolated, facts, times, set, local.epoch)
  }

  /** An entry that is stale earlier than it says, since one of its tags was expired. */
  #expired(storedKey: string, facts: EntryFacts, set: GenerationSet, moment: ReadMoment): EntryFacts {
    const { nowMs, serverNowMs } = moment
    if (serverNowMs === undefined) return facts
    const { tier } = this.#parts
    const leftMs = set.staleInMs(storedKey, (generationKey) => tier.serverNowMs(generationKey, nowMs))
    const ttlMs = Math.max(0, serverNowMs - facts.createdAtMs + leftMs)
    return ttlMs < facts.ttlMs ? { ...facts, ttlMs } : facts
  }

  /**
   * A plain value does not contain its time to live. In the modes `'tracking'` and `'process'` the shared tier is asked
   * for it, and the local tier keeps the value for that long (L7). In other modes the value is not kept.
   */
  #plainValue(read: KeyRead, bytes: Buffer, value: unknown, size: number, { nowMs }: ReadMoment): Judgement {
    const { isolations, local, tier } = this.#parts
    const { storedKey } = read
    const isolation = isolations.of(storedKey)
    const untilMs = (freshUntilMs: number) => {
      const keptUntilMs = Math.min(freshUntilMs, nowMs + local.ttlMsOf(storedKey))
      const times = { bornMs: undefined, readAtMs: nowMs, freshUntilMs, keptUntilMs, leasedUntilMs: 0 }
      return new LocalEntry(isolate(value, isolation), undefined, times, NO_GENERATIONS, local.epoch)
    }
    const isTold = tier.coherence === 'tracking' || tier.coherence === 'process'
    if (isTold && read.asked === undefined && local.keeps(storedKey) && local.isExpected(storedKey, read)) {
      // The caller does not wait for this.
      const again = local.expect(storedKey)
      tier.ttlMs(storedKey).then(
        (ttlMs) => {
          if (ttlMs === undefined) local.forget(storedKey, again)
          else local.keep(storedKey, again, untilMs(nowMs + ttlMs), size)
        },
        () => local.forget(storedKey, again),
      )
    }
    return { state: 'usable', stamp: stampIn(bytes), entry: untilMs(Number.POSITIVE_INFINITY) }
  }
}
