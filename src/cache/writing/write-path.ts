import type { Renewal } from '../../backend/seams/shared-tier.ts'
import type { EntryMeta } from '../../codec/envelope/entry-meta.ts'
import { isAnyHeld } from '../../codec/envelope/hold-mark.ts'
import type { SerializedValue } from '../../codec/payload-codec.ts'
import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { chunks } from '../../foundation/chunks.ts'
import { CacheError, isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import { escapeGlob } from '../../foundation/glob.ts'
import { globMatcher } from '../../foundation/glob-matcher.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import { lifetimesAt } from '../core/new-lifetimes.ts'
import { newStamp } from '../core/stamp.ts'
import { lifetimesOf, storedTtlMs } from '../freshness/entry-lifetimes.ts'
import type { Policies } from '../freshness/policies.ts'
import type { KeySpace } from '../keys/key-space.ts'
import { type Turn, Turns } from './turns.ts'

/** The most keys of one removal. */
const KEYS_PER_REMOVAL = 2_048
/** The most repetitions of a write whose generations were replaced while it was in flight. */
const MOST_REWRITES = 3

/** A value on its way to the shared tier. */
export interface WriteRequest {
  readonly storedKey: string
  readonly value: unknown
  /** Stored keys of the generations that the entry is bound to. */
  readonly generationKeys: readonly string[]
  readonly policies: Policies
  /** The value's payload, if it was serialized before. */
  readonly serialized?: SerializedValue | undefined
  /** Resolves when the value may be written. If it rejects, nothing is. @default at once */
  readonly admitted?: Promise<void> | undefined
}

/** What was written. */
export interface Written {
  readonly ttlMs: number
  /** The size of the entry. */
  readonly bytes: number
}

/**
 * Writes and invalidations. Each drops the local copies of its keys when it is called, and again when it has settled
 * (L3). If Redis does not acknowledge it, the outbox keeps an invalidation and delivers it later (O1).
 *
 * A value is sent some time after the call: the cache may have to be opened, and generations have to be captured. So
 * each write of a key takes its {@link Turn}. It is sent after those that were called before, but does not wait for their
 * replies. Reads do: they find the writes in flight in `OwnWrites`.
 */
export class WritePath {
  readonly #core: CacheCore
  readonly #turns = new Turns()

  constructor(core: CacheCore) {
    this.#core = core
  }

  /**
   * @returns what was written; `undefined` if its `expiresAt` has come, and the key was removed
   * @throws CacheError if Redis does not acknowledge the write; the key is then invalidated
   */
  async write(request: WriteRequest): Promise<Written | undefined> {
    const { admitted, storedKey, value } = request
    const opening = this.#core.opened()
    // Opening the cache loads the serializer. Once it is loaded, a value that cannot be stored throws here, even if
    // Redis is unavailable, and the local copy of the value before it stays.
    const early = request.serialized ?? (admitted === undefined ? this.serializedNow(value) : undefined)
    return this.inTurnDropping([storedKey], async (turn) => {
      if (opening !== undefined) await opening.catch(() => {})
      if (admitted !== undefined) await admitted
      return this.#send(request, early, turn)
    })
  }

  /** The payload of a value, if the cache is open. @throws CacheError if it cannot be stored */
  serializedNow(value: unknown): SerializedValue | undefined {
    const { codec, isOpen } = this.#core
    return isOpen() ? codec.serialize(value) : undefined
  }

  /** Returns how many of the keys existed. @throws CacheError */
  remove(storedKeys: readonly string[]): Promise<number> {
    return this.inTurnDropping(storedKeys, async (turn) => {
      // To await `undefined` would let a later call of the same tick overtake this removal.
      if (turn.earlier !== undefined) await turn.earlier
      const parts = [...chunks(storedKeys, KEYS_PER_REMOVAL)]
      let removed = 0
      let failure: unknown
      for (const [index, part] of parts.entries()) {
        const removing = this.#core.tier.remove(part)
        if (index === parts.length - 1) turn.pass()
        try {
          removed += await removing
        } catch (error) {
          // The outbox keeps the keys of each part, so the others are tried too.
          failure ??= error
        }
      }
      if (failure !== undefined) throw failure
      return removed
    })
  }

  /** Renews generations, by one command each, however many entries are bound to them. @throws CacheError */
  async renew(generationKeys: readonly string[], renewal: Renewal): Promise<void> {
    const { generations, tier } = this.#core
    await this.dropping(generationKeys, async () => {
      const renewals = await Promise.allSettled(
        generationKeys.map((key) => tier.bump(key, generations.shortestTtlMs, renewal)),
      )
      for (const one of renewals) if (one.status === 'rejected') throw one.reason
    })
  }

  /** Removes the keys that match a glob. @throws CacheError; unless it was aborted, the outbox repeats it */
  async removeMatching(space: KeySpace, pattern: string, options: RemovalOptions): Promise<number> {
    const stored = escapeGlob(space.prefix) + pattern
    const matches = globMatcher(stored)
    this.#core.removing(matches)
    try {
      return await this.#core.tier.removeMatching(stored, this.#core.policy.guardedRemoval(options))
    } finally {
      this.#core.removing(matches)
    }
  }

  /**
   * Invalidates a namespace at once. What bears no generation of it (counters, sets, plain values) does not tell whether
   * it is older than this call, so it is removed before this resolves. Entries do, and are removed in the background.
   * @throws CacheError
   */
  async clear(space: KeySpace, monitor: Monitor, cause: Buffer | undefined): Promise<void> {
    const matches = (storedKey: string) => storedKey.startsWith(space.prefix)
    this.#core.removing(matches)
    try {
      const { tier } = this.#core
      // Both are done wherever that is possible, even if one of them cannot be acknowledged everywhere.
      const [renewal, removal] = await Promise.allSettled([
        this.renew(space.ownGenerationKeys(tier.generationCopies), { cause }),
        tier.removeUnbound(space.prefix, space.ownGenerationKey),
      ])
      if (renewal.status === 'rejected') throw renewal.reason
      if (removal.status === 'rejected') throw removal.reason
      const followed = monitor.follow('reclaim', undefined, this.#reclaim(space, monitor, removal.value))
      monitor.handOver(undefined, undefined, () => followed)
    } finally {
      this.#core.removing(matches)
    }
  }

  async #reclaim(
    { ownGenerationKey, prefix }: KeySpace,
    monitor: Monitor,
    removedBefore: number,
  ): Promise<void> {
    const { stopping, tier } = this.#core
    try {
      const removed = await tier.reclaim(prefix, ownGenerationKey, stopping)
      monitor.invalidated({ removed: removedBefore + removed })
    } catch (error) {
      if (stopping.aborted) return
      monitor.tell('clear', undefined, error)
      throw error
    }
  }

  async #send(
    { generationKeys, policies, storedKey, value }: WriteRequest,
    early: SerializedValue | undefined,
    turn: Turn,
  ): Promise<Written | undefined> {
    const { codec, generations, outbox, random, tier } = this.#core
    try {
      const serialized = early ?? codec.serialize(value)
      // To await what is no promise would change the order of the calls of one tick.
      const times =
        policies.expiresAtMs === undefined
          ? lifetimesOf(policies, random)
          : await this.#lifetimesUntil(storedKey, policies)
      if (times === undefined) {
        await this.#removeExpired(storedKey, turn)
        return undefined
      }
      for (let rewrites = 0; ; rewrites++) {
        const isTimeKnown = tier.serverNowMs(storedKey) !== undefined
        const [bound, askedMs] = await Promise.all([
          generations.capture(generationKeys, storedTtlMs(times)),
          isTimeKnown ? undefined : tier.serverTimeMs(storedKey),
        ])
        if (turn.earlier !== undefined) await turn.earlier
        const meta: EntryMeta = {
          ...times,
          stamp: newStamp(),
          createdAtMs: tier.serverNowMs(storedKey) ?? askedMs ?? (await tier.serverTimeMs(storedKey)),
          loadCostMs: 0,
          generations: bound,
        }
        const bytes = codec.sealEntry(storedKey, serialized, meta)
        const writing = tier.write(storedKey, bytes, storedTtlMs(times))
        turn.pass()
        await writing
        // If a generation was replaced while the write was in flight, the entry is invalid, and is written again, unless
        // a later write or removal has come after it.
        // Under a generation that a change holds, it stays invalid: the end of the change would invalidate it anyway.
        const isCurrent = bound.every(
          (one) => generations.known(one.storedKey)?.generation === one.generation,
        )
        const isOver =
          isCurrent || isAnyHeld(bound) || turn.isReplaced(storedKey) || rewrites === MOST_REWRITES
        if (isOver || tier.coherence !== 'tracking') return { bytes: bytes.length, ttlMs: times.ttlMs }
        turn.repeat()
      }
    } catch (error) {
      if (!isProgrammingMistake(error)) {
        outbox.add('key', [storedKey])
        tier.deliver()
      }
      throw error
    }
  }

  /** The lifetimes of a value with an `expiresAt`; `undefined` if that has come. @throws CacheError */
  async #lifetimesUntil(storedKey: string, policies: Policies): Promise<ReturnType<typeof lifetimesAt>> {
    const { tier } = this.#core
    const serverNowMs = tier.serverNowMs(storedKey) ?? (await tier.serverTimeMs(storedKey))
    return lifetimesAt(this.#core, policies, { createdAtMs: serverNowMs, serverNowMs })
  }

  /** The key of a value that is not kept is a miss afterwards. @throws CacheError */
  async #removeExpired(storedKey: string, turn: Turn): Promise<void> {
    if (turn.earlier !== undefined) await turn.earlier
    const removing = this.#core.tier.remove([storedKey])
    turn.pass()
    await removing
  }

  /**
   * Registers a write of these keys, which is called at once, and gives it its turn. It must not change the keys without
   * notifying the core.
   */
  inTurn<Result>(storedKeys: readonly string[], work: (turn: Turn) => Promise<Result>): Promise<Result> {
    return this.#core.ownWrites.add(storedKeys, this.#withTurn(storedKeys, work))
  }

  async #withTurn<Result>(
    storedKeys: readonly string[],
    work: (turn: Turn) => Promise<Result>,
  ): Promise<Result> {
    const turn = this.#turns.take(storedKeys)
    try {
      return await work(turn)
    } finally {
      turn.end()
    }
  }

  /** As {@link inTurn}. It drops the local copies of the keys before and after (L3). */
  inTurnDropping<Result>(
    storedKeys: readonly string[],
    work: (turn: Turn) => Promise<Result>,
  ): Promise<Result> {
    return this.dropping(storedKeys, () => this.#withTurn(storedKeys, work))
  }

  /** Registers a write, which is called at once. It drops the local copies of the keys before and after (L3). */
  dropping<Result>(storedKeys: readonly string[], work: () => Promise<Result>): Promise<Result> {
    return this.#core.ownWrites.add(storedKeys, this.#droppedAround(storedKeys, work))
  }

  /** As {@link dropping}, for the generation of a value that stays in this process and only becomes stale. */
  announcing<Result>(storedKey: string, work: () => Promise<Result>): Promise<Result> {
    this.#core.invalidated(storedKey)
    const writing = work().finally(() => this.#core.invalidated(storedKey))
    return this.#core.ownWrites.add([storedKey], writing)
  }

  async #droppedAround<Result>(storedKeys: readonly string[], work: () => Promise<Result>): Promise<Result> {
    this.#core.writeBegan(storedKeys)
    try {
      return await work()
    } finally {
      this.#core.writeSettled(storedKeys)
    }
  }
}

/** @throws CacheError `CACHE_INVALID_ARGUMENT` for the whole database */
export function assertClearable({ prefix }: KeySpace): void {
  if (prefix !== '') return
  throw new CacheError(
    'CACHE_INVALID_ARGUMENT',
    'clear() needs a prefix: with none it would remove every key of the database',
  )
}
