import type { ReplyClock } from '../../backend/read-outcome.ts'
import type { SharedTier } from '../../backend/shared-tier.ts'
import { type EntryFacts, leaseDeadlineMs, readEntryFacts, stampIn } from '../../codec/envelope/entry-meta.ts'
import type { OpenedValue, ValueCodec } from '../../codec/value-codec.ts'
import { type Isolation, isolate } from '../local/isolation.ts'
import { LocalEntry } from '../local/local-entry.ts'
import type { LocalTier } from '../local/local-tier.ts'
import { keptUntil, localTimes, type ReadMoment } from '../local/local-times.ts'
import { type GenerationSet, NO_GENERATIONS } from '../tags/generation-set.ts'
import type { CheckedSet, GenerationCheck } from './generation-check.ts'
import { ABSENT, type Judgement } from './judgement.ts'
import type { KeyRead } from './key-read.ts'

/** What an {@link EntryJudge} is made of. */
export interface JudgeParts {
  readonly tier: SharedTier
  readonly codec: ValueCodec
  readonly local: LocalTier
  readonly check: GenerationCheck
  readonly isolation: Isolation
  /** Told of bytes that cannot be decoded. */
  readonly onUndecodable: (storedKey: string, error: unknown) => void
}

/** Bytes that were checked, before their generations and their value were looked at. */
interface Opened {
  /** `undefined` for a plain value. */
  readonly facts: EntryFacts | undefined
  readonly set: CheckedSet
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
        set: this.#parts.check.setIn(read, bytes, plain),
        decode: () => codec.decodePlainEntry(bytes, plain),
      }
    }
    const opened: OpenedValue | undefined = codec.open(read.storedKey, bytes)
    if (opened === undefined) return undefined
    const { entry } = opened
    return {
      facts: entry,
      set: entry === undefined ? NO_GENERATIONS : this.#parts.check.currentSet(read, entry.generations),
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
}
