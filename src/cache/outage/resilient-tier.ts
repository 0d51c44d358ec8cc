import type { ReadOutcome } from '../../backend/seams/read-outcome.ts'
import type {
  AcquireReply,
  AcquireRequest,
  Coherence,
  Fence,
  Renewal,
  ReserveReply,
  ReserveRequest,
  SharedTier,
  TierListener,
} from '../../backend/seams/shared-tier.ts'
import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { globMatcher } from '../../foundation/glob-matcher.ts'
import { isReserved } from '../../foundation/reserved-keys.ts'
import { Gate, type GateParts } from './gate.ts'
import type { InvalidationKind, InvalidationOutbox } from './invalidation-outbox.ts'
import type { Removal } from './pending-removals.ts'

/** A shared tier that may be unavailable, as a whole or in part: every command passes the {@link Gate}. */
export class ResilientTier implements SharedTier {
  readonly #tier: SharedTier
  readonly #gate: Gate
  readonly #outbox: InvalidationOutbox

  constructor(parts: GateParts) {
    this.#tier = parts.tier
    this.#gate = new Gate(parts)
    this.#outbox = parts.outbox
  }

  /**
   * The tier without the gate: nothing is delivered first, and failures do not count. For diagnostics, and for giving a
   * lease back that nobody may wait for.
   */
  get bare(): SharedTier {
    return this.#tier
  }

  get coherence(): Coherence {
    return this.#tier.coherence
  }

  get trustedUntilMs(): number {
    return this.#tier.trustedUntilMs
  }

  get localTtlMs(): number {
    return this.#tier.localTtlMs
  }

  watch(listener: TierListener): void {
    this.#tier.watch(listener)
  }

  start(): void {
    this.#tier.start()
  }

  stop(): Promise<void> {
    return this.#tier.stop()
  }

  connectionOf(storedKey: string): unknown {
    return this.#tier.connectionOf(storedKey)
  }

  nodeOf(storedKey: string): string | undefined {
    return this.#tier.nodeOf(storedKey)
  }

  get generationCopies(): readonly string[] {
    return this.#tier.generationCopies
  }

  copyNear(storedKey: string): string {
    return this.#tier.copyNear(storedKey)
  }

  get hasManyNodes(): boolean {
    return this.#tier.hasManyNodes
  }

  pushesInOrder(storedKey: string, otherKey: string): boolean {
    return this.#tier.pushesInOrder(storedKey, otherKey)
  }

  serverNowMs(storedKey: string, nowMs?: number): number | undefined {
    return this.#tier.serverNowMs(storedKey, nowMs)
  }

  epochOffsetMs(): number {
    return this.#tier.epochOffsetMs()
  }

  mark(): Promise<string> {
    return this.#gate.send(this.#gate.wholeTier, [], () => this.#tier.mark())
  }

  hasNewsOf(token: string): boolean {
    return this.#tier.hasNewsOf(token)
  }

  /** As {@link Gate.isClearFor}. */
  isClearFor(storedKey: string): boolean {
    return this.#gate.isClearFor(storedKey)
  }

  /**
   * For a key that {@link isClearFor} accepts. The outcome must report the result by {@link answered} or
   * {@link failed}.
   */
  readInto(storedKey: string, outcome: ReadOutcome<void>): void {
    this.#tier.readInto(storedKey, outcome)
  }

  answered(storedKey: string): void {
    this.#gate.answered(storedKey)
  }

  failed(storedKey: string, error: unknown): void {
    this.#gate.failed(storedKey, error)
  }

  read(storedKey: string): Promise<Buffer | null> {
    return this.#gate.sendAfterWrites(storedKey, () => this.#tier.read(storedKey))
  }

  /** A read for an own write of the key, which would wait for itself in {@link read}. */
  readForWrite(storedKey: string): Promise<Buffer | null> {
    return this.#sendFor(storedKey, () => this.#tier.read(storedKey))
  }

  serverTimeMs(storedKey: string): Promise<number> {
    return this.#gate.send(this.#tier.nodeOf(storedKey), [], () => this.#tier.serverTimeMs(storedKey))
  }

  acquire(storedKey: string, request: AcquireRequest): Promise<AcquireReply> {
    return this.#sendFor(storedKey, () => this.#tier.acquire(storedKey, request))
  }

  renew(storedKey: string, token: string, leaseMs: number): Promise<boolean> {
    return this.#sendFor(storedKey, () => this.#tier.renew(storedKey, token, leaseMs))
  }

  reserve(storedKey: string, request: ReserveRequest): Promise<ReserveReply> {
    return this.#sendFor(storedKey, () => this.#tier.reserve(storedKey, request))
  }

  fill(storedKey: string, fence: Fence, entry: Buffer, ttlMs: number): Promise<boolean> {
    return this.#sendFor(storedKey, () => this.#tier.fill(storedKey, fence, entry, ttlMs))
  }

  release(storedKey: string, token: string, isFruitless: boolean, pauseMs?: number): Promise<void> {
    return this.#sendFor(storedKey, () => this.#tier.release(storedKey, token, isFruitless, pauseMs))
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#sendFor(storedKey, () => this.#tier.ttlMs(storedKey))
  }

