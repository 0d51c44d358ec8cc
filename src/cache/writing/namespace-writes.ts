import { partialWrite } from '../../backend/operations/batch-write.ts'
import {
  assertPattern,
  checkedKeys,
  distinctEntries,
  REMOVAL_OPTIONS,
} from '../../backend/operations/operation-arguments.ts'
import { readGenerationValue } from '../../codec/envelope/generation-value.ts'
import type { CacheEntries, RemovalOptions } from '../../contract/cache-backend.ts'
import { assertCacheKey } from '../../foundation/cache-key.ts'
import { CacheError, isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import type { Duration } from '../../foundation/time/duration.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import { checkedTags, invalidTags, type Policies, resolvePolicies } from '../freshness/policies.ts'
import { CALL_OPTIONS, type EntryOptions } from '../freshness/policy-options.ts'
import { overridden } from '../freshness/value-expiry.ts'
import type { KeySpace } from '../keys/key-space.ts'
import { checkedCause, rememberCause } from './causes.ts'
import {
  EXPIRE_TAGS_OPTIONS,
  type ExpireTagsOptions,
  type InvalidationOptions,
  spreadOf,
} from './invalidation-options.ts'
import { KeyExpiry } from './key-expiry.ts'
import { assertClearable, type WritePath } from './write-path.ts'
import { WriteSender } from './write-sender.ts'

/** The parts of {@link NamespaceWrites}. */
export interface NamespaceWritesParts {
  readonly core: CacheCore
  readonly writes: WritePath
  readonly monitor: Monitor
  readonly space: KeySpace
  readonly policies: Policies
}

/** The writes of one namespace. They check their arguments, and emit events for what Redis has acknowledged. */
export class NamespaceWrites {
  readonly #core: CacheCore
  readonly #writes: WritePath
  readonly #monitor: Monitor
  readonly #space: KeySpace
  readonly #policies: Policies
  readonly #sender: WriteSender
  readonly #expiry: KeyExpiry

  constructor({ core, monitor, policies, space, writes }: NamespaceWritesParts) {
    this.#core = core
    this.#monitor = monitor
    this.#writes = writes
    this.#space = space
    this.#policies = policies
    this.#sender = new WriteSender(core.changes, monitor)
    this.#expiry = new KeyExpiry(core, writes)
  }

  /** @throws CacheError if Redis does not acknowledge the write */
  async set(key: string, value: unknown, options: EntryOptions | Duration): Promise<void> {
    assertCacheKey(key)
    const asked = typeof options === 'object' ? options : { ttl: options }
    this.#core.calls.check(asked, CALL_OPTIONS)
    const storedKey = this.#space.storedKey(key)
    const generationKeys = this.#core.generationKeys(this.#space, storedKey, checkedTags(asked.tags))
    const policies = resolvePolicies(asked, this.#policies)
    // What is sent later is what the value is now.
    const serialized = this.#core.changes.current && this.#writes.serializedNow(value)
    await this.#sender.send('set', key, undefined, async () => {
      const written = await this.#writes.write({ storedKey, value, serialized, generationKeys, policies })
      if (written !== undefined) this.#monitor.stored(key, written.ttlMs, written.bytes)
    })
  }

  /** @throws CacheError `CACHE_PARTIAL_WRITE` if Redis does not acknowledge some of the writes */
  async setMany<T>(entries: CacheEntries<T>, options: EntryOptions | Duration): Promise<void> {
    const failures = new Map<string, CacheError>()
    const common = typeof options === 'object' ? options : { ttl: options }
    await Promise.all(
      Array.from(distinctEntries(entries), async ([key, { ttl, value }]) => {
        try {
          await this.set(key, value, ttl === undefined ? options : overridden(common, { ttl }))
        } catch (error) {
          if (!(error instanceof CacheError) || isProgrammingMistake(error)) throw error
          failures.set(key, error.within('setMany', key))
        }
      }),
    )
    if (failures.size > 0) throw partialWrite(failures)
  }

  /** Returns how many of the keys existed; within a change, how many keys there are. @throws CacheError */
  async remove(keys: Iterable<string>, options: InvalidationOptions = {}): Promise<number> {
    const asked = [...new Set(checkedKeys(keys))]
    const cause = checkedCause(this.#core, options)
    return this.#sender.send('delete', undefined, asked.length, async () => {
      const storedKeys = asked.map((key) => this.#space.storedKey(key))
      const [removed] = await Promise.all([
        this.#writes.remove(storedKeys),
        rememberCause(this.#core, storedKeys, cause),
      ])
      this.#monitor.deleted(asked, removed, options.by)
      return removed
    })
  }

  /** Returns whether the key held an entry; within a change, `true`. @throws CacheError */
  async expire(key: string, options: InvalidationOptions): Promise<boolean> {
    assertCacheKey(key)
    const cause = checkedCause(this.#core, options)
    return this.#sender.send('expire', key, true, async () => {
      const storedKey = this.#space.storedKey(key)
      const [wasEntry] = await Promise.all([
        this.#expiry.expire(storedKey),
        rememberCause(this.#core, [storedKey], cause),
      ])
      this.#monitor.expired({ key, by: options.by })
      return wasEntry
    })
  }

  /** @throws CacheError */
  async invalidateTags(tags: readonly string[], options: InvalidationOptions = {}): Promise<void> {
    if (tags === undefined) throw invalidTags(tags)
    const asked = checkedTags(tags)
    const cause = checkedCause(this.#core, options)
    await this.#sender.send('invalidateTags', undefined, undefined, async () => {
      await this.#writes.renew(this.#tagKeys(asked), { cause })
      this.#monitor.invalidated({ tags: asked, by: options.by })
    })
  }

  /** @throws CacheError */
  async expireTags(tags: readonly string[], options: ExpireTagsOptions): Promise<void> {
    if (tags === undefined) throw invalidTags(tags)
    const asked = checkedTags(tags)
    const cause = checkedCause(this.#core, options, EXPIRE_TAGS_OPTIONS)
    const staleOverMs = spreadOf(options)
    await this.#sender.send('expireTags', undefined, undefined, async () => {
      await this.#writes.renew(this.#tagKeys(asked), { staleOverMs, cause })
      this.#monitor.expired({ tags: asked, by: options.by })
    })
  }

  /** The latest renewal of one of the tags, in milliseconds since 1970; 0 if none has a generation. @throws CacheError */
  async invalidatedAt(tags: readonly string[]): Promise<number> {
    if (tags === undefined) throw invalidTags(tags)
    const { tier } = this.#core
    const times = await Promise.all(
      this.#tagKeys(checkedTags(tags)).map(async (key) => {
        const bytes = await tier.read(key)
        if (bytes === null) return 0
        const value = readGenerationValue(bytes)
        // What is no generation is a hold: the tag is being changed now.
        const ms = value === undefined ? await tier.serverTimeMs(key) : value.timeUs / 1_000
        return Math.ceil(ms + tier.epochOffsetMs())
      }),
    )
    return Math.max(0, ...times)
  }

  #tagKeys(tags: readonly string[]): readonly string[] {
    return tags.map((tag) => this.#space.tagKey(tag))
  }

  /** Returns how many keys were removed; within a change, 0. @throws CacheError */
  async removeMatching(pattern: string, options: RemovalOptions): Promise<number> {
    assertPattern(pattern)
    this.#core.calls.check(options, REMOVAL_OPTIONS)
    return this.#sender.send('invalidatePattern', undefined, 0, async () => {
      const removed = await this.#writes.removeMatching(this.#space, pattern, options)
      this.#monitor.invalidated({ pattern, removed })
      return removed
    })
  }

  /** @throws CacheError */
  async clear(options: InvalidationOptions): Promise<void> {
    assertClearable(this.#space)
    const cause = checkedCause(this.#core, options)
    await this.#sender.send('clear', undefined, undefined, () =>
      this.#writes.clear(this.#space, this.#monitor, cause),
    )
  }
}
