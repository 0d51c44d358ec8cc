import { setMaxListeners } from 'node:events'
import type { CallChecks } from '../../backend/assembly/call-checks.ts'
import type { FailurePolicy } from '../../backend/assembly/failure-policy.ts'
import type { StoreObserver } from '../../backend/assembly/observed-store.ts'
import type { PresentCoherence, SharedTier, TierListener } from '../../backend/seams/shared-tier.ts'
import {
  type BoundGeneration,
  readEntryFacts,
  readLease,
  stampIn,
  withLease,
} from '../../codec/envelope/entry-meta.ts'
import type { ValueCodec } from '../../codec/value-codec.ts'
import { printable } from '../../foundation/errors/printable.ts'
import type { OpenContexts } from '../../foundation/rare-context.ts'
import { type Clock, SYSTEM_CLOCK, type Timers, TurnClock } from '../../foundation/time/clock.ts'
import { OpenChanges } from '../changes/open-changes.ts'
import { EntryJudge } from '../entries/entry-judge.ts'
import { EntryReader } from '../entries/entry-reader.ts'
import { GenerationCheck } from '../entries/generation-check.ts'
import { HeldEntries } from '../entries/held-entries.ts'
import type { Random } from '../freshness/early-refresh.ts'
import { OpenInheritances } from '../inheritance/open-inheritances.ts'
import type { ChangeListener } from '../keys/change-listener.ts'
import type { KeySpace } from '../keys/key-space.ts'
import { KeyWaiters } from '../keys/key-waiters.ts'
import { OwnWrites } from '../keys/own-writes.ts'
import { RememberedFailures } from '../keys/remembered-failures.ts'
import type { Isolation } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { LocalTier } from '../local/local-tier.ts'
import { PrefixRules } from '../local/prefix-rules.ts'
import { CircuitBreakers } from '../outage/circuit-breakers.ts'
import { InvalidationOutbox } from '../outage/invalidation-outbox.ts'
import { ResilientTier, unboundRemoval } from '../outage/resilient-tier.ts'
import { GenerationTable } from '../tags/generation-table.ts'
import { LearnedTags } from '../tags/late-tags.ts'
import { Background } from './background.ts'
import type { NamespaceStats } from './counts.ts'
import { LoadPlaces } from './load-places.ts'
import { MetricsByName } from './metrics.ts'
import type { ResolvedReadThrough } from './read-through-options.ts'

const NO_TAGS: readonly string[] = []

/** The parts of a {@link CacheCore}. */
export interface CoreParts {
  readonly tier: SharedTier
  readonly codec: ValueCodec
  readonly policy: FailurePolicy
  readonly calls: CallChecks
  readonly root: KeySpace
  readonly options: ResolvedReadThrough
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  /** Whether the backend is closed with the cache, so that a value in the local tier need not be in the backend too. */
  readonly keepsValues: boolean
  /** The loads in flight. */
  readonly loads: ChangeListener
  readonly opened: () => Promise<void> | undefined
  readonly isOpen: () => boolean
}

/**
 * The state that a cache and its namespaces share. It receives every notification of a change, and passes it on to all
 * {@link ChangeListener | listeners}.
 */
export class CacheCore implements TierListener, StoreObserver {
  readonly tier: ResilientTier
  readonly codec: ValueCodec
  readonly policy: FailurePolicy
  readonly calls: CallChecks
  readonly options: ResolvedReadThrough
  readonly clock: Clock
  /** The clock for local hits, which reads the system clock less often. */
  readonly hitClock: Clock
  readonly timers: Timers
  readonly local: LocalTier
  readonly generations: GenerationTable
  readonly reader: EntryReader
  /** The values that stay in this process. */
  readonly held: HeldEntries
  readonly check: GenerationCheck
  readonly judge: EntryJudge
  readonly waiters: KeyWaiters
  readonly breakers: CircuitBreakers
  readonly outbox: InvalidationOutbox
  readonly ownWrites: OwnWrites = new OwnWrites()
  readonly failures: RememberedFailures
  /** The isolation of each namespace: all callers of a key share its local entry. */
  readonly isolations: PrefixRules<Isolation>
  readonly learnedTags: LearnedTags = new LearnedTags()
  /** How many changes and inheritances are open. */
  readonly contexts: OpenContexts = { count: 0 }
  readonly changes: OpenChanges = new OpenChanges(this.contexts)
  readonly inheritances: OpenInheritances = new OpenInheritances(this.contexts)
  readonly background: Background = new Background()
  readonly metrics: MetricsByName = new MetricsByName()
  readonly random: Random
  readonly places: LoadPlaces
  /** Resolves when the tier is open; `undefined` if it is. */
  readonly opened: () => Promise<void> | undefined
  readonly isOpen: () => boolean
  readonly #stopping = new AbortController()
  /** The beginning of every stored key. */
  readonly rootPrefix: string
  /**
   * The order matters: first outdated copies and generations are dropped, then loads are closed to newcomers, and then
   * the waiters for the key are woken, which read it again.
   */
  readonly #listeners: readonly ChangeListener[]
  /** When the tier was last trusted, in milliseconds of the monotonic clock. */
  #trustedAtMs = -1

