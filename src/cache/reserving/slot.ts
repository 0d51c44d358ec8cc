import type { FillRefusal } from '../../contract/cache-events.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { Duration } from '../../foundation/time/duration.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import { checkedTags, type Policies, resolvePolicies } from '../freshness/policies.ts'
import { CALL_OPTIONS, type EntryOptions } from '../freshness/policy-options.ts'
import type { StaleValue } from '../loading/stale-value.ts'

/** What every slot has, whether it has found a value or not. */
interface SlotOperations<T, Found> extends AsyncDisposable {
  /** The key, as the caller passed it to `reserve`. */
  readonly key: string
  /**
   * A value past its time to live that has not been invalidated; `undefined` on a hit. It is there as long as its stale
   * windows allow. It may be served, or confirmed by a conditional request and then filled in again.
   */
  readonly stale: StaleValue<Found> | undefined
  /**
   * Stores a value, unless something has touched the key, its tags or its namespace since the slot was reserved: a
   * delete, a write, an invalidation by tag or pattern, a `clear`, another fill, `redis-cli DEL`, an eviction. A slot is
   * filled or released once: whatever a fill answers, the slot is closed; only bad options and `undefined` leave it
   * open. One round trip; one more if a generation has to be asked for.
   *
   * @param options how long it is fresh, and its tags beside those that were reserved. A tag that is named only here
   * must have been known to this process when the slot was reserved. If it was not, the value is not stored, and the
   * next slot of this key knows the tag
   * @returns whether it was stored; if something forbade it, the event `fill-refused` tells what
   * @throws CacheError `CACHE_SLOT_CLOSED` if the slot was filled or released before; `CACHE_INVALID_VALUE`,
   * `CACHE_INVALID_DURATION`, `CACHE_INVALID_KEY`, `CACHE_INVALID_ARGUMENT`, `CACHE_INVALID_OPTIONS`. If the value is too
   * large (`CACHE_VALUE_TOO_LARGE`) or Redis does not answer, an `error` event tells, and the fill answers `false` or
   * rejects, as the failure mode says
   */
  fill(value: T, options?: EntryOptions | Duration): Promise<boolean>
  /**
   * Closes the slot without a value. If it was reserved with `wait`, another caller or process may load the key at once:
   * one round trip. Idempotent; never rejects.
   */
  release(): Promise<void>
}

/**
 * A slot that has found a fresh value. It may be filled nevertheless, which replaces that value if the key still holds it.
 */
export interface HitSlot<T, Found = T> extends SlotOperations<T, Found> {
  /** A fresh value was found, here or in Redis. It tells the type of the slot: with it, `value` is there. */
  readonly isHit: true
  /** Must not be changed. It is frozen if the cache freezes its values. */
  readonly value: Found
}

/** A slot that has found no fresh value, and waits to be filled. */
export interface OpenSlot<T, Found = T> extends SlotOperations<T, Found> {
  /** No fresh value was found. There may be a {@link stale} one. */
  readonly isHit: false
  readonly value: undefined
}

/**
 * The answer of `reserve`: a value, or a place for one.
 * @typeParam T the type of the values that are filled in
 * @typeParam Found the same as it is read: {@link Frozen}, if the cache freezes its values
 */
export type Slot<T, Found = T> = HitSlot<T, Found> | OpenSlot<T, Found>

/** A value for a slot. */
export interface FillRequest {
  readonly value: unknown
  readonly options: EntryOptions
  readonly policies: Policies
  readonly tags: readonly string[]
}

/** How a slot is filled and released. Each is called once, and only one of them. */
export interface SlotFilling {
  /** @returns why the value was not stored; `undefined` if it was */
  store(request: FillRequest): Promise<FillRefusal | undefined>
  /** Never rejects. */
  giveBack(): Promise<void>
}

/** What a {@link KeySlot} is made of. */
export interface SlotParts<Found> {
  readonly core: CacheCore
  readonly monitor: Monitor
  readonly policies: Policies
  readonly key: string
  readonly filling: SlotFilling
  readonly hit?: { readonly value: Found } | undefined
  readonly stale?: StaleValue<Found> | undefined
}

/** The slot of one key, for one caller. */
export class KeySlot<T, Found> implements SlotOperations<T, Found> {
  readonly key: string
  readonly isHit: boolean
  readonly value: Found | undefined
  readonly stale: StaleValue<Found> | undefined
  readonly #parts: SlotParts<Found>
  #isClosed = false

  private constructor(parts: SlotParts<Found>) {
    this.#parts = parts
    this.key = parts.key
    this.isHit = parts.hit !== undefined
    this.value = parts.hit?.value
    this.stale = parts.stale
  }

  static of<T, Found>(parts: SlotParts<Found>): Slot<T, Found> {
    return new KeySlot<T, Found>(parts) as Slot<T, Found>
  }

  fill(value: T, options: EntryOptions | Duration = {}): Promise<boolean> {
    const { core, filling, monitor } = this.#parts
    return monitor.absorb('fill', this.key, false, async () => {
      const request = this.#requestFor(value, options)
      if (this.#isClosed) throw closedSlot()
      this.#isClosed = true
      const isWithinChange = core.changes.current !== undefined
      if (isWithinChange) await filling.giveBack()
      const refusal = isWithinChange ? 'changing' : await filling.store(request)
      if (refusal !== undefined) monitor.fillRefused(this.key, refusal)
      return refusal === undefined
    })
  }

  async release(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#parts.filling.giveBack()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  #requestFor(value: T, options: EntryOptions | Duration): FillRequest {
    const { core, policies } = this.#parts
    const asked = typeof options === 'object' ? options : { ttl: options }
    core.calls.check(asked, CALL_OPTIONS)
    // Throws, as a `set` of it does.
    if (value === undefined) core.codec.serialize(value)
    return {
      value,
      options: asked,
      policies: resolvePolicies(asked, policies),
      tags: checkedTags(asked.tags),
    }
  }
}

function closedSlot(): CacheError {
  return new CacheError(
    'CACHE_SLOT_CLOSED',
    'This slot was filled or released before: reserve the key again for another value',
  )
}
