import { closedError } from '../../backend/assembly/lifecycle.ts'
import type { Fence } from '../../backend/seams/shared-tier.ts'
import type { BoundGeneration, EntryMeta } from '../../codec/envelope/entry-meta.ts'
import { isAnyHeld } from '../../codec/envelope/hold-mark.ts'
import type { FillRefusal } from '../../contract/cache-events.ts'
import { isSameGeneration, isTagKey } from '../../foundation/reserved-keys.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import { lifetimesAt } from '../core/new-lifetimes.ts'
import { newStamp } from '../core/stamp.ts'
import { storedTtlMs } from '../freshness/entry-lifetimes.ts'
import { assertTagCount } from '../freshness/policies.ts'
import type { KeySpace } from '../keys/key-space.ts'
import { bindLateTags, type LateTag } from '../tags/late-tags.ts'
import type { WritePath } from '../writing/write-path.ts'
import type { FillRequest, SlotFilling } from './slot.ts'

/** What was known of a key when its slot was reserved. */
export interface Reservation {
  readonly space: KeySpace
  readonly monitor: Monitor
  readonly key: string
  readonly storedKey: string
  /** Stored keys of the generations that the entry will be bound to. */
  readonly generationKeys: readonly string[]
  /** What the key must still hold; `undefined` if nothing can tell whether it was touched. */
  readonly fence: Fence | undefined
  /** Whether it has no fence since a change held the key or a tag. */
  readonly isHeld?: boolean | undefined
  /** Generations that were current, those of {@link generationKeys} among them. */
  readonly captured: readonly BoundGeneration[]
  /** The connection of the key before it was reserved. After a reconnect, changes may have been missed (T2). */
  readonly connection: unknown
  /** The moment of the generation table at which it was reserved. */
  readonly reservedAt: number
  /** The same in milliseconds of the monotonic clock. */
  readonly reservedAtMs: number
}

/** What is known of a key when its slot is reserved. */
export type Reserved = Pick<Reservation, 'fence' | 'captured' | 'isHeld'>

/** A slot without a fence stores nothing. */
export const UNRESERVED: Reserved = { fence: undefined, captured: [] }
/** Neither does one whose key or tag a change holds. */
export const HELD: Reserved = { ...UNRESERVED, isHeld: true }

/**
 * Fills a slot that keeps nobody waiting. The value is stored under the fence of its {@link Reservation}, and bound to
 * the generations that were captured with it. So an invalidation since then refuses the fill, or makes the entry invalid.
 *
 * Later reads of Redis in this process wait for a fill. It drops the local copy of the key when it has succeeded, or when
 * its fate is unknown. If it was refused, nothing has changed, and a local copy of the entry it was to replace is out of
 * date.
 */
export class FencedFill implements SlotFilling {
  readonly #core: CacheCore
  readonly #writes: WritePath
  readonly #reservation: Reservation

  constructor(core: CacheCore, writes: WritePath, reservation: Reservation) {
    this.#core = core
    this.#writes = writes
    this.#reservation = reservation
  }

  async store(request: FillRequest): Promise<FillRefusal | undefined> {
    const { clock, generations, learnedTags, options, stopping, tier } = this.#core
    const { captured, connection, fence, isHeld, reservedAt, reservedAtMs, storedKey } = this.#reservation
    if (stopping.aborted) throw closedError()
    if (fence === undefined) return isHeld ? 'changing' : 'unreserved'
    if (clock.monotonicMs() - reservedAtMs >= options.longestLoadMs) return 'expired'
    const late = bindLateTags(generations, this.#reservation, request.tags, captured, reservedAt)
    if (learnedTags.learn(storedKey, late)) return 'unknown-tag'
    const bound = this.#bound(late)
    if (isAnyHeld(bound)) return 'changing'
    const serialized = this.#core.codec.serialize(request.value)
    return this.#writes.inTurn([storedKey], async (turn) => {
      const createdAtMs = await this.#createdAtMs()
      if (turn.earlier !== undefined) await turn.earlier
      const isConnected = connection !== undefined && connection === tier.connectionOf(storedKey)
      if (!isConnected) return 'disconnected'
      const ageMs = Math.max(0, clock.monotonicMs() - reservedAtMs)
      const serverNowMs = createdAtMs + ageMs
      const lifetimes = lifetimesAt(this.#core, request.policies, { createdAtMs, serverNowMs })
      if (lifetimes === undefined || ageMs >= storedTtlMs(lifetimes)) return 'expired'
      const meta: EntryMeta = {
        ...lifetimes,
        stamp: newStamp(),
        createdAtMs,
        loadCostMs: ageMs,
        generations: bound,
      }
      const bytes = this.#core.codec.sealEntry(storedKey, serialized, meta)
      const filling = this.#send(fence, bytes, meta)
      turn.pass()
      return filling
    })
  }

  /** The placeholder may be that of others, too. It expires. */
  async giveBack(): Promise<void> {}

  async #send(fence: Fence, bytes: Buffer, meta: EntryMeta): Promise<FillRefusal | undefined> {
    const { check, generations } = this.#core
    const { key, monitor, storedKey } = this.#reservation
    const generationKeys = meta.generations.map((one) => one.storedKey)
    const read = check.readAnew(storedKey, generationKeys)
    const filling = this.#fill(fence, bytes, storedTtlMs(meta))
    // It travels with the fill, so that nothing is under way when this has ended.
    generations.outlive(meta.generations, storedTtlMs(meta))
    if (!(await filling)) return 'changed'
    monitor.stored(key, meta.ttlMs, bytes.length)
    // Nobody is served the entry if one of them was replaced, so the caller must not believe that it is cached.
    return (await check.currentSet(read, meta.generations)) === undefined ? 'invalidated' : undefined
  }

  async #fill(fence: Fence, bytes: Buffer, ttlMs: number): Promise<boolean> {
    const { storedKey } = this.#reservation
    let isStored: boolean | undefined
    try {
      isStored = await this.#core.tier.fill(storedKey, fence, bytes, ttlMs)
      return isStored
    } finally {
      if (isStored !== false) this.#core.invalidated(storedKey)
      else this.#core.dropCopy(storedKey, fence.mark)
    }
  }

  /** @throws CacheError `CACHE_INVALID_ARGUMENT` if the entry has too many tags */
  #bound(late: readonly LateTag[]): readonly BoundGeneration[] {
    const { captured, generationKeys } = this.#reservation
    const named = captured.filter((one) =>
      generationKeys.some((generationKey) => isSameGeneration(generationKey, one.storedKey)),
    )
    const bound = [...named, ...late.map(({ generation, storedKey }) => ({ generation, storedKey }))]
    assertTagCount(bound.filter(({ storedKey }) => isTagKey(storedKey)).length)
    return bound
  }

  /** The time of the server at which the slot was reserved: the value is at least as new. */
  async #createdAtMs(): Promise<number> {
    const { clock, tier } = this.#core
    const { reservedAtMs, storedKey } = this.#reservation
    const nowMs = tier.serverNowMs(storedKey) ?? (await tier.serverTimeMs(storedKey))
    return nowMs - (clock.monotonicMs() - reservedAtMs)
  }
}
