import { clearTimeout, setImmediate, setTimeout, systemMs } from './timers.ts'

/** Decides how guarded tasks end. One object serves all tasks; the subject identifies the task. */
export interface DeadlineWatch<Subject> {
  /** The error with which a task rejects that took too long. */
  expired(subject: Subject): Error
  /** Called when a task resolves, also after its deadline. If it returns an error, the task rejects with that. */
  resolved?(subject: Subject, result: unknown): Error | undefined
  /** Called when a task rejects, also after its deadline. Returns the error to reject with. */
  rejected?(error: unknown, subject: Subject): unknown
}

/** A task in progress, in a doubly linked list in the order of due times. */
class Waiting<Subject> {
  readonly dueMs: number
  readonly #subject: Subject
  readonly #watch: DeadlineWatch<Subject>
  readonly #reject: (error: unknown) => void
  previous: Waiting<unknown> | undefined = undefined
  next: Waiting<unknown> | undefined = undefined

  constructor(
    dueMs: number,
    subject: Subject,
    watch: DeadlineWatch<Subject>,
    reject: (error: unknown) => void,
  ) {
    this.dueMs = dueMs
    this.#subject = subject
    this.#watch = watch
    this.#reject = reject
  }

  expire(): void {
    this.#reject(this.#watch.expired(this.#subject))
  }
}

/** A timer that fires later than this means that the event loop was stalled. */
const STALL_MS = 20

/**
 * Deadlines of one length for any number of concurrent tasks, on a single timer.
 *
 * Since all deadlines are equally long, they come due in the order in which they began, and a linked list takes the
 * place of a timer wheel. Starting and ending a task is O(1) and creates no timer. When the timer fires, the event loop
 * first reads what has arrived. If the loop was stalled, and could neither send nor read, the tasks get the lost time
 * back, at most once the length of the deadline. So a stalled process does not mistake unread replies for lost ones.
 */
export class Deadlines {
  readonly timeoutMs: number
  readonly #holdsProcess: boolean
  /** Whether the timer stays when no task is left. It serves the next task then, which needs none of its own. */
  #keepsTimer: boolean
  readonly #whenIdle: (() => void)[] = []
  #first: Waiting<unknown> | undefined
  #last: Waiting<unknown> | undefined
  #timer: NodeJS.Timeout | undefined

  /**
   * @param timeoutMs the longest duration of a task, in milliseconds
   * @param holdsProcess whether tasks in progress keep the process alive, which otherwise their sockets do
   * @param isFrequent whether tasks follow one another closely, so that a timer is left running between them
   */
  constructor(timeoutMs: number, holdsProcess = false, isFrequent = false) {
    this.timeoutMs = timeoutMs
    this.#holdsProcess = holdsProcess
    this.#keepsTimer = isFrequent
  }

  /** Resolves when no task is in progress. */
  async idle(): Promise<void> {
    while (this.#first !== undefined) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
  }

  /** From now on, no timer runs while no task is in progress. */
  wane(): void {
    this.#keepsTimer = false
    if (this.#first === undefined) this.#disarm()
  }

  /**
   * Deadlines for tasks that continue what began at `sinceMs`: they have what is left of its time. Each such task costs a
   * timer, since it comes due before tasks that began earlier.
   */
  leftSince(sinceMs: number): Deadlines {
    const leftMs = Math.max(1, sinceMs + this.timeoutMs - systemMs())
    return new Deadlines(leftMs, this.#holdsProcess)
  }

  /** Settles as `work` does, or rejects if that takes longer than the deadline. */
  guard<Result, Subject>(
    work: Promise<Result>,
    subject: Subject,
    watch: DeadlineWatch<Subject>,
  ): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const waiting = new Waiting(systemMs() + this.timeoutMs, subject, watch, reject)
      this.#add(waiting)
      work.then(
        (result) => {
          this.#remove(waiting)
          const objection = watch.resolved?.(subject, result)
          if (objection === undefined) resolve(result)
          else reject(objection)
        },
        (error: unknown) => {
          this.#remove(waiting)
          reject(watch.rejected === undefined ? error : watch.rejected(error, subject))
        },
      )
    })
  }

  #add(waiting: Waiting<unknown>): void {
    waiting.previous = this.#last
    if (this.#last === undefined) this.#first = waiting
    else this.#last.next = waiting
    this.#last = waiting
    this.#timer ??= this.#arm(this.timeoutMs)
    if (this.#holdsProcess) this.#timer.ref()
  }

  #remove(waiting: Waiting<unknown>): void {
    if (waiting.previous !== undefined) waiting.previous.next = waiting.next
    else if (this.#first === waiting) this.#first = waiting.next
    else return
    if (waiting.next !== undefined) waiting.next.previous = waiting.previous
    else this.#last = waiting.previous
    waiting.previous = undefined
    waiting.next = undefined
    if (this.#first !== undefined) return
    if (this.#whenIdle.length > 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
    if (!this.#keepsTimer) this.#disarm()
    else if (this.#holdsProcess) this.#timer?.unref()
  }

  #disarm(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm(delayMs: number): NodeJS.Timeout {
    const dueMs = systemMs() + delayMs
    return this.#after(delayMs, () => {
      const stalledMs = Math.min(systemMs() - dueMs, this.timeoutMs)
      if (stalledMs > STALL_MS) this.#timer = this.#expireAfter(stalledMs)
      else this.#expireAfterReading()
    })
  }

  #expireAfter(delayMs: number): NodeJS.Timeout {
    return this.#after(delayMs, () => this.#expireAfterReading())
  }

  #after(delayMs: number, callback: () => void): NodeJS.Timeout {
    const timer = setTimeout(callback, delayMs)
    return this.#holdsProcess ? timer : timer.unref()
  }

  #expireAfterReading(): void {
    setImmediate(() => this.#expire())
  }

  #expire(): void {
    const nowMs = systemMs()
    while (this.#first !== undefined && this.#first.dueMs <= nowMs) {
      const overdue = this.#first
      this.#remove(overdue)
      overdue.expire()
    }
    this.#disarm()
    if (this.#first !== undefined) this.#timer = this.#arm(Math.max(1, this.#first.dueMs - nowMs))
  }
}
