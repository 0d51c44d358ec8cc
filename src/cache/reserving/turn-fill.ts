import { closedError } from '../../backend/assembly/lifecycle.ts'
import type { FillRefusal } from '../../contract/cache-events.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { leftUntilExpiry } from '../core/new-lifetimes.ts'
import type { Answer } from '../flights/answer.ts'
import { storedTtlMs } from '../freshness/entry-lifetimes.ts'
import type { Policies } from '../freshness/policies.ts'
import type { LoadContext } from '../loading/load-context.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { LoaderTurn } from './loader-turn.ts'
import type { FillRequest, SlotFilling } from './slot.ts'

/** A load that waits for the holder of a slot. */
export interface HeldLoad {
  readonly request: LoadRequest
  readonly turn: LoaderTurn
  readonly context: LoadContext
  /** The answer of the flight, which ends when the slot is filled or given back. */
  readonly answer: Promise<Answer<unknown>>
  /** Whether other callers in this process wait for it. */
  readonly isShared: () => boolean
}

/**
 * Fills a slot that was reserved with `wait`. Its holder is the loader of a flight: the key is leased, and the lease is
 * renewed, until the slot is filled, released, or older than `lease.longestLoad`. Whoever waits for the flight gets the
 * value.
 */
export class TurnFill implements SlotFilling {
  readonly #core: CacheCore
  readonly #load: HeldLoad
  readonly #takenAtMs: number
  readonly #connection: unknown
  readonly #cancelExpiry: () => void
  #isExpired = false

  constructor(core: CacheCore, load: HeldLoad) {
    this.#core = core
    this.#load = load
    this.#takenAtMs = core.clock.monotonicMs()
    this.#connection = core.tier.connectionOf(load.request.storedKey)
    this.#cancelExpiry = core.timers.after(core.options.longestLoadMs, () => {
      this.#isExpired = true
      void this.giveBack()
    })
    core.stopping.addEventListener('abort', this.#stop)
    void load.answer.catch(() => {}).then(() => core.stopping.removeEventListener('abort', this.#stop))
  }

  /** Nothing is stored any more. Those who wait for the value still get it, within the time that it may take. */
  readonly #stop = (): void => {
    if (!this.#load.isShared()) void this.giveBack()
  }

  async store({ options, policies, tags, value }: FillRequest): Promise<FillRefusal | undefined> {
    const { check, clock, stopping, tier } = this.#core
    const { answer, context, request, turn } = this.#load
    if (this.#isExpired) return 'expired'
    this.#cancelExpiry()
    if (stopping.aborted) {
      // Nothing is stored any more, but others in this process wait for the value.
      turn.end(value)
      throw closedError()
    }
    const { expiresAt, jitter, staleIfError, staleWhileRevalidate, ttl } = options
    context.setOptions({ expiresAt, jitter, staleIfError, staleWhileRevalidate, ttl })
    context.addTags(tags)
    const { generationKeys, space, storedKey } = request
    const tagKeys = tags.map((tag) => space.tagKey(tag))
    const read = check.readAnew(storedKey, [...new Set([...generationKeys, ...tagKeys])])
    const ageMs = clock.monotonicMs() - this.#takenAtMs
    turn.end(value)
    const { failure, lateTagKeys, stored } = await answer
    if (failure !== undefined) throw failure
    if (stored === undefined) {
      if (!lateTagKeys.every(({ isKnown }) => isKnown)) return 'unknown-tag'
      if (!context.isLeased) return 'unreserved'
      if (this.#hasExpired(policies)) return 'expired'
      return tier.connectionOf(storedKey) === this.#connection ? 'changed' : 'disconnected'
    }
    if (ageMs >= storedTtlMs(stored)) return 'expired'
    return (await check.currentSet(read, stored.generationSet.bound)) === undefined
      ? 'invalidated'
      : undefined
  }

  #hasExpired(policies: Policies): boolean {
    const { tier } = this.#core
    const serverNowMs = tier.serverNowMs(this.#load.request.storedKey)
    return serverNowMs !== undefined && (leftUntilExpiry(tier, policies, serverNowMs) ?? 1) <= 0
  }

  async giveBack(): Promise<void> {
    this.#cancelExpiry()
    this.#load.turn.giveBack()
    await this.#load.answer.catch(() => {})
  }
}
