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
 * Turns the result of a {@link PendingRead} into the answer for a caller. One object serves all callers of its kind. An
 * error that it throws rejects the caller's promise.
 */
export interface Answers<Asked extends Question, Answer> {
  /** The read found a fresh entry that this caller may get. */
  fresh(asked: Asked, entry: LocalEntry, nowMs: number): Answer
  /** The read found anything else, has failed, or its result is not known yet. */
  other(asked: Asked, read: FirstRead): Answer | Promise<Answer>
}

/** A caller that has its own promise, and does not share that of the read. */
class Waiting<Asked extends Question, Answer> implements ImpatientRead {
  readonly #read: PendingRead
  readonly #asked: Asked
  readonly #answers: Answers<Asked, Answer>
  readonly #slowReads: SlowReads | undefined
  #resolve: ((answer: Answer | Promise<Answer>) => void) | undefined
  #reject: ((error: unknown) => void) | undefined

  constructor(
    read: PendingRead,
    asked: Asked,
    answers: Answers<Asked, Answer>,
    slowReads: SlowReads | undefined,
    resolve: (answer: Answer | Promise<Answer>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#read = read
    this.#asked = asked
    this.#answers = answers
    this.#slowReads = slowReads
    this.#resolve = resolve
    this.#reject = reject
  }

  /** Hands the caller over to a flight, which honours its signal and timeouts. The reply no longer answers it here. */
  slow(): void {
    this.answer(undefined, 0)
  }

  answer(entry: LocalEntry | undefined, nowMs: number): void {
    const resolve = this.#resolve
    const reject = this.#reject
    // Both keep the promise alive, and with it the value: see `PendingRead`.
    this.#resolve = undefined
    this.#reject = undefined
    this.#slowReads?.answered(this)
    try {
      resolve?.(this.#read.answerTo(this.#asked, this.#answers, entry, nowMs))
    } catch (error) {
      reject?.(error)
    }
  }
}

/**
 * The first step of every call that the local tier cannot answer.
 *
 * Most reads find a fresh value, and need no flight, no lease and no timer. So a pending read is a single object: it
 * sends the read, stands for it in the local tier (L2), and judges the reply in the callback that receives it. The
 * caller gets the promise of the read itself. Only if the entry is absent, stale, unusable or in need of another round
 * trip does the call go on to a flight, which begins with this read.
 *
 * Callers of the same key join the read as long as nothing has touched the key (L4): an invalidation or an own write
 * removes the read from the local tier's pending reads, where newcomers look for it. A change of a generation need not
 * remove it, since the generations are checked when the reply arrives.
 */
export class PendingRead implements ReadOutcome<unknown>, KeyRead, FirstRead {
  readonly storedKey: string
  readonly askedAt: number
  readonly epoch: number
  readonly asked: KeyRead['asked']
  readonly #core: CacheCore
  /** The question of the caller that gets the promise of the read; `undefined` if all callers have their own. */
  #question: Question | undefined
  #answers: Answers<Question, unknown> | undefined
  #others: Waiting<Question, unknown>[] | undefined
  #isUnderWay = true
  /** Whether a caller may use the judgement after the reply has been handled. */
  #isHandedOver = false
  /** Whether nothing had touched the key when the reply arrived. */
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
  static specimen(core: CacheCore): object {
    const asked = { key: '', storedKey: '', generationKeys: [] }
    const read = new PendingRead(core, asked, false)
    read.#join(asked, { fresh: () => undefined, other: () => undefined })
    return read
  }

  /**
   * Sends a read, or joins the read of the same key that is in flight. It takes one round trip, shared with the other
   * reads of the tick, and with reads of the caller's generations that are not known. The tier must be clear for the
   * key (`isClearFor`).
   */
  static of<Asked extends Question, Answer>(
    core: CacheCore,
    asked: Asked,
    answers: Answers<Asked, Answer>,
  ): Promise<Answer> {
    const current = core.local.expected(asked.storedKey)
    return current instanceof PendingRead && current.#isUnderWay
      ? current.#join(asked, answers)
      : PendingRead.#send(core, asked, answers, false)
  }

  /** As {@link of}, for a caller with a signal or a timeout. */
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
    const answer = read.#join(asked, answers, slowReads, nowMs, longestMs)
    // Nobody uses the promise of the read itself: all its callers have their own.
    if (!isUnderWay) read.#begin().catch(() => {})
    return answer
  }

  /**
   * Sends a read of its own, and fetches anew each generation whose push might arrive after the reply. So the result
   * reflects every invalidation, by any process, that Redis acknowledged before the read began.
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
    slowReads?: SlowReads,
    nowMs = 0,
    longestMs = 0,
  ): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const waiting = new Waiting(this, asked, answers, slowReads, resolve, reject)
      slowReads?.watch(waiting, nowMs, longestMs)
      this.#others ??= []
      this.#others.push(waiting as unknown as Waiting<Question, unknown>)
    })
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

  /** Returns the first caller's answer, as the result of the read. Settles the promises of the other callers. */
  #answerAll(entry: LocalEntry | undefined, nowMs: number): unknown {
    try {
      if (this.#question === undefined || this.#answers === undefined) return undefined
      return this.answerTo(this.#question, this.#answers, entry, nowMs)
    } finally {
      if (this.#others !== undefined) for (const waiting of this.#others) waiting.answer(entry, nowMs)
      // V8 may have moved this read to its old space. There it would keep the value alive until a full collection.
      if (!this.#isHandedOver) this.#judgement = undefined
    }
  }

  /** A fresh entry that suits one caller may not suit another one with other tags or another schema. */
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
    if (suits) return answers.fresh(asked, entry, nowMs)
    this.#isHandedOver = true
    return answers.other(asked, this)
  }
}
