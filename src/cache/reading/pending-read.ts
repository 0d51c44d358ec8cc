import type { ReadOutcome } from '../../backend/read-outcome.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { type Accepts, isAccepted } from '../entries/acceptance.ts'
import type { EarlierRead } from '../entries/earlier-read.ts'
import type { Flights } from '../loading/flights.ts'
import type { LocalEntry } from '../local/local-entry.ts'

/** What a caller wants to know. */
export interface Question {
  readonly key: string
  readonly storedKey: string
  /** Stored keys of the generations that the entry must bear, all of them known here. */
  readonly generationKeys: readonly string[]
  /** Whether a value may be served. @default any may */
  readonly accepts?: Accepts | undefined
}

/** What becomes of a {@link PendingRead}; one object answers all questions of its kind. May throw: the caller's promise rejects. */
export interface Answers<Asked extends Question, Answer> {
  /** A fresh value was found. */
  fresh(asked: Asked, entry: LocalEntry, nowMs: number): Answer
  /** Something else was found, or something that cannot be judged at once; or the read has failed. */
  other(asked: Asked, found: EarlierRead): Answer | Promise<Answer>
}

/** Another caller who came while the answer was on its way. */
interface Joined {
  readonly asked: Question
  readonly answers: Answers<Question, unknown>
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * The read with which all begins that the local tier cannot answer.
 *
 * Most reads find a fresh value, and need nothing of what a load does: no flight, no lease, nobody's patience. So they
 * are spared it. A glance is one object that asks, stands for its read in the local tier (L2), and is answered within the
 * callback that brings the reply; the caller's promise is that of the read itself. Only what it finds to be absent,
 * stale, unusable or in need of another question goes on to a flight, which takes up what was read.
 *
 * Who asks for the same key meanwhile joins it, as long as nothing has happened to the key (L4): whatever touches the key
 * removes the glance from the reads under way, and it is found there or not at all. What happens to a generation needs
 * no such care, since the reply is judged by what is known when it comes.
 */
export class PendingRead<Asked extends Question, Answer> implements ReadOutcome<Answer>, EarlierRead {
  readonly askedAt: number
  readonly epoch: number
  bytes: Buffer | null = null
  failure: unknown
  readonly #core: CacheCore
  readonly #asked: Asked
  readonly #answers: Answers<Asked, Answer>
  #joined: Joined[] | undefined
  #isUnderWay = true

  private constructor(core: CacheCore, asked: Asked, answers: Answers<Asked, Answer>) {
    this.#core = core
    this.#asked = asked
    this.#answers = answers
    this.askedAt = core.generations.now
    this.epoch = core.local.epoch
  }

  /** Whether it takes no more than a read to find out, as far as is known. */
  static isEnough(
    { generations, tier }: CacheCore,
    flights: Flights,
    { generationKeys, storedKey }: Question,
  ): boolean {
    if (!tier.isClear || flights.has(storedKey)) return false
    for (const generationKey of generationKeys)
      if (generations.known(generationKey) === undefined) return false
    return true
  }

  /** As {@link anew}, or with a glance at the same key that is under way. */
  static at<Asked extends Question, Answer>(
    core: CacheCore,
    asked: Asked,
    answers: Answers<Asked, Answer>,
  ): Promise<Answer> {
    const underWay = core.local.expected(asked.storedKey)
    if (underWay instanceof PendingRead && underWay.#isUnderWay) return underWay.#join(asked, answers)
    return PendingRead.anew(core, asked, answers)
  }

  /** One round trip, shared with the other reads of the tick. Where it {@link isEnough}. */
  static anew<Asked extends Question, Answer>(
    core: CacheCore,
    asked: Asked,
    answers: Answers<Asked, Answer>,
  ): Promise<Answer> {
    const { local, tier } = core
    const { storedKey } = asked
    const glance = new PendingRead(core, asked, answers)
    local.expect(storedKey, glance)
    return tier.readAtOnce(storedKey, glance)
  }

  found(_key: string, _storedKey: string, bytes: Buffer | null): Answer | Promise<Answer> {
    const { clock, instantReader, local, tier } = this.#core
    const { accepts, storedKey } = this.#asked
    tier.answered()
    this.#isUnderWay = false
    this.bytes = bytes
    const nowMs = clock.monotonicMs()
    const entry = bytes === null ? undefined : instantReader.freshIn(storedKey, bytes, this, accepts, nowMs)
    if (entry !== undefined) local.forget(storedKey, this)
    return this.#answerAll(entry, nowMs)
  }

  failed(_key: string, error: unknown): Answer | Promise<Answer> {
    const { local, tier } = this.#core
    tier.failed(error)
    this.#isUnderWay = false
    this.failure = error
    local.forget(this.#asked.storedKey, this)
    return this.#answerAll(undefined, 0)
  }

  #join<Other extends Question, OtherAnswer>(
    asked: Other,
    answers: Answers<Other, OtherAnswer>,
  ): Promise<OtherAnswer> {
    return new Promise<OtherAnswer>((resolve, reject) => {
      this.#joined ??= []
      this.#joined.push({ asked, answers, resolve, reject } as unknown as Joined)
    })
  }

  /** The first caller's answer goes back with the read; the others are given theirs. */
  #answerAll(entry: LocalEntry | undefined, nowMs: number): Answer | Promise<Answer> {
    try {
      return this.#answer(this.#asked, this.#answers, entry, nowMs)
    } finally {
      if (this.#joined !== undefined) this.#answerJoined(this.#joined, entry, nowMs)
    }
  }

  #answerJoined(joined: readonly Joined[], entry: LocalEntry | undefined, nowMs: number): void {
    for (const { answers, asked, reject, resolve } of joined) {
      try {
        resolve(this.#answer(asked, answers, entry, nowMs))
      } catch (error) {
        reject(error)
      }
    }
  }

  #answer<Someone extends Question, Something>(
    asked: Someone,
    answers: Answers<Someone, Something>,
    entry: LocalEntry | undefined,
    nowMs: number,
  ): Something | Promise<Something> {
    return entry !== undefined && suits(entry, asked)
      ? answers.fresh(asked, entry, nowMs)
      : answers.other(asked, this)
  }
}

/** Whether what one caller may be served may be served to another one, who asks for other tags or with another schema. */
function suits(entry: LocalEntry, { accepts, generationKeys }: Question): boolean {
  return entry.generationSet.includes(generationKeys) && isAccepted(entry.value, accepts)
}
