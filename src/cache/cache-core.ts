import { setMaxListeners } from 'node:events'
import type { FailurePolicy } from '../backend/failure-policy.ts'
import type { SharedTier, TierListener } from '../backend/shared-tier.ts'
import type { StoreWitness } from '../backend/witnessed-store.ts'
import type { ValueCodec } from '../codec/value-codec.ts'
import { type Clock, SYSTEM_CLOCK, type Timers, TurnClock } from '../foundation/clock.ts'
import { Arrivals } from './arrivals.ts'
import { Background } from './background.ts'
import type { ResolvedReadThrough } from './cache-options.ts'
import { Captures } from './captures.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import { Counts } from './counts.ts'
import { EntryReader } from './entry-reader.ts'
import type { Flight } from './flight.ts'
import type { Random } from './freshness.ts'
import { Generations } from './generations.ts'
import { InstantReader } from './instant-reader.ts'
import type { KeySpace } from './key-space.ts'
import type { LocalEntry } from './local-entry.ts'
import { LocalTier } from './local-tier.ts'
import { Outbox } from './outbox.ts'
import { ResilientTier } from './resilient-tier.ts'

/** What a {@link CacheCore} is made of. */
export interface CoreParts {
  readonly tier: SharedTier
  readonly codec: ValueCodec
  readonly policy: FailurePolicy
  readonly root: KeySpace
  readonly options: ResolvedReadThrough
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly opened: () => Promise<void> | undefined
  readonly isOpen: () => boolean
}

/**
 * The state that a cache and its namespaces share, and the one place where news of a change arrives: what a change
 * touches is dropped, and who waits for it is woken.
 */
export class CacheCore implements TierListener, StoreWitness {
  readonly tier: ResilientTier
  readonly codec: ValueCodec
  readonly policy: FailurePolicy
  readonly options: ResolvedReadThrough
  readonly clock: Clock
  /** For hits alone. */
  readonly hitClock: Clock
  readonly timers: Timers
  readonly local: LocalTier
  readonly generations: Generations
  readonly reader: EntryReader
  readonly instantReader: InstantReader
  readonly arrivals: Arrivals
  readonly captures: Captures
  readonly breaker: CircuitBreaker
  readonly outbox: Outbox
  readonly background: Background
  readonly counts: Counts = new Counts()
  readonly random: Random
  /** Resolves when the tier is open; `undefined` where it is. */
  readonly opened: () => Promise<void> | undefined
  readonly flights: Map<string, Flight> = new Map()
  readonly #stopping = new AbortController()
  readonly #rootPrefix: string
  /** The last moment at which the tier was found to be trusted. */
  #trustedAtMs = -1

  constructor({ clock, codec, isOpen, opened, options, policy, random, root, tier, timers }: CoreParts) {
    this.#rootPrefix = root.prefix
    this.opened = opened
    this.codec = codec
    this.policy = policy
    this.options = options
    this.clock = clock
    this.hitClock = clock === SYSTEM_CLOCK ? new TurnClock(clock) : clock
    this.timers = timers
    this.random = random
    this.background = new Background((failure) => policy.events.emit('background-error', failure))
    setMaxListeners(0, this.#stopping.signal)
    this.breaker = new CircuitBreaker(clock, (state) => policy.events.emit('circuit', { state }))
    this.outbox = new Outbox(root.ownGenerationKey, () => this.captures.generationTtlMs, clock)
    this.tier = new ResilientTier({
      ...{ tier, breaker: this.breaker, outbox: this.outbox, isOpen, opened, timers },
    })
    this.local = new LocalTier(root.prefix, options.local, () =>
      this.counts.add('evictions', 1, clock.monotonicMs()),
    )
    this.generations = new Generations(clock, () => tier.localTtlMs)
    this.captures = new Captures(this.tier, this.generations, clock)
    this.arrivals = new Arrivals(timers)
    const readerParts = {
      tier: this.tier,
      codec,
      local: this.local,
      generations: this.generations,
      isolation: options.isolation,
      clock,
      opened,
      onUndecodable: (storedKey: string, error: unknown) =>
        policy.tellUndecodable('getOrSet', storedKey, error),
    }
    this.reader = new EntryReader(readerParts)
    this.instantReader = new InstantReader(readerParts)
    tier.watch(this)
  }

  /** What is kept of a key, fresh or not. */
  localEntry(storedKey: string): LocalEntry | undefined {
    return this.local.peek(storedKey.slice(this.#rootPrefix.length))
  }

  /** Whether what is kept of a key may be served: nothing is known against it, and news of it would have come. */
  isCoherent(entry: LocalEntry, nowMs: number): boolean {
    return entry.epoch === this.local.epoch && this.#isTrusted(nowMs) && entry.dependence.isValid
  }

  /** Whether news of a change would have come; hits of one moment need to ask the tier but once. */
  #isTrusted(nowMs: number): boolean {
    if (nowMs === this.#trustedAtMs) return true
    if (nowMs >= this.tier.trustedUntilMs) return false
    this.#trustedAtMs = nowMs
    return true
  }

  invalidated(storedKey: string): void {
    this.local.invalidated(storedKey)
    this.generations.invalidated(storedKey)
    this.reader.refetch(storedKey)
    this.captures.invalidated(storedKey)
    this.flights.get(storedKey)?.pushed()
    this.arrivals.happened(storedKey)
  }

  epochBegan(reason: string): void {
    this.#trustedAtMs = -1
    this.local.epochBegan()
    this.generations.epochBegan()
    this.reader.refetchAll()
    this.captures.invalidatedAll()
    this.breaker.connected()
    this.arrivals.happenedToAll()
    this.policy.events.emit('epoch', { reason, coherence: this.tier.coherence })
  }

  restarted(): void {
    this.outbox.repeatRecent()
    if (this.options.onRestart === 'bump') this.outbox.addEverything()
    this.tier.deliver()
  }

  /** An own write is about to be sent. */
  writeBegan(storedKeys: readonly string[]): void {
    for (const storedKey of storedKeys) {
      this.local.writeBegan(storedKey)
      this.generations.writeBegan(storedKey)
      this.#closed(storedKey)
    }
  }

  /** It has been acknowledged, or has failed. */
  writeSettled(storedKeys: readonly string[]): void {
    for (const storedKey of storedKeys) {
      this.local.writeSettled(storedKey)
      this.generations.writeSettled(storedKey)
      this.#closed(storedKey)
    }
  }

  /** A removal by pattern begins, goes on, or ends. */
  removing(matches: (storedKey: string) => boolean): void {
    this.local.invalidatedWhere(matches)
    for (const [storedKey, flight] of this.flights) if (matches(storedKey)) flight.close()
  }

  /** Aborts when the cache is closed and has waited long enough for what goes on in the background. */
  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  /** Ends what goes on in the background. */
  stop(): void {
    this.#stopping.abort(new DOMException('The cache has been shut down', 'AbortError'))
    this.local.clear()
  }

  announce(storedKeys: readonly string[]): Promise<void> {
    return this.tier.announce(storedKeys)
  }

  #closed(storedKey: string): void {
    this.reader.refetch(storedKey)
    this.captures.invalidated(storedKey)
    this.flights.get(storedKey)?.close()
    this.arrivals.happened(storedKey)
  }
}
