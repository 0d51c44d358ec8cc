import type { ReadOutcome, ReplyClock } from '../../backend/seams/read-outcome.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Judgement } from '../entries/judgement.ts'
import type { KeyRead } from '../entries/key-read.ts'
import { servableAsRead } from '../freshness/servable.ts'
import type { FirstRead } from '../loading/load-request.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { type Answers, type AwaitedRead, type Question, WaitingCaller } from './waiting-caller.ts'

/**
 * The first step of every call that the local tier cannot answer.
 *
 * Most reads find a fresh value, and need no flight, no lease and no timer. So a pending read is a single object: it
 * sends the read, stands for it in the local tier (L2), and judges the reply in the callback that receives it. Only if
 * the entry is absent, stale, unusable or in need of another round trip does the call go on to a flight, which begins
 * with this read.
 *
 * Callers of the same key join the read as long as nothing has touched the key (L4): an invalidation or an own write
 * removes the read from the local tier's pending reads, where newcomers look for it. A change of a generation need not
 * remove it, since the generations are checked when the reply arrives.
 */
export class PendingRead implements ReadOutcome<void>, KeyRead, FirstRead, AwaitedRead {
  readonly storedKey: string
  readonly askedAt: number
  readonly epoch: number
  readonly asked: KeyRead['asked']
  readonly #core: CacheCore
  #callers: WaitingCaller<Question, unknown>[] | undefined
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
    return current instanceof PendingRead && current.#isUnderWay && current.asked === undefined
      ? current.#join(asked, answers)
      : new PendingRead(core, asked, false).#send(asked, answers)
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
    return new PendingRead(core, asked, true).#send(asked, answers)
  }

  #send<Asked extends Question, Answer>(asked: Asked, answers: Answers<Asked, Answer>): Promise<Answer> {
    const { local, tier } = this.#core
    const answer = this.#join(asked, answers)
    local.expect(this.storedKey, this)
    tier.readInto(this.storedKey, this)
    return answer
  }

  #join<Asked extends Question, Answer>(asked: Asked, answers: Answers<Asked, Answer>): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const caller = new WaitingCaller(this, asked, answers, resolve, reject)
      this.#add(caller as unknown as WaitingCaller<Question, unknown>)
    })
  }

  /** An empty list would make room for more callers than most reads have. */
  #add(caller: WaitingCaller<Question, unknown>): void {
    if (this.#callers === undefined) this.#callers = [caller]
    else this.#callers.push(caller)
  }

  get failure(): unknown {
    return this.#failure
  }

  get isCurrent(): boolean {
    return this.#isUnderWay ? this.#core.local.isExpected(this.storedKey, this) : this.#wasCurrent
  }

  handOver(): FirstRead {
    this.#isHandedOver = true
    return this
  }

  judged(): Judgement | Promise<Judgement> {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#judgement !== undefined) return this.#judgement
    return new Promise((resolve) => {
      this.#onJudged ??= []
      this.#onJudged.push(resolve)
    })
  }

  found(_key: string, _storedKey: string, bytes: Buffer | null, server?: ReplyClock): void {
    const { clock, judge, tier } = this.#core
    tier.answered(this.storedKey)
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
    this.#answerAll(isFresh ? judgement.entry : undefined, nowMs)
  }

  failed(_key: string, error: unknown): void {
    const { local, tier } = this.#core
    tier.failed(this.storedKey, error)
    this.#isUnderWay = false
    this.#failure = error
    local.forget(this.storedKey, this)
    if (this.#onJudged !== undefined) this.#tellJudged(Promise.reject(error))
    this.#answerAll(undefined, 0)
  }

  #tellJudged(judging: Promise<Judgement>): void {
    for (const resolve of this.#onJudged ?? []) resolve(judging)
  }

  #answerAll(entry: LocalEntry | undefined, nowMs: number): void {
    for (const caller of this.#callers ?? []) caller.answer(entry, nowMs)
    // V8 may have moved this read to its old space. There it would keep the value alive until a full collection.
    if (!this.#isHandedOver) this.#judgement = undefined
  }
}
