import type { EntryMeta } from '../../codec/envelope/entry-meta.ts'
import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { CacheError, isProgrammingMistake } from '../../foundation/cache-error.ts'
import { chunks } from '../../foundation/chunks.ts'
import { escapeGlob, globMatcher } from '../../foundation/glob.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { newStamp } from '../core/stamp.ts'
import { lifetimesOf, storedTtlMs } from '../freshness/entry-lifetimes.ts'
import type { Policies } from '../freshness/policies.ts'
import type { KeySpace } from '../keys/key-space.ts'

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
}

/** The place of a write among the writes of its key. */
interface Turn {
  /** Resolves when the write is sent, or has failed before that; `undefined` from then on. */
  unsent: Promise<void> | undefined
  /** Called when it is sent, or has failed. */
  readonly pass: () => void
}

/**
 * Writes and invalidations. Each drops the local copies of its keys when it is sent, and again when it has settled
 * (L3). If Redis does not acknowledge it, the outbox keeps an invalidation and delivers it later (O1).
 */
export class WritePath {
  readonly #core: CacheCore
  /**
   * The last write in flight of each key. Writes of one key are sent in the order of their calls, and executed in that
   * order, so none waits for the reply to the one before it.
   */
  readonly #last = new Map<string, Turn>()

  constructor(core: CacheCore) {
    this.#core = core
  }

  /**
   * @returns the size of the entry in bytes
   * @throws CacheError if Redis does not acknowledge the write; the key is then invalidated
   */
  async write({ generationKeys, policies, storedKey, value }: WriteRequest): Promise<number> {
    const { clock, codec, metrics, generations, opened, outbox, random, tier } = this.#core
    const opening = opened()
    // Opening the cache loads the serializer. Once it is loaded, a value that cannot be stored throws here, even if
    // Redis is unavailable, and the local copy of the value before it stays.
    const early = opening === undefined ? codec.serialize(value) : undefined
    this.#core.writeBegan([storedKey])
    let before = this.#last.get(storedKey)
    let turn = this.#takeTurn(storedKey)
    try {
      await opening?.catch(() => {})
      const serialized = early ?? codec.serialize(value)
      const times = lifetimesOf(policies, random)
      for (let rewrites = 0; ; rewrites++) {
        const isTimeKnown = tier.serverNowMs(storedKey) !== undefined
        const [bound, askedMs] = await Promise.all([
          generations.capture(generationKeys, storedTtlMs(times)),
          isTimeKnown ? undefined : tier.serverTimeMs(storedKey),
        ])
        if (before?.unsent !== undefined) await before.unsent
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
        metrics.add('bytesWritten', bytes.length, clock.monotonicMs())
        // If a generation was replaced while the write was in flight, the entry is invalid, and is written again, unless
        // a later write or removal has come after it.
        const isCurrent = bound.every(
          (one) => generations.known(one.storedKey)?.generation === one.generation,
        )
        const isReplaced = this.#last.get(storedKey) !== turn
        const isOver = isCurrent || isReplaced || rewrites === MOST_REWRITES
        if (isOver || tier.coherence !== 'tracking') return bytes.length
        before = undefined
        turn = this.#takeTurn(storedKey)
      }
    } catch (error) {
      if (!isProgrammingMistake(error)) {
        outbox.add('key', [storedKey])
        tier.deliver()
      }
      throw error
    } finally {
      turn.pass()
      if (this.#last.get(storedKey) === turn) this.#last.delete(storedKey)
      this.#core.writeSettled([storedKey])
    }
  }

  /** Returns how many of the keys existed. @throws CacheError */
  async remove(storedKeys: readonly string[]): Promise<number> {
    let removed = 0
    for (const chunk of chunks(storedKeys, KEYS_PER_REMOVAL)) {
      for (const storedKey of chunk) {
        // To await `undefined` would let a later call of the same tick overtake this removal.
        const turn = this.#last.get(storedKey)
        if (turn?.unsent !== undefined) await turn.unsent
        // The write must not be repeated after this.
        if (turn !== undefined && this.#last.get(storedKey) === turn) this.#last.delete(storedKey)
      }
      removed += await this.#dropping(chunk, () => this.#core.tier.remove(chunk))
    }
    return removed
  }

  /** Replaces generations, by one command each, however many entries are bound to them. @throws CacheError */
  async renew(generationKeys: readonly string[]): Promise<void> {
    const { generations, tier } = this.#core
    await this.#dropping(generationKeys, async () => {
      const renewals = await Promise.allSettled(
        generationKeys.map((key) => tier.bump(key, generations.shortestTtlMs)),
      )
      for (const renewal of renewals) if (renewal.status === 'rejected') throw renewal.reason
    })
  }

  /** Removes the keys that match a glob. @throws CacheError; unless it was aborted, the whole cache is invalidated */
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
  async clear(space: KeySpace): Promise<void> {
    if (space.prefix === '') {
      throw new CacheError(
        'CACHE_INVALID_ARGUMENT',
        'clear() needs a prefix: with none it would remove every key of the database',
      )
    }
    const matches = (storedKey: string) => storedKey.startsWith(space.prefix)
    this.#core.removing(matches)
    try {
      await this.renew([space.ownGenerationKey])
      const removed = await this.#core.tier.removeUnbound(space.prefix, space.ownGenerationKey)
      this.#core.background.follow('reclaim', undefined, this.#reclaim(space, removed))
    } finally {
      this.#core.removing(matches)
    }
  }

  async #reclaim({ ownGenerationKey, prefix }: KeySpace, removedBefore: number): Promise<void> {
    const { policy, stopping, tier } = this.#core
    try {
      const removed = await tier.reclaim(prefix, ownGenerationKey, stopping)
      policy.events.emit('invalidate', { pattern: undefined, removed: removedBefore + removed })
    } catch (error) {
      if (stopping.aborted) return
      policy.tell('clear', undefined, error)
      throw error
    }
  }

  #takeTurn(storedKey: string): Turn {
    let resolve = () => {}
    const turn: Turn = {
      unsent: new Promise((resolveUnsent) => {
        resolve = resolveUnsent
      }),
      pass: () => {
        turn.unsent = undefined
        resolve()
      },
    }
    this.#last.set(storedKey, turn)
    return turn
  }

  async #dropping<Result>(storedKeys: readonly string[], work: () => Promise<Result>): Promise<Result> {
    this.#core.writeBegan(storedKeys)
    try {
      return await work()
    } finally {
      this.#core.writeSettled(storedKeys)
    }
  }
}
