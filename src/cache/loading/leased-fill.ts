import { FRUITLESS_MS } from '../../backend/seams/shared-tier.ts'
import { placeholder, tokenOfFruitless } from '../../codec/envelope/entry-meta.ts'
import { isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { copyOf, type IsolatedValue, isolate } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { GenerationSet } from '../tags/generation-set.ts'
import type { StoredMeta } from './inherited-meta.ts'
import type { LoadLease } from './lease.ts'
import type { LoadRequest } from './load-request.ts'

/** The result of a fill. */
export interface Filled {
  /** The value for the callers. */
  readonly isolated: IsolatedValue
  /** The entry; `undefined` if it was not stored. */
  readonly stored: LocalEntry | undefined
  /** Why it is not known whether the entry was stored. */
  readonly failure?: unknown
}

/** How long nobody is to load a key again. */
interface Pause {
  /** When that ends, on the server's clock. */
  readonly deadlineMs: number
  /** How long it is in all. */
  readonly pauseMs: number
}

/** Stores loaded values under the token of a lease. */
export class LeasedFill {
  readonly #core: CacheCore

  constructor(core: CacheCore) {
    this.#core = core
  }

  /**
   * Stores an entry if the key still holds the token; `undefined` is stored as an entry that says that there is no value. Also keeps it in the local tier, since the script reads what it
   * stored (L1). One round trip.
   * @returns the value for the callers, and the entry if it was stored
   * @throws CacheError if the value cannot be encoded
   */
  async store(
    request: LoadRequest,
    lease: LoadLease,
    value: unknown,
    { freshMs, keptMs, meta }: StoredMeta,
  ): Promise<Filled> {
    if (request.space.isHeld) return this.#hold(request, value, meta, keptMs)
    const { clock, codec, generations, isolations, judge, local, tier } = this.#core
    const { key, monitor, storedKey } = request
    const serialized = value === undefined ? undefined : codec.serialize(value)
    const bytes =
      serialized === undefined
        ? codec.encodeEntry(storedKey, undefined, meta)
        : codec.sealEntry(storedKey, serialized, meta)
    const isolation = isolations.of(storedKey)
    const own = isolation === 'share' ? value : await codec.decodeEntry(storedKey, bytes)
    const read = local.expect(storedKey)
    try {
      const filling = this.#fill(storedKey, lease, bytes, keptMs)
      // Generations that this load has created were not read yet. These reads travel together with the fill.
      const fetching = generations.fetchAll(meta.generations.map((one) => one.storedKey))
      generations.outlive(meta.generations, keptMs)
      const [isStored] = await Promise.all([filling, fetching])
      if (isStored) monitor.stored(key, freshMs, bytes.length)
      else monitor.leaseLost(key)
      const set = generations.resolve(meta.generations)
      const nowMs = clock.monotonicMs()
      const moment = { nowMs, serverNowMs: tier.serverNowMs(storedKey, nowMs) }
      const entry = judge.entry(
        storedKey,
        isolate(own, isolation),
        meta,
        set ?? new GenerationSet(meta.generations, []),
        0,
        moment,
      )
      if (isStored && set !== undefined && request.since === undefined) {
        local.keep(storedKey, read, entry, Math.max(bytes.length, serialized?.payload.length ?? 0))
      }
      return { isolated: entry, stored: isStored ? entry : undefined }
    } catch (error) {
      void lease.releaseFruitless()
      monitor.tell('getOrSet', key, error)
      return { isolated: isolate(own, isolation), stored: undefined, failure: error }
    } finally {
      local.forget(storedKey, read)
    }
  }

  /** Keeps a value that stays in this process, if nothing has invalidated it since its generations were captured. */
  async #hold(
    { storedKey }: LoadRequest,
    value: unknown,
    meta: StoredMeta['meta'],
    keptMs: number,
  ): Promise<Filled> {
    const { generations, held, stopping } = this.#core
    const isolated = { value, isCloned: false }
    if (stopping.aborted) return { isolated, stored: undefined }
    const { entry, isKept } = await held.keep(storedKey, value, meta)
    generations.outlive(meta.generations, keptMs)
    return { isolated, stored: isKept ? entry : undefined }
  }

  /**
   * Empties the key if it still holds the token: the source no longer has a value. The key then reads as absent, any
   * process may load it, and those who waited learn that this load was fruitless.
   * @param pause set if nobody is to load it before this deadline, on the server's clock
   * @returns whether the key still held the token, as far as is known
   */
  async retire(
    { key, monitor, space, storedKey }: LoadRequest,
    lease: LoadLease,
    pause?: Pause,
  ): Promise<boolean> {
    const { local } = this.#core
    if (space.isHeld) {
      local.drop(storedKey)
      return true
    }
    const { deadlineMs = 0, pauseMs = 0 } = pause ?? {}
    try {
      const nothing = placeholder(tokenOfFruitless(lease.token), deadlineMs, pauseMs)
      return await this.#fill(storedKey, lease, nothing, Math.max(pauseMs, FRUITLESS_MS))
    } catch (error) {
      void lease.releaseFruitless()
      monitor.tell('getOrSet', key, error)
      return true
    } finally {
      local.invalidated(storedKey)
    }
  }

  /** Stores bytes in place of the lease. If the lease is void, gives it back, and returns `false`. */
  async #fill(storedKey: string, lease: LoadLease, bytes: Buffer, ttlMs: number): Promise<boolean> {
    if (!lease.isValid) {
      void lease.release()
      return false
    }
    const isStored = await this.#core.tier.fill(storedKey, { kind: 'lease', mark: lease.token }, bytes, ttlMs)
    lease.filled()
    return isStored
  }

  /** The loader's value as the cache would serve it: encoded and decoded, unless `isolation` is `'share'`. */
  async isolated({ space, storedKey }: LoadRequest, value: unknown): Promise<IsolatedValue> {
    const { codec, isolations } = this.#core
    if (space.isHeld) return { value, isCloned: false }
    const isolation = isolations.of(storedKey)
    if (isolation === 'share') return { value, isCloned: false }
    try {
      const encoded = codec.encode(storedKey, value)
      return isolate(await codec.decode(storedKey, Buffer.from(encoded as string)), isolation)
    } catch (error) {
      if (isProgrammingMistake(error)) throw error
      // The value is too large for the cache, but callers can still get it.
      return isolate(copyOf(value), isolation)
    }
  }
}
