/** What becomes of a task; one object serves all tasks, told apart by their subject. */
export interface DeadlineWatch<Subject> {
  /** The error of a task that took too long. */
  expired(subject: Subject): Error
  /** Called when a task resolves, be it after its deadline. */
  resolved?(): void
  /** Called when a task rejects, be it after its deadline; returns the error to reject with. */
  rejected?(error: unknown): unknown
}

/** A task under way, in a doubly linked list ordered by due time. */
interface Waiting {
  readonly dueMs: number
  readonly expire: () => void
  previous: Waiting | undefined
  next: Waiting | undefined
}

/**
 * One deadline of the same length for any number of concurrent tasks, on a single timer.
 *
 * Since all deadlines are equally long, they come due in the order in which they began: a linked list is the
 * whole timer wheel. Starting and ending a task is O(1) and creates no timer. When the timer fires, the event
 * loop first reads what has already arrived, so that a stalled loop does not take waiting replies for lost ones.
 */
export class Deadlines {
  readonly timeoutMs: number
  #first: Waiting | undefined
  #last: Waiting | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param timeoutMs how long a task may take, in milliseconds */
  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs
  }

  /** Settles as `work` does, or rejects where that takes longer than the deadline. */
  guard<Result, Subject>(
    work: Promise<Result>,
    subject: Subject,
    watch: DeadlineWatch<Subject>,
  ): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const waiting = this.#add(() => reject(watch.expired(subject)))
      work.then(
        (result) => {
          this.#remove(waiting)
          watch.resolved?.()
          resolve(result)
        },
        (error: unknown) => {
          this.#remove(waiting)
          reject(watch.rejected === undefined ? error : watch.rejected(error))
        },
      )
    })
  }

  #add(expire: () => void): Waiting {
    const waiting: Waiting = {
      dueMs: performance.now() + this.timeoutMs,
      expire,
      previous: this.#last,
      next: undefined,
    }
    if (this.#last === undefined) this.#first = waiting
    else this.#last.next = waiting
    this.#last = waiting
    this.#timer ??= this.#arm(this.timeoutMs)
    return waiting
  }

  #remove(waiting: Waiting): void {
    if (waiting.previous !== undefined) waiting.previous.next = waiting.next
    else if (this.#first === waiting) this.#first = waiting.next
    else return
    if (waiting.next !== undefined) waiting.next.previous = waiting.previous
    else this.#last = waiting.previous
    waiting.previous = undefined
    waiting.next = undefined
  }

  /** The timer holds no process open: what it waits for has a socket that does. */
  #arm(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => setImmediate(() => this.#expire()), delayMs).unref()
  }

  #expire(): void {
    const nowMs = performance.now()
    while (this.#first !== undefined && this.#first.dueMs <= nowMs) {
      const { expire } = this.#first
      this.#remove(this.#first)
      expire()
    }
    this.#timer = this.#first === undefined ? undefined : this.#arm(Math.max(1, this.#first.dueMs - nowMs))
  }
}
