import { AsyncResource } from 'node:async_hooks'
import { isAccepted } from '../entries/acceptance.ts'
import { isBoundToAll, type Wants } from '../entries/judgement.ts'
import { isTooOld } from '../freshness/max-age.ts'
import type { Inheritance } from '../inheritance/inheritance.ts'
import type { FirstRead } from '../loading/load-request.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { ImpatientRead } from './slow-reads.ts'

/** What a caller asks for. */
export interface Question extends Wants {
  readonly key: string
  readonly storedKey: string
  /** The age beyond which a value is stale for the caller. */
  readonly maxAgeMs?: number | undefined
  /** Told of the value: that of the loader which asks, if its entry inherits. */
  readonly outer?: Inheritance | undefined
}

/**
 * Turns the result of a read into the answer for a caller. One object serves all callers of its kind. An error that it
 * throws rejects the caller's promise.
 */
export interface Answers<Asked extends Question, Answer> {
  /**
   * The read found a fresh entry that this caller may get. It runs in the async context of the reply, as entering the
   * caller's would cost every hit. What it starts must run in that of the caller.
   */
  fresh(asked: Asked, entry: LocalEntry, nowMs: number, caller: AsyncResource): Answer
  /** The read found anything else, has failed, or its result is not known yet. It runs in the caller's context. */
  other(asked: Asked, read: FirstRead): Answer | Promise<Answer>
  /** A caller begins to wait. It may be told that its read is slow, until {@link answered}. */
  waits?(asked: Asked, caller: ImpatientRead): void
  /** A caller no longer waits. */
  answered?(asked: Asked, caller: ImpatientRead): void
}

/** The read that callers wait for. */
export interface AwaitedRead {
  /** The read, for a flight that begins with it. */
  handOver(): FirstRead
}

/**
 * A caller that waits for a read, which it may share with other callers. It owns the promise that it was given, and keeps
 * its async context: what a reply starts for it (a loader above all) must not run in the context of whoever sent the
 * read.
 */
export class WaitingCaller<Asked extends Question, Answer> extends AsyncResource implements ImpatientRead {
  readonly #read: AwaitedRead
  readonly #asked: Asked
  readonly #answers: Answers<Asked, Answer>
  #resolve: ((answer: Answer | Promise<Answer>) => void) | undefined
  #reject: ((error: unknown) => void) | undefined

  constructor(
    read: AwaitedRead,
    asked: Asked,
    answers: Answers<Asked, Answer>,
    resolve: (answer: Answer | Promise<Answer>) => void,
    reject: (error: unknown) => void,
  ) {
    super('WaitingCaller')
    this.#read = read
    this.#asked = asked
    this.#answers = answers
    this.#resolve = resolve
    this.#reject = reject
    answers.waits?.(asked, this)
  }

  /** Hands the caller over to a flight, which honours its signal and timeouts. The reply no longer answers it here. */
  slow(): void {
    this.answer(undefined, 0)
  }

  /**
   * Settles the promise, once.
   * @param entry the fresh entry that the read found; `undefined` if it found none, or if its result is not known yet
   */
  answer(entry: LocalEntry | undefined, nowMs: number): void {
    const resolve = this.#resolve
    const reject = this.#reject
    if (resolve === undefined) return
    // Both keep the promise alive, and with it the value: see `PendingRead`.
    this.#resolve = undefined
    this.#reject = undefined
    this.#answers.answered?.(this.#asked, this)
    try {
      resolve(this.#answerTo(entry, nowMs))
    } catch (error) {
      reject?.(error)
    }
  }

  /** A fresh entry that suits one caller may not suit another one with other tags, another schema or a `maxAge`. */
  #answerTo(entry: LocalEntry | undefined, nowMs: number): Answer | Promise<Answer> {
    const asked = this.#asked
    const suits =
      entry !== undefined &&
      isBoundToAll(entry, asked.generationKeys) &&
      !isTooOld(entry, nowMs, asked.maxAgeMs) &&
      isAccepted(entry.value, asked.accepts)
    return suits
      ? this.#answers.fresh(asked, entry, nowMs, this)
      : this.runInAsyncScope(() => this.#answers.other(asked, this.#read.handOver()))
  }
}
