import type { ReadOutcome, ReplyClock } from '../../backend/seams/read-outcome.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { isAccepted } from '../entries/acceptance.ts'
import { isBoundToAll, type Judgement, type Wants } from '../entries/judgement.ts'
import type { KeyRead } from '../entries/key-read.ts'
import { servableAsRead } from '../freshness/servable.ts'
import type { FirstRead } from '../loading/load-request.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { ImpatientRead, SlowReads } from './slow-reads.ts'

/** What a caller asks for. */
export interface Question extends Wants {
  readonly key: string
  readonly storedKey: string
}

/**
 * What becomes of a {@link PendingRead}. One object answers all questions of its kind. What it throws rejects the
 * caller's promise.
 */
export interface Answers<Asked extends Question, Answer> {
  /** A fresh entry was found that the caller may be served. */
  fresh(asked: Asked, entry: LocalEntry, nowMs: number): Answer
  /** Something else was found, or it is still being found out, or the read has failed. */
  other(asked: Asked, read: FirstRead): Answer | Promise<Answer>
}

/** A caller with a promise of its own. */
class Waiting<Asked extends Question, Answer> implements ImpatientRead {
  readonly asked: Asked
  readonly answers: Answers<Asked, Answer>
  readonly promise: Promise<Answer>
  readonly #read: PendingRead
  #isAnswered = false
  #slowReads: SlowReads | undefined
  #resolve!: (answer: Answer | Promise<Answer>) => void
  #reject!: (error: unknown) => void

  constructor(read: PendingRead, asked: Asked, answers: Answers<Asked, Answer>) {
    this.#read = read
    this.asked = asked
    this.answers = answers
    this.promise = new Promise<Answer>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  watchedBy(slowReads: SlowReads, nowMs: number, longestMs: number): void {
    this.#slowReads = slowReads
    slowReads.watch(this, nowMs, longestMs)
  }

  /** The caller does not wait for the reply any longer: the rest is a matter of patience, which flights attend to. */
  slow(): void {
    this.#isAnswered = true
    try {
      this.#resolve(this.#read.handOver(this.asked, this.answers))
    } catch (error) {
      this.#reject(error)
    }
  }

  answer(entry: LocalEntry | undefined, nowMs: number): void {
    if (this.#isAnswered) return
    this.#slowReads?.answered(this)
    try {
      this.#resolve(this.#read.answerTo(this.asked, this.answers, entry, nowMs))
    } catch (error) {
      this.#reject(error)
    }
  }
}

/**
 * The read with which everything begins that the local tier cannot answer.
 *
 * Most reads find a fresh value, and need nothing of what a load needs: no flight, no lease, no timer. So a pending read
 * is one object that asks, stands for its read in the local tier (L2), and is judged in the callback that brings the
 * reply; the caller's promise is that of the read itself. Only what is absent, stale, unusable or in need of another
 * round trip goes on to a flight, which begins with this read.
 *
 * Callers of the same key join it as long as nothing has touched the key (L4): whatever touches the key removes the read
 * from the local tier's pending reads, where newcomers look for it. Generations need no such care, since the reply is
 * judged by what is known when it comes.
 */
export class PendingRead implements ReadOutcome<unknown>, KeyRead, FirstRead {
  readonly storedKey: string
  readonly askedAt: number
  readonly epoch: number
  readonly asked: KeyRead['asked']
  readonly #core: CacheCore
  /** The first caller's, whose promise is that of the read; `undefined` where all callers have their own. */
  #question: Question | undefined
  #answers: Answers<Question, unknown> | undefined
  #others: Waiting<Question, unknown>[] | undefined
  #isUnderWay = true
  /** Whether somebody goes on with what it finds. */
  #isHandedOver = false
  /** Whether nothing had touched the key when the reply came. */
  #wasCurrent = true
  #judgement: Judgement | Promise<Judgement> | undefined
  #failure: unknown
  #onJudged: ((judging: Promise<Judgement>) => void)[] | undefined

  private constructor(core: CacheCore, { generationKeys, storedKey }: Question, isPastLag: boolean) {
    const { check, generations, local } = core
    this.#core = core
    this.storedKey = storedKey
    this.askedAt = generations.now
    this.epoch = local.epoch
    if (isPastLag) this.asked = check.askAnew(storedKey, generationKeys)
    generations.fetchAll(generationKeys)
  }

  /**
   * A read that is never sent, with a caller. It keeps their hidden classes alive while no read is in flight: a full
   * collection that finds no object of a class makes V8 discard the code that it optimized for that class.
   */
  static specimen(core: CacheCore, answers: Answers<Question, unknown>): object {
    const asked = { key: '', storedKey: '', generationKeys: [] }
    const read = new PendingRead(core, asked, false)
    read.#join(asked, answers)
    return read
  }

  /**
   * Sends a read, or joins the one of the same key that is under way. One round trip, shared with the other reads of the
   * tick, and with those of the caller's generations that are not known. Only where the tier is clear for the key.
   */
  static of<Asked extends Question, Answer>(
    core: CacheCore,
    asked: Asked,
    answers: Answers<Asked, Answer>,
  ): Promise<Answer> {
    const current = core.local.expected(asked.storedKey)
    return current instanceof PendingRead && current.#isUnderWay
      ? current.#join(asked, answers).promise
      : PendingRead.#send(core, asked, answers, false)
  }

  /** As {@link of}, for a caller that may lose its patience. */
  static watched<Asked extends Question, Answer>(
    core: CacheCore,
    asked: Asked,
    answers: Answers<Asked, Answer>,
    slowReads: SlowReads,
    nowMs: number,
    longestMs: number,
  ): Promise<Answer> {
    const current = core.local.expected(asked.storedKey)
    const isUnderWay = current instanceof PendingRead && current.#isUnderWay
    const read = isUnderWay ? current : new PendingRead(core, asked, false)
    const waiting = read.#join(asked, answers)
    waiting.watchedBy(slowReads, nowMs, longestMs)
    // All its callers have promises of their own.
    if (!isUnderWay) read.#begin().catch(() => {})
    return waiting.promise
  }

  /**
   * A read that joins no other, and believes no generation whose push may still be on its way: what it finds is not
   * older than an invalidation that was acknowledged anywhere before it began.
   */
  static pastLag<Asked extends Question, Answer>(
    core: CacheCore,
    asked: Asked,
    answers: Answers<Asked, Answer>,
  ): Promise<Answer> {
    return PendingRead.#send(core, asked, answers, true)
  }

  static #send<Asked extends Question, Answer>(
    core: CacheCore,
    asked: Asked,
    answers: Answers<Asked, Answer>,
    isPastLag: boolean,
  ): Promise<Answer> {
    const read = new PendingRead(core, asked, isPastLag)
    read.#question = asked
    read.#answers = answers as unknown as Answers<Question, unknown>
    return read.#begin() as Promise<Answer>
  }

  #begin(): Promise<unknown> {
    const { local, tier } = this.#core
    local.expect(this.storedKey, this)
    return tier.readAtOnce(this.storedKey, this)
  }

