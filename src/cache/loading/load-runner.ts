import { LRUCache } from 'lru-cache'
import {
  type BoundGeneration,
  type EntryMeta,
  NO_TOKEN,
  placeholder,
} from '../../codec/envelope/entry-meta.ts'
import { isProgrammingMistake } from '../../foundation/cache-error.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { newStamp } from '../core/stamp.ts'
import { lifetimesOf, storedTtlMs } from '../freshness/entry-lifetimes.ts'
import { copyOf, handOut, type IsolatedValue, isolate } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { GenerationSet } from '../tags/generation-set.ts'
import type { Flight, LateTagKey, Outcome } from './flight.ts'
import type { Lease } from './lease.ts'
import { LoadContext, type StaleValue } from './load-context.ts'
import type { LoadRequest } from './load-request.ts'
import type { StaleFallback } from './stale-fallback.ts'

/** What a load under a lease stands on; all of it was had before the loader begins. */
export interface LeasedLoad {
  readonly lease: Lease
  /** The generations that the entry will depend on. */
  readonly bound: readonly BoundGeneration[]
  readonly serverNowMs: number
}

/** Keys whose tags are remembered, since only their values tell them. */
const MOST_LEARNED = 10_000

/** What reads as "nothing there", and keeps nobody from loading. */
const NOTHING: Buffer = placeholder(NO_TOKEN, 0)
const SHORTEST_TTL_MS = 1

interface Loaded {
  readonly value: unknown
  readonly context: LoadContext
  readonly durationMs: number
  /** The generations of the stale value, where it is still right. */
  readonly kept: readonly BoundGeneration[]
}

interface LateTag extends BoundGeneration {
  readonly isKnown: boolean
}

