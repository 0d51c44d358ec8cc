import type { BoundGeneration } from '../../codec/envelope/entry-meta.ts'
import type { IsolatedValue } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { Lease } from './lease.ts'
import type { LoadRequest } from './load-request.ts'

/**
 * Where a value came from: a fresh entry, the loader, or an entry past its time to live, and then why: it is being
 * loaded anew, its loader failed, or was too slow.
 */
export type Origin = 'hit' | 'load' | 'revalidate' | 'error' | 'timeout'

/** A tag that only the loaded value told, and whether its generation was known before its loader began. */
export interface LateTagKey {
  readonly tagKey: string
  readonly isKnown: boolean
}

/** What a flight comes to. */
export interface Outcome {
  readonly isolated: IsolatedValue
  readonly origin: Origin
  /** The entry that it was, where it was not loaded. */
  readonly entry?: LocalEntry | undefined
  /** The loader's, where a stale value stands in for it. */
  readonly error?: unknown
  readonly lateTagKeys: readonly LateTagKey[]
}

/** The outcome of a flight that ends with an entry. */
export function served(entry: LocalEntry, origin: Origin, error?: unknown): Outcome {
  return { isolated: entry, origin, entry, error, lateTagKeys: [] }
}

/**
 * One load of one key, and everybody in this process who waits for it.
 *
 * An invalidation closes it to newcomers (L4): who is in it gets its value, who comes after the acknowledgement starts
 * anew. A push cannot be told from the echo of the flight's own lease, so under a lease it only raises a doubt, which
 * the next newcomer settles by asking whether the key still bears the token.
 */
export class Flight {
  /** Stored keys of the generations whose renewal closes it. */
  readonly generationKeys: readonly string[]
  /** Moments of this process, as `GenerationTable.now`. */
  readonly startedAt: number
  /** Until then no generation that it depends on is known to have been renewed since it began. */
  isCurrentAt: number
  epoch: number
  /** The generations that what it loads will depend on, once they have been captured. */
  bound: readonly BoundGeneration[] = []
  /** Set while the lease is being asked for: a push may then be its echo. */
  isAcquiring = false
  /** Set where the value will come from a read that is yet to be sent. */
  isWaiting = false
  /** The valid entry that was found, which may be stale. */
  found: LocalEntry | undefined
  /** Set where it loads what is there already: others may be served that meanwhile. */
  readonly isRenewal: boolean
  /** Set where it loads whatever is there. */
  readonly isReload: boolean
  /** Set where it ends with a value that another flight is to renew. */
  successor: LoadRequest | undefined
  /** When the loader was called. */
  #loadingSinceMs: number = Number.POSITIVE_INFINITY
  #lease: Lease | undefined
  readonly #onDecision: (() => void)[] = []
  readonly #onAbandoned: (() => void)[] = []
  #isDecided = false
  #result: Promise<Outcome> | undefined
  #isClaimed = false
  #callers = 0
  #isOpen = true
  /** Counts the pushes that may have been more than echoes. */
  #doubts = 0
  /** The doubts that have been settled. */
  #settled = 0
  #verifying: Promise<boolean> | undefined
  /** Made when it is first asked for: most flights end with a read. */
  #controller: AbortController | undefined
  #isAbandoned = false

  constructor({ generationKeys, isBackground, replaces }: LoadRequest, startedAt: number, epoch: number) {
    this.generationKeys = generationKeys
    this.isRenewal = isBackground === true || replaces !== undefined
    this.isReload = replaces === 'any'
    this.startedAt = startedAt
    this.isCurrentAt = startedAt
    this.epoch = epoch
  }

  run(work: () => Promise<Outcome>): void {
    this.#result = work().finally(() => this.decide())
    // Each caller is told by its own promise; a flight that all have left has nobody to tell.
    this.#result.catch(() => {})
  }

  get result(): Promise<Outcome> {
    return this.#result as Promise<Outcome>
  }

