import { checkedKeys } from '../../backend/operations/operation-arguments.ts'
import type { EntryMeta } from '../../codec/envelope/entry-meta.ts'
import { HELD_GENERATION, isAnyHeld } from '../../codec/envelope/hold-mark.ts'
import { assertCacheKey } from '../../foundation/cache-key.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { Duration } from '../../foundation/time/duration.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import { lifetimesAt } from '../core/new-lifetimes.ts'
import { newStamp } from '../core/stamp.ts'
import { storedTtlMs } from '../freshness/entry-lifetimes.ts'
import { checkedTags, type Policies, resolvePolicies } from '../freshness/policies.ts'
import { CALL_OPTIONS, type EntryOptions } from '../freshness/policy-options.ts'
import type { KeySpace } from '../keys/key-space.ts'
import { checkedCause } from '../writing/causes.ts'
import type { InvalidationOptions } from '../writing/invalidation-options.ts'
import type { WritePath } from '../writing/write-path.ts'
import { WriteSender } from '../writing/write-sender.ts'

/** The parts of {@link HeldWrites}. */
export interface HeldWritesParts {
  readonly core: CacheCore
  readonly writes: WritePath
  readonly monitor: Monitor
  readonly space: KeySpace
  readonly policies: Policies
}

/**
 * The writes of a namespace whose values stay in this process. What they send is generations: a new one for a key has every
 * process drop its value. Those of tags are the same as in any namespace.
 */
export class HeldWrites {
  readonly #parts: HeldWritesParts
  readonly #sender: WriteSender

  constructor(parts: HeldWritesParts) {
    this.#parts = parts
    this.#sender = new WriteSender(parts.core.changes, parts.monitor)
  }

  /** @throws CacheError if Redis does not acknowledge that the values of others are invalid */
  async set(key: string, value: unknown, options: EntryOptions | Duration): Promise<void> {
    const { core, policies: around, space } = this.#parts
    assertCacheKey(key)
    const asked = typeof options === 'object' ? options : { ttl: options }
    core.calls.check(asked, CALL_OPTIONS)
    if (value === undefined)
      throw new CacheError('CACHE_INVALID_VALUE', 'undefined is no value: delete the key')
    const storedKey = space.storedKey(key)
    const generationKeys = core.generationKeys(space, storedKey, checkedTags(asked.tags))
    const policies = resolvePolicies(asked, around)
    await this.#sender.send('set', key, undefined, () => {
      const setting = this.#set(storedKey, value, generationKeys, policies)
      core.held.sets(storedKey, setting)
      return setting
    })
  }

  async #set(
    storedKey: string,
    value: unknown,
    generationKeys: readonly string[],
    policies: Policies,
  ): Promise<void> {
    const { core, writes } = this.#parts
    const { generations, tier } = core
    const others = generationKeys.filter((generationKey) => generationKey !== storedKey)
    const ttlMs = Math.max(generations.shortestTtlMs, 4 * storedTtlMs(policies))
    const [bound, generation] = await writes.dropping([storedKey], async () => {
      // The own one is sent at once. The others were current at some moment after the call, which is all that matters.
      const bumping = tier.bump(storedKey, Math.min(ttlMs, Number.MAX_SAFE_INTEGER), {})
      const [renewal, capture] = await Promise.allSettled([
        bumping,
        generations.capture(others, storedTtlMs(policies)),
      ])
      if (renewal.status === 'rejected') throw renewal.reason
      return [capture.status === 'fulfilled' ? capture.value : undefined, renewal.value] as const
    })
    if (bound === undefined || generation === HELD_GENERATION || isAnyHeld(bound)) return
    const serverNowMs = tier.serverNowMs(storedKey) ?? (await tier.serverTimeMs(storedKey))
    const times = lifetimesAt(core, policies, { createdAtMs: serverNowMs, serverNowMs })
    if (times === undefined) return
    const meta: EntryMeta = {
      ...times,
      stamp: newStamp(),
      createdAtMs: serverNowMs,
      loadCostMs: 0,
      generations: [...bound, { storedKey, generation }],
    }
    await core.held.keep(storedKey, value, meta)
  }

  /** Has every process drop its values of these keys. @throws CacheError */
  async remove(keys: Iterable<string>, options: InvalidationOptions): Promise<void> {
    const { core, monitor, space, writes } = this.#parts
    const asked = [...new Set(checkedKeys(keys))]
    const cause = checkedCause(core, options)
    await this.#sender.send('delete', undefined, undefined, async () => {
      await writes.renew(
        asked.map((key) => space.storedKey(key)),
        { cause },
      )
      monitor.deleted(asked, asked.length, options.by)
    })
  }

  /** Makes the values of a key stale in every process. @throws CacheError */
  async expire(key: string, options: InvalidationOptions): Promise<void> {
    const { core, monitor, space, writes } = this.#parts
    assertCacheKey(key)
    const cause = checkedCause(core, options)
    await this.#sender.send('expire', key, undefined, async () => {
      const { generations, tier } = core
      const storedKey = space.storedKey(key)
      await writes.announcing(storedKey, () =>
        tier.bump(storedKey, generations.shortestTtlMs, { staleOverMs: 0, cause }),
      )
      monitor.expired({ key, by: options.by })
    })
  }

  /** @throws CacheError */
  async clear(options: InvalidationOptions): Promise<void> {
    const { core, monitor, space, writes } = this.#parts
    const cause = checkedCause(core, options)
    await this.#sender.send('clear', undefined, undefined, async () => {
      await writes.renew(space.ownGenerationKeys(core.tier.generationCopies), { cause })
      monitor.invalidated({ by: options.by })
    })
  }
}
