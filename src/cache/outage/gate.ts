import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { Timers } from '../../foundation/time/clock.ts'
import type { CircuitBreakers } from './circuit-breakers.ts'
import type { DeliveryTier, InvalidationOutbox } from './invalidation-outbox.ts'

/** Pending invalidations are sent again after this time, even if no command is. */
const REDELIVERY_MS = 500

/** The parts of a {@link Gate}. */
export interface GateParts {
  readonly tier: SharedTier
  readonly breakers: CircuitBreakers
  readonly outbox: InvalidationOutbox
  /** Resolves when the own writes of a key that were called so far have settled; `undefined` if none is in flight. */
  readonly ownWritesOf: (storedKey: string) => Promise<unknown> | undefined
  readonly timers: Timers
  /** Resolves when the tier is open; rejects, within a bound, if it cannot be opened. `undefined` if it is open. */
  readonly opened: () => Promise<void> | undefined
  readonly isOpen: () => boolean
}

/**
 * The gate that every command passes: the tier is opened, the circuit breaker of the key's node admits the command, and
 * a pending invalidation of the key is sent first. So this process never reads or stores a value that it has
 * invalidated. A node that does not answer, or an invalidation that cannot be delivered, delays only commands on its own
 * keys.
 */
export class Gate {
  readonly #parts: GateParts
  readonly #tier: SharedTier
  #cancelDelivery: (() => void) | undefined
  #hasEnded = false

  constructor(parts: GateParts) {
    this.#parts = parts
    this.#tier = parts.tier
  }

  /** The node of commands on the whole tier: the only one, or `undefined` if there are several. */
  get wholeTier(): string | undefined {
    return this.#tier.hasManyNodes ? undefined : this.#tier.nodeOf('')
  }

  /** The node of all these keys, which lie on one. */
  nodeOfAll([first]: readonly string[]): string | undefined {
    return first === undefined ? undefined : this.#tier.nodeOf(first)
  }

  /**
   * Whether this key may be read at once: the tier is open, the circuit of its node closed, no own write of the key in
   * flight and no invalidation of it pending.
   */
  isClearFor(storedKey: string): boolean {
    const { breakers, isOpen, outbox, ownWritesOf } = this.#parts
    return (
      isOpen() &&
      (breakers.isQuiet || breakers.stateOf(this.#tier.nodeOf(storedKey)) === 'closed') &&
      ownWritesOf(storedKey) === undefined &&
      (outbox.isEmpty || !outbox.has(storedKey))
    )
  }

  /** Sends a command on these keys of one node, when it may be sent. */
  async send<Result>(
    node: string | undefined,
    storedKeys: readonly string[],
    work: () => Promise<Result>,
  ): Promise<Result> {
    const waiting = this.#ready(node, storedKeys)
    if (waiting !== undefined) await waiting
    return this.#outcomeOf(node, work)
  }

  /** Sends a read after the own writes of its key that were called before. */
  sendAfterWrites<Result>(storedKey: string, work: () => Promise<Result>): Promise<Result> {
    const writes = this.#parts.ownWritesOf(storedKey)
    const send = () => this.send(this.#tier.nodeOf(storedKey), [storedKey], work)
    return writes === undefined ? send() : writes.then(send)
  }

  answered(storedKey: string): void {
    const { breakers } = this.#parts
    if (!breakers.isQuiet) breakers.answered(this.#tier.nodeOf(storedKey))
  }

  failed(storedKey: string, error: unknown): void {
    this.#parts.breakers.failed(this.#tier.nodeOf(storedKey), error)
  }

  /**
   * `undefined` if a command on these keys may be sent at once, which is the usual case; otherwise a promise
   * that resolves when it may.
   * @throws CacheError if the command must not be sent (or the promise rejects with it)
   */
  #ready(node: string | undefined, storedKeys: readonly string[]): Promise<void> | undefined {
    const { breakers, isOpen, opened } = this.#parts
    if (isOpen()) {
      breakers.admit(node)
      return this.delivered(storedKeys)
    }
    return opened()?.then(
      () => this.delivered(storedKeys),
      (error: unknown) => {
        breakers.failed(node, error)
        throw error
      },
    )
  }

  /** Sends the pending invalidations of these keys; `undefined` if there are none. */
  delivered(storedKeys: readonly string[]): Promise<void> | undefined {
    const { outbox } = this.#parts
    if (outbox.isEmpty) return undefined
    const concerned = storedKeys.filter((storedKey) => outbox.has(storedKey))
    return concerned.length === 0 ? undefined : outbox.deliverFor(this.#deliveries, concerned)
  }

  async #outcomeOf<Result>(node: string | undefined, work: () => Promise<Result>): Promise<Result> {
    const { breakers } = this.#parts
    try {
      const result = await work()
      breakers.answered(node)
      return result
    } catch (error) {
      breakers.failed(node, error)
      throw error
    }
  }

  /** What the outbox sends invalidations to. They pass the circuit breakers, but nothing has to be delivered first. */
  readonly #deliveries: DeliveryTier = {
    remove: (storedKeys) => this.#counted(this.nodeOfAll(storedKeys), () => this.#tier.remove(storedKeys)),
    bump: (storedKey, ttlMs, renewal) =>
      this.#counted(this.#tier.nodeOf(storedKey), () => this.#tier.bump(storedKey, ttlMs, renewal)),
    removeMatching: (pattern, options) =>
      this.#counted(this.wholeTier, () => this.#tier.removeMatching(pattern, options)),
    removeUnbound: (prefix, generationKey) =>
      this.#counted(this.wholeTier, () => this.#tier.removeUnbound(prefix, generationKey)),
  }

  /** Sends a command that the circuit breaker of the node admits. */
  async #counted<Result>(node: string | undefined, work: () => Promise<Result>): Promise<Result> {
    this.#parts.breakers.admit(node)
    return this.#outcomeOf(node, work)
  }

  /** Sends pending invalidations at once, also while a circuit is open. Never rejects. */
  async deliverNow(): Promise<void> {
    const { isOpen, outbox } = this.#parts
    if (isOpen() && !outbox.isEmpty) await outbox.deliverAll(this.#tier)
  }

  /** From now on, pending invalidations are not sent again. */
  endDelivery(): void {
    this.#hasEnded = true
    this.#cancelDelivery?.()
  }

  /** Schedules the delivery of pending invalidations, if there are any. */
  deliver(): void {
    if (!this.#parts.outbox.isEmpty) this.#deliverLater()
  }

  /** Sends pending invalidations even if this process sends nothing else: other processes may read the old values. */
  #deliverLater(): void {
    if (this.#hasEnded || this.#cancelDelivery !== undefined) return
    this.#cancelDelivery = this.#parts.timers.after(REDELIVERY_MS, () => {
      this.#cancelDelivery = undefined
      const { outbox } = this.#parts
      if (outbox.isEmpty) return
      this.send(undefined, [], () => outbox.deliverAll(this.#deliveries)).then(
        () => this.deliver(),
        (error: unknown) => {
          if (!(error instanceof CacheError && error.code === 'CACHE_CLOSED')) this.#deliverLater()
        },
      )
    })
  }
}
