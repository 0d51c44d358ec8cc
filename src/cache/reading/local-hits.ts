import type { OpenContexts } from '../../foundation/rare-context.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import { isGoodFor, isPassedBy } from '../freshness/copy-age.ts'
import { servableTo } from '../freshness/max-age.ts'
import type { GetOrSetOptions } from '../freshness/policy-options.ts'
import { servable } from '../freshness/servable.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { LocalShelf } from '../local/local-shelf.ts'

/** Looks up the entries of one namespace in the local tier, synchronously and without a round trip. */
export class LocalHits {
  readonly #core: CacheCore
  readonly #contexts: OpenContexts
  readonly #monitor: Monitor
  readonly #space: KeySpace
  /** The prefix of this namespace's names in the local tier; empty for the root. */
  readonly #prefix: string
  readonly #isRoot: boolean
  readonly #isHeld: boolean
  /** Where the entries of this namespace are kept. */
  #shelf: LocalShelf
  #hitAtMs = 0

  constructor(core: CacheCore, space: KeySpace, monitor: Monitor) {
    this.#core = core
    this.#contexts = core.contexts
    this.#monitor = monitor
    this.#space = space
    this.#prefix = space.namePrefix
    this.#isRoot = space.namePrefix === ''
    this.#isHeld = space.isHeld
    this.#shelf = core.local.shelfOf(space.localName(''))
  }

  /** When {@link fresh} last found an entry, in milliseconds of the monotonic clock. */
  get hitAtMs(): number {
    return this.#hitAtMs
  }

  /** The local entry, if it may be served now. Within a change there is none. */
  fresh(key: string, tags: readonly string[] | undefined): LocalEntry | undefined {
    if (this.#contexts.count !== 0 && this.#core.changes.current !== undefined) return undefined
    const name = this.#nameOf(key)
    const entry = this.#shelf.peek(name) ?? this.#elsewhere(name)
    if (entry === undefined) return undefined
    const nowMs = this.#core.hitClock.monotonicMs()
    if (servable(entry, nowMs) !== 'fresh' || !this.#core.isCoherent(entry, nowMs)) return undefined
    if (!entry.covers(this.#space, tags)) return undefined
    this.#shelf.used(name, entry, nowMs)
    this.#hitAtMs = nowMs
    return entry
  }

  /**
   * The entry of a name that the shelf of this namespace does not hold: its namespace may have got a shelf of its own
   * since this object was made, or the name may be one of an inner namespace. A miss pays for it, and no hit.
   */
  #elsewhere(name: string): LocalEntry | undefined {
    const { local } = this.#core
    if (this.#isHeld || !local.isDivided) return undefined
    this.#shelf = local.shelfOf(this.#prefix)
    return local.peek(name)
  }

  /** Whether the entry that {@link fresh} has just found is good enough for a call with these options. */
  isGoodFor(entry: LocalEntry, options: GetOrSetOptions): boolean {
    return isGoodFor(entry, this.#hitAtMs, options, this.#core.tier)
  }

  /** The local entry, if it may be served while a new value is loaded, to a caller with this `maxAge`. */
  stale(
    key: string,
    tags: readonly string[] | undefined,
    { copyTtlMs, maxAgeMs }: Pick<LoadRequest, 'copyTtlMs' | 'maxAgeMs'>,
  ): LocalEntry | undefined {
    const entry = this.#core.local.peek(this.#nameOf(key))
    if (entry === undefined) return undefined
    const nowMs = this.#core.clock.monotonicMs()
    if (isPassedBy(entry, nowMs, copyTtlMs)) return undefined
    if (!this.#core.isCoherent(entry, nowMs)) return undefined
    const how = servableTo(maxAgeMs, entry, nowMs)
    if (how !== 'fresh' && how !== 'revalidate') return undefined
    return entry.covers(this.#space, tags) ? entry : undefined
  }

  /** Counts the hit that {@link fresh} has just found, and returns its value. */
  serve<T>(key: string, entry: LocalEntry): Promise<T> {
    this.count(key, entry)
    return entry.handOut<T>()
  }

  /** Counts a hit, that which {@link fresh} has just found by default. Emits its event, and hands it over. */
  count(key: string, entry: LocalEntry, nowMs: number = this.#hitAtMs): void {
    this.#monitor.localHit(key, nowMs, entry.loadCostMs)
    if (this.#contexts.count !== 0) this.#handOver(key, entry)
  }

  #handOver(key: string, entry: LocalEntry): void {
    this.#core.inheritances.current?.add(entry, this.#nameOf(key))
  }

  /** The name of a key in the local tier. Even adding an empty prefix would cost a hit a twentieth of its time. */
  #nameOf(key: string): string {
    if (this.#isRoot) return key
    return this.#isHeld ? this.#space.localName(key) : this.#prefix + key
  }
}