  capture(storedKey: string, ttlMs: number): Promise<Buffer> {
    return this.#gate.sendAfterWrites(storedKey, () => this.#tier.capture(storedKey, ttlMs))
  }

  reclaim(prefix: string, generationKey: string, signal: AbortSignal): Promise<number> {
    return this.#gate.send(this.#gate.wholeTier, [], () => this.#tier.reclaim(prefix, generationKey, signal))
  }

  /** If Redis does not acknowledge the write, the key is removed, since neither value may be read any more. */
  write(storedKey: string, entry: Buffer, ttlMs: number): Promise<void> {
    return this.#change('key', [storedKey], () => this.#tier.write(storedKey, entry, ttlMs))
  }

  /** The keys of each node are removed by commands of their own, so that those of a dead node delay no others. */
  async remove(storedKeys: readonly string[]): Promise<number> {
    const remove = (keys: readonly string[]) => this.#change('key', keys, () => this.#tier.remove(keys))
    if (!this.#tier.hasManyNodes) return remove(storedKeys)
    const outcomes = await Promise.allSettled(this.#byNode(storedKeys).map(remove))
    let removed = 0
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') throw outcome.reason
      removed += outcome.value
    }
    return removed
  }

  #byNode(storedKeys: readonly string[]): readonly (readonly string[])[] {
    const groups = new Map<string | undefined, string[]>()
    for (const storedKey of storedKeys) {
      const node = this.#tier.nodeOf(storedKey)
      const group = groups.get(node)
      if (group === undefined) groups.set(node, [storedKey])
      else group.push(storedKey)
    }
    return [...groups.values()]
  }

  bump(storedKey: string, ttlMs: number, renewal: Renewal): Promise<string> {
    const kind = renewal.staleOverMs === undefined ? 'generation' : 'expiry'
    return this.#change(kind, [storedKey], () => this.#tier.bump(storedKey, ttlMs, renewal))
  }

  /** A hold is not repeated. If it may not have been placed, only its end tells. */
  hold(storedKey: string, durationMs: number): Promise<string> {
    return this.#sendFor(storedKey, () => this.#tier.hold(storedKey, durationMs))
  }

  endHold(storedKey: string, hold: string): Promise<boolean> {
    const kind = isReserved(storedKey) ? 'generation' : 'key'
    return this.#change(kind, [storedKey], () => this.#tier.endHold(storedKey, hold))
  }

  removeMatching(pattern: string, options: RemovalOptions): Promise<number> {
    const removal: Removal = {
      name: `matching ${pattern}`,
      matches: globMatcher(pattern),
      send: (tier) => tier.removeMatching(pattern, {}),
    }
    return this.#removeMany(removal, () => this.#tier.removeMatching(pattern, options), options.signal)
  }

  removeUnbound(prefix: string, generationKey: string): Promise<number> {
    const removal = unboundRemoval(prefix, generationKey)
    return this.#removeMany(removal, () => this.#tier.removeUnbound(prefix, generationKey))
  }

  /** Removes many keys. If Redis does not acknowledge that, the outbox repeats it, unless the caller has aborted it. */
  async #removeMany(removal: Removal, work: () => Promise<number>, signal?: AbortSignal): Promise<number> {
    try {
      const removed = await this.#gate.send(this.#gate.wholeTier, [], work)
      this.#outbox.deliveredRemoval(removal)
      return removed
    } catch (error) {
      if (!signal?.aborted) {
        this.#outbox.addRemoval(removal)
        this.#gate.deliver()
      }
      throw error
    }
  }

  /** As {@link Gate.delivered}. */
  delivered(storedKeys: readonly string[]): Promise<void> | undefined {
    return this.#gate.delivered(storedKeys)
  }

  /** As {@link Gate.deliverNow}. */
  deliverNow(): Promise<void> {
    return this.#gate.deliverNow()
  }

  /** As {@link Gate.endDelivery}. */
  endDelivery(): void {
    this.#gate.endDelivery()
  }

  /** As {@link Gate.deliver}. */
  deliver(): void {
    this.#gate.deliver()
  }

  /** Sends a change. If Redis does not acknowledge it, the outbox gets an invalidation of its keys, which lie on one node. */
  async #change<Result>(
    kind: InvalidationKind,
    storedKeys: readonly string[],
    work: () => Promise<Result>,
  ): Promise<Result> {
    try {
      const result = await this.#gate.send(this.#gate.nodeOfAll(storedKeys), storedKeys, work)
      this.#outbox.delivered(kind, storedKeys)
      return result
    } catch (error) {
      this.#outbox.add(kind, storedKeys)
      this.#gate.deliver()
      throw error
    }
  }

  #sendFor<Result>(storedKey: string, work: () => Promise<Result>): Promise<Result> {
    return this.#gate.send(this.#tier.nodeOf(storedKey), [storedKey], work)
  }
}

/** The removal of all that lies under a prefix and is bound to no generation under this key. */
export function unboundRemoval(prefix: string, generationKey: string): Removal {
  return {
    name: `unbound under ${prefix}`,
    matches: (storedKey) => storedKey.startsWith(prefix),
    send: (tier) => tier.removeUnbound(prefix, generationKey),
  }
}