  /** Aborts when every caller has gone. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#isAbandoned) this.#abort()
    }
    return this.#controller.signal
  }

  /** Calls back when every caller has gone; at once where they have. Costs less than to listen to {@link signal}. */
  onAbandoned(callback: () => void): void {
    if (this.#isAbandoned) callback()
    else this.#onAbandoned.push(callback)
  }

  /** Whether every caller has gone. */
  get isAbandoned(): boolean {
    return this.#isAbandoned
  }

  /** Whether the loader has been called. */
  get isLoading(): boolean {
    return this.#loadingSinceMs !== Number.POSITIVE_INFINITY
  }

  /** Whether its loader has been running for so long that other processes do not wait for it either. */
  isOverdue(nowMs: number, longestLoadMs: number): boolean {
    return nowMs - this.#loadingSinceMs >= longestLoadMs
  }

  /** Whether it waits to replace what may be served meanwhile, and does not hear what happens to that. */
  isPassedBy(nowMs: number): boolean {
    return this.isWaiting && (this.found?.isStaleServable(nowMs) ?? false)
  }

  beginLoading(nowMs: number): void {
    this.#loadingSinceMs = nowMs
    this.decide()
  }

  /** What it brings will have been read or loaded after this moment. */
  beginAttempt(now: number, epoch: number): void {
    this.isCurrentAt = now
    this.epoch = epoch
    this.bound = []
    this.found = undefined
  }

  get lease(): Lease | undefined {
    return this.#lease
  }

  /** It has the right to load: what was found is still what is there. */
  leased(lease: Lease): void {
    this.#lease = lease
    this.decide()
  }

  /** How it goes on has been found out: it loads, or waits for another process. */
  decide(): void {
    this.#isDecided = true
    for (const tell of this.#onDecision.splice(0)) tell()
  }

  /** Whether it is a renewal that does not know yet how it goes on. */
  get isDeciding(): boolean {
    return this.isRenewal && !this.#isDecided
  }

  /** Resolves when a renewal knows how it goes on, or has come to an end; `undefined` where there is nothing to wait for. */
  deciding(): Promise<void> | undefined {
    if (!this.isDeciding) return undefined
    return new Promise((resolve) => {
      this.#onDecision.push(resolve)
    })
  }

  /** `true` for who began it, and asks first. */
  claim(): boolean {
    const isFirst = !this.#isClaimed
    this.#isClaimed = true
    return isFirst
  }

  /** The generation that what it loads will depend on. */
  boundTo(generationKey: string): string | undefined {
    return this.bound.find(({ storedKey }) => storedKey === generationKey)?.generation
  }

  close(): void {
    this.#isOpen = false
  }

  /** A push for its key has come. */
  pushed(): void {
    if (this.isWaiting) return
    if (this.lease !== undefined || this.isAcquiring) this.#doubts++
    else this.close()
  }

  /** Callers that wait for it; work in the background metrics as one. */
  get callers(): number {
    return this.#callers
  }

  /** What {@link admits} goes by: `'doubted'` where it has to be asked whether the key still bears the token. */
  get standing(): 'open' | 'closed' | 'doubted' {
    if (!this.#isOpen || this.#isAbandoned) return 'closed'
    return this.#doubts === this.#settled ? 'open' : 'doubted'
  }

  /** Whether a newcomer may join: at once where nothing has happened, else after the key has been looked at. */
  admits(): boolean | Promise<boolean> {
    const { standing } = this
    if (standing !== 'doubted') return standing === 'open'
    this.#verifying ??= this.#verify().finally(() => {
      this.#verifying = undefined
    })
    return this.#verifying
  }

  async #verify(): Promise<boolean> {
    while (this.#isOpen && this.#doubts !== this.#settled) {
      const doubts = this.#doubts
      const isHeld = (await this.lease?.verify().catch(() => false)) ?? false
      if (isHeld) this.#settled = doubts
      else this.close()
    }
    return this.#isOpen
  }

  /** One more caller waits for it. */
  enter(): void {
    this.#callers++
  }

  /** A caller waits no longer. The last one ends the flight. */
  leave(): void {
    if (--this.#callers > 0) return
    this.abandon()
  }

  /** Nobody wants what it brings. */
  abandon(): void {
    this.close()
    this.#isAbandoned = true
    this.#abort()
    for (const tell of this.#onAbandoned.splice(0)) tell()
  }

  #abort(): void {
    this.#controller?.abort(new DOMException('Every caller has gone', 'AbortError'))
  }
}