/** Runs loaders, and stores what they return: only under the token of a lease, and bound to what was captured before. */
export class Loading {
  readonly #core: CacheCore
  readonly #staleFallback: StaleFallback
  /** Tags that only the value of a key told, to be captured before it is loaded the next time (G3). */
  readonly #learnedTags = new LRUCache<string, readonly string[]>({
    maxSize: MOST_LEARNED,
    sizeCalculation: () => 1,
  })

  constructor(core: CacheCore, staleFallback: StaleFallback) {
    this.#core = core
    this.#staleFallback = staleFallback
  }

  /** Stored keys of what has to be captured before this load begins (G2). */
  generationKeysOf({ generationKeys, storedKey }: LoadRequest): readonly string[] {
    const learned = this.#learnedTags.get(storedKey)
    return learned === undefined ? generationKeys : [...new Set([...generationKeys, ...learned])]
  }

  /**
   * Loads under a lease, and stores what was loaded.
   * @param stale what may be served where the loader fails
   */
  async underLease(
    flight: Flight,
    request: LoadRequest,
    { bound, lease, serverNowMs }: LeasedLoad,
    stale: LocalEntry | undefined,
  ): Promise<Outcome> {
    const loaderBeganAt = this.#core.generations.now
    // When all have gone, nobody else should wait for a loader that goes on regardless.
    flight.onAbandoned(() => void lease.release())
    let loaded: Loaded
    try {
      loaded = await this.#load(flight, request, stale)
    } catch (error) {
      void lease.release()
      return this.#staleFallback.forFailed(stale, error)
    }
    lease.end()
    const { context, durationMs, kept, value } = loaded
    const late = this.#lateTags(request, context, bound, loaderBeganAt)
    const lateTagKeys = [...late.map(asTold), ...toldByStale(request, kept)]
    if (value === undefined || context.isSkipped) {
      const isGone = value === undefined && !context.isSkipped && stale !== undefined
      if (isGone) await this.#retire(request, lease)
      else void lease.release()
      return { isolated: { value, isCloned: false }, origin: 'load', lateTagKeys }
    }
    if (late.some(({ isKnown }) => !isKnown)) {
      this.#learnedTags.set(
        request.storedKey,
        late.map(({ storedKey }) => storedKey),
      )
      void lease.release()
      return { isolated: await this.#isolated(request, value), origin: 'load', lateTagKeys }
    }
    const meta: EntryMeta = {
      ...lifetimesOf(context.resolve(request.policies), this.#core.random),
      stamp: newStamp(),
      createdAtMs: serverNowMs,
      loadCostMs: durationMs,
      generations: distinct([...bound, ...late, ...kept]),
    }
    try {
      return { isolated: await this.#fill(request, lease, value, meta), origin: 'load', lateTagKeys }
    } catch (error) {
      void lease.release()
      if (isProgrammingMistake(error)) throw error
      this.#core.policy.tell('getOrSet', request.key, error)
      return { isolated: await this.#isolated(request, value), origin: 'load', lateTagKeys }
    }
  }

  /**
   * Tags that only the value told bind to a generation that was read before the loader began and is still live (G3);
   * those that were captured for this load are bound already.
   */
  #lateTags(
    { generationKeys, space }: LoadRequest,
    context: LoadContext,
    bound: readonly BoundGeneration[],
    loaderBeganAt: number,
  ): LateTag[] {
    const tagKeys = context.tags
      .map((tag) => space.tagKey(tag))
      .filter((key) => !generationKeys.includes(key))
    return tagKeys.map((tagKey) => {
      const captured = bound.find(({ storedKey }) => storedKey === tagKey)
      if (captured !== undefined) return { ...captured, isKnown: true }
      const known = this.#core.generations.known(tagKey)
      const isKnown = known !== undefined && known.learnedAt <= loaderBeganAt
      return { storedKey: tagKey, generation: known?.generation ?? '', isKnown }
    })
  }

  /** The source has nothing any more: nor has the key, if it still bears the token. */
  async #retire({ key, storedKey }: LoadRequest, lease: Lease): Promise<void> {
    const { local, policy, tier } = this.#core
    try {
      if (lease.isValid) await tier.fill(storedKey, lease.token, NOTHING, SHORTEST_TTL_MS)
    } catch (error) {
      void lease.release()
      policy.tell('getOrSet', key, error)
    } finally {
      local.invalidated(storedKey)
    }
  }

  /** Stores the entry under its token, and keeps it here: the script has read what it stored (L1). */
  async #fill(request: LoadRequest, lease: Lease, value: unknown, meta: EntryMeta): Promise<IsolatedValue> {
    const { clock, codec, metrics, generations, local, options, policy, reader, tier } = this.#core
    const { key, storedKey } = request
    const bytes = codec.encodeEntry(storedKey, value, meta)
    const own = options.isolation === 'share' ? value : await codec.decodeEntry(storedKey, bytes)
    const pending = local.expect(storedKey)
    try {
      const filling = lease.isValid
        ? tier.fill(storedKey, lease.token, bytes, storedTtlMs(meta))
        : Promise.resolve(false)
      // A generation that was made for this load was not read since; that travels with the fill.
      const unknown = meta.generations.filter((one) => generations.known(one.storedKey) === undefined)
      const fetching = unknown.map((one) => reader.fetch(one.storedKey).catch(() => undefined))
      const [isStored] = await Promise.all([filling, ...fetching])
      if (isStored) metrics.add('bytesWritten', bytes.length, clock.monotonicMs())
      else policy.events.emit('lease-lost', { key })
      const generationSet = generations.generationSetOf(meta.generations)
      const entry = reader.entry(
        storedKey,
        own,
        meta,
        generationSet ?? new GenerationSet(meta.generations, []),
        0,
      )
      if (isStored && generationSet !== undefined) local.keep(storedKey, pending, entry, bytes.length)
      return entry
    } catch (error) {
      policy.tell('getOrSet', key, error)
      return isolate(own, options.isolation)
    } finally {
      local.forget(storedKey, pending)
    }
  }

  /** Without a token nothing is stored (L6). */
  async uncached(
    flight: Flight,
    request: LoadRequest,
    stale: LocalEntry | undefined = undefined,
  ): Promise<Outcome> {
    try {
      const { context, kept, value } = await this.#load(flight, request, stale)
      const tagKeys = context.tags.map((tag) => request.space.tagKey(tag))
      // Without Redis nobody else's invalidation can be acknowledged; our own are known.
      const told = tagKeys.map((tagKey) => ({ tagKey, isKnown: true }))
      const lateTagKeys = [...told, ...toldByStale(request, kept)]
      const isRaw = value === undefined || context.isSkipped
      const isolated = isRaw ? { value, isCloned: false } : await this.#isolated(request, value)
      return { isolated, origin: 'load', lateTagKeys }
    } catch (error) {
      if (isProgrammingMistake(error)) throw error
      return this.#staleFallback.forFailedUncached(request, stale, error)
    }
  }

  async #load(flight: Flight, request: LoadRequest, stale: LocalEntry | undefined): Promise<Loaded> {
    const { clock } = this.#core
    const { key, loader, shared, storedKey } = request
    if (flight.isAbandoned) flight.signal.throwIfAborted()
    const beganMs = clock.monotonicMs()
    flight.beginLoading(beganMs)
    const context = new LoadContext({
      key,
      signal: () => flight.signal,
      stale: stale === undefined || stale.isPlain ? undefined : () => this.#staleValue(request, stale),
    })
    shared?.decided(storedKey)
    let value: unknown
    try {
      value = await loader(context)
    } catch (error) {
      if (!context.isNotModified) {
        this.#loaded(key, beganMs, { error })
        throw error
      }
    }
    const durationMs = this.#loaded(key, beganMs)
    if (!context.isNotModified || stale === undefined) return { context, value, durationMs, kept: [] }
    // They were the present ones before the loader began, as those that are captured for it (G2).
    return { context, value: handOut(stale), durationMs, kept: stale.generationSet.bound }
  }

  /** A loader has ended; returns how long it took. */
  #loaded(key: string, beganMs: number, failure?: { readonly error: unknown }): number {
    const { clock, metrics, policy } = this.#core
    const nowMs = clock.monotonicMs()
    const durationMs = nowMs - beganMs
    metrics.add('loads', 1, nowMs)
    metrics.add('loadSeconds', durationMs / 1_000, nowMs)
    if (failure !== undefined) metrics.add('loadErrors', 1, nowMs)
    policy.events.emit('load', { key, durationMs, ...failure })
    return durationMs
  }

  #staleValue({ space }: LoadRequest, entry: LocalEntry): StaleValue {
    const { bornMs, loadCostMs } = entry
    const ageMs = bornMs === undefined ? undefined : this.#core.clock.monotonicMs() - bornMs
    return {
      value: handOut(entry),
      age: ageMs === undefined ? undefined : Math.max(0, ageMs) / 1_000,
      loadCost: loadCostMs / 1_000,
      tags: entry.generationSet.tagsOf(space),
    }
  }

  /** A value of the loader's own making, as if it had been stored and read. */
  async #isolated({ storedKey }: LoadRequest, value: unknown): Promise<IsolatedValue> {
    const { codec, options } = this.#core
    if (options.isolation === 'share') return { value, isCloned: false }
    try {
      const encoded = codec.encode(storedKey, value)
      return isolate(await codec.decode(storedKey, Buffer.from(encoded as string)), options.isolation)
    } catch (error) {
      if (isProgrammingMistake(error)) throw error
      // It is too large for the cache, and yet it can be handed out.
      return isolate(copyOf(value), options.isolation)
    }
  }
}

function asTold({ isKnown, storedKey }: LateTag): LateTagKey {
  return { isKnown, tagKey: storedKey }
}

/** Tags of a stale value that is still right: nobody but that value told them. */
function toldByStale(
  { generationKeys }: LoadRequest,
  kept: readonly BoundGeneration[],
): readonly LateTagKey[] {
  const told = kept.filter(({ storedKey }) => !generationKeys.includes(storedKey))
  return told.map(({ storedKey }) => ({ tagKey: storedKey, isKnown: true }))
}

/** The first of each key. */
function distinct(generations: readonly BoundGeneration[]): BoundGeneration[] {
  const byKey = new Map<string, BoundGeneration>()
  for (const one of generations) if (!byKey.has(one.storedKey)) byKey.set(one.storedKey, one)
  return [...byKey.values()]
}