  #join<Asked extends Question, Answer>(
    asked: Asked,
    answers: Answers<Asked, Answer>,
  ): Waiting<Asked, Answer> {
    const waiting = new Waiting(this, asked, answers)
    this.#others ??= []
    this.#others.push(waiting as unknown as Waiting<Question, unknown>)
    return waiting
  }

  get failure(): unknown {
    return this.#failure
  }

  get isCurrent(): boolean {
    return this.#isUnderWay ? this.#core.local.isExpected(this.storedKey, this) : this.#wasCurrent
  }

  judged(): Judgement | Promise<Judgement> {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#judgement !== undefined) return this.#judgement
    return new Promise((resolve) => {
      this.#onJudged ??= []
      this.#onJudged.push(resolve)
    })
  }

  found(_key: string, _storedKey: string, bytes: Buffer | null, server?: ReplyClock): unknown {
    const { clock, judge, tier } = this.#core
    tier.answered()
    this.#wasCurrent = this.isCurrent
    this.#isUnderWay = false
    const nowMs = clock.monotonicMs()
    const judgement = judge.judge(this, bytes, nowMs, server)
    this.#judgement = judgement
    if (judgement instanceof Promise) judgement.catch(() => {})
    if (this.#onJudged !== undefined) this.#tellJudged(Promise.resolve(judgement))
    const isFresh =
      !(judgement instanceof Promise) &&
      judgement.state === 'usable' &&
      servableAsRead(judgement.entry, nowMs) === 'fresh'
    return this.#answerAll(isFresh ? judgement.entry : undefined, nowMs)
  }

  failed(_key: string, error: unknown): unknown {
    const { local, tier } = this.#core
    tier.failed(error)
    this.#isUnderWay = false
    this.#failure = error
    local.forget(this.storedKey, this)
    if (this.#onJudged !== undefined) this.#tellJudged(Promise.reject(error))
    return this.#answerAll(undefined, 0)
  }

  #tellJudged(judging: Promise<Judgement>): void {
    for (const resolve of this.#onJudged ?? []) resolve(judging)
  }

  /** The first caller's answer goes back with the read. The others have promises of their own. */
  #answerAll(entry: LocalEntry | undefined, nowMs: number): unknown {
    try {
      if (this.#question === undefined || this.#answers === undefined) return undefined
      return this.answerTo(this.#question, this.#answers, entry, nowMs)
    } finally {
      if (this.#others !== undefined) for (const waiting of this.#others) waiting.answer(entry, nowMs)
      // V8 may have moved this read to its old space, where it would keep the value alive until a full collection.
      if (!this.#isHandedOver) this.#judgement = undefined
    }
  }

  /** A fresh entry that suits one caller may not suit another, who asks for other tags or with another schema. */
  answerTo<Asked extends Question, Answer>(
    asked: Asked,
    answers: Answers<Asked, Answer>,
    entry: LocalEntry | undefined,
    nowMs: number,
  ): Answer | Promise<Answer> {
    const suits =
      entry !== undefined &&
      isBoundToAll(entry, asked.generationKeys) &&
      isAccepted(entry.value, asked.accepts)
    return suits ? answers.fresh(asked, entry, nowMs) : this.handOver(asked, answers)
  }

  /** Lets a caller go on with this read, whatever it finds. */
  handOver<Asked extends Question, Answer>(
    asked: Asked,
    answers: Answers<Asked, Answer>,
  ): Answer | Promise<Answer> {
    this.#isHandedOver = true
    return answers.other(asked, this)
  }
}