  constructor(parts: CoreParts) {
    const { calls, clock, codec, isOpen, keepsValues, loads, opened, options } = parts
    const { policy, random, root, tier, timers } = parts
    this.rootPrefix = root.prefix
    this.opened = opened
    this.isOpen = isOpen
    this.codec = codec
    this.policy = policy
    this.calls = calls
    this.options = options
    this.places = new LoadPlaces(options.maxLoads)
    this.isolations = new PrefixRules(options.isolation)
    this.clock = clock
    this.hitClock = clock === SYSTEM_CLOCK ? new TurnClock(clock) : clock
    this.timers = timers
    this.random = random
    setMaxListeners(0, this.#stopping.signal)
    this.breakers = new CircuitBreakers(clock, (state, node) =>
      policy.events.emit('circuit', node === '' ? { state } : { state, endpoint: printable(node) }),
    )
    this.outbox = new InvalidationOutbox({
      clock,
      generationTtlMs: () => this.generations.shortestTtlMs,
      rootGenerationKeys: () => root.ownGenerationKeys(tier.generationCopies),
      rootRemoval: root.prefix === '' ? undefined : unboundRemoval(root.prefix, root.ownGenerationKey),
      onAdd: (storedKey) => this.invalidated(storedKey),
    })
    this.tier = new ResilientTier({
      ...{ tier, breakers: this.breakers, outbox: this.outbox, isOpen, opened, timers },
      ownWritesOf: (storedKey) => this.ownWrites.of(storedKey),
    })
    this.local = new LocalTier(
      root.prefix,
      options.local,
      () => this.metrics.root.add('evictions', 1, clock.monotonicMs()),
      keepsValues ? tier.shedValues?.((storedKey, head) => this.#restored(storedKey, head)) : undefined,
    )
    this.generations = new GenerationTable(this.tier, clock)
    this.waiters = new KeyWaiters(timers)
    this.failures = new RememberedFailures(clock)
    const { failures, generations, local, ownWrites, waiters } = this
    this.check = new GenerationCheck(generations, this.tier, root.prefix, clock)
    this.judge = new EntryJudge({
      ...{ tier: this.tier, check: this.check, codec, local },
      isolations: this.isolations,
      onUndecodable: (storedKey, error) =>
        policy.tellUndecodable('getOrSet', storedKey.slice(root.prefix.length), error),
    })
    const { check, judge } = this
    const shared = { tier: this.tier, judge, check, local, ownWrites, generations, clock, opened }
    this.held = new HeldEntries({ ...shared, timers })
    this.reader = new EntryReader({ ...shared, held: this.held })
    this.#listeners = [local, generations, this.held, failures, loads, waiters]
    tier.watch(this)
  }

  /** The bytes of an entry whose value only the local tier holds. */
  #restored(storedKey: string, head: Buffer): Buffer | undefined {
    const entry = this.localEntry(storedKey)
    if (entry === undefined || entry.stamp !== stampIn(head)) return undefined
    const { deadlineMs, token } = readLease(head)
    const meta = { ...readEntryFacts(head), generations: entry.generationSet.bound }
    try {
      return withLease(this.codec.encodeEntry(storedKey, entry.value, meta), token, deadlineMs)
    } catch {
      // A caller changed a shared value into one that cannot be encoded.
      return undefined
    }
  }

  /** Stored keys of the generations that an entry under this key, with these tags, is bound to. */
  generationKeys(space: KeySpace, storedKey: string, tags: readonly string[] = NO_TAGS): readonly string[] {
    const generationKeys = space.generationKeysWith(tags, this.tier.copyNear(storedKey))
    return space.isHeld ? [...generationKeys, storedKey] : generationKeys
  }

  /** How local copies are kept coherent at this moment. */
  get coherence(): PresentCoherence {
    return this.clock.monotonicMs() < this.tier.trustedUntilMs ? this.tier.coherence : 'none'
  }

  /** What happened in the key space with this prefix, and what it keeps here. */
  statsWithin(namePrefix: string): NamespaceStats {
    const local = this.local.usageOf(namePrefix)
    return { ...this.metrics.within(namePrefix, this.clock.monotonicMs()), ...(local && { local }) }
  }

  /** The local entry of a key, fresh or not. */
  localEntry(storedKey: string): LocalEntry | undefined {
    return this.local.peekStored(storedKey)
  }

  /** Drops the local copy of the entry with this stamp, which the shared tier no longer holds. */
  dropCopy(storedKey: string, stamp: string): void {
    if (this.localEntry(storedKey)?.stamp === stamp) this.local.drop(storedKey)
  }

  /** Whether a local entry is still valid: no change of it was announced, and an announcement would have arrived. */
  isCoherent(entry: LocalEntry, nowMs: number): boolean {
    return entry.epoch === this.local.epoch && this.#isTrusted(nowMs) && entry.generationSet.isValid
  }

  /**
   * As {@link isCoherent}, also if its generations were announced as changed, and are the current ones nevertheless.
   * @param areCurrent what is known of them since
   */
  isStillCoherent(
    entry: LocalEntry,
    nowMs: number,
    areCurrent: (bound: readonly BoundGeneration[]) => boolean,
  ): boolean {
    const { epoch, generationSet } = entry
    if (epoch !== this.local.epoch || !this.#isTrusted(nowMs)) return false
    return generationSet.isValid || areCurrent(generationSet.judgedBy)
  }

  /** Whether an announcement of any change would have arrived by now. Hits at the same time share one check. */
  #isTrusted(nowMs: number): boolean {
    if (nowMs === this.#trustedAtMs) return true
    if (nowMs >= this.tier.trustedUntilMs) return false
    this.#trustedAtMs = nowMs
    return true
  }

  invalidated(storedKey: string): void {
    for (const listener of this.#listeners) listener.invalidated(storedKey)
  }

  epochBegan(reason: string): void {
    this.#trustedAtMs = -1
    for (const listener of this.#listeners) listener.epochBegan()
    this.breakers.connected()
    this.policy.events.emit('epoch', { reason: printable(reason), coherence: this.coherence })
  }

  restarted(): void {
    this.outbox.repeatRecent()
    if (this.options.afterRestart === 'invalidate') this.outbox.renewRoot()
    this.tier.deliver()
  }

  get hasUndelivered(): boolean {
    return !this.outbox.isEmpty
  }

  delivered(storedKeys: readonly string[]): Promise<void> | undefined {
    return this.tier.delivered(storedKeys)
  }

  /** An own write is about to be sent. */
  writeBegan(storedKeys: readonly string[]): void {
    for (const storedKey of storedKeys) {
      for (const listener of this.#listeners) listener.writeBegan(storedKey)
    }
  }

  /** The write has been acknowledged, or has failed. */
  writeSettled(storedKeys: readonly string[]): void {
    for (const storedKey of storedKeys) {
      for (const listener of this.#listeners) listener.writeSettled(storedKey)
    }
  }

  /** A removal by pattern begins, goes on, or ends. */
  removing(matches: (storedKey: string) => boolean): void {
    for (const listener of this.#listeners) listener.removing(matches)
  }

  /** Aborts when the cache is closed and the time for its background work is over. */
  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  /** Ends the background work, and clears the local tier. */
  stop(): void {
    this.#stopping.abort(new DOMException('The cache has been shut down', 'AbortError'))
    this.held.stop()
    // Who waits for the load of another process loads by itself.
    this.waiters.epochBegan()
    this.local.clear()
  }
}
