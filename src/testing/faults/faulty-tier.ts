import type { TierSettings } from '../../backend/seams/cache-store.ts'
import { type ReadOutcome, readAs } from '../../backend/seams/read-outcome.ts'
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
import type { FaultState, FaultWatch } from './fault-state.ts'
import type { FaultyLine } from './faulty-line.ts'

/**
 * A shared tier whose connection has faults. It notices them as a real one does: a lost connection begins an epoch, and
 * if Redis is silent, local copies are trusted for `coherence.trust` at most.
 */
export class FaultyTier implements SharedTier, FaultWatch {
  readonly #tier: SharedTier
  readonly #line: FaultyLine
  readonly #faults: FaultState
  readonly #settings: TierSettings
  #listener: TierListener | undefined
  #silentSinceMs: number | undefined
  #isLost = false
  /** Identifies the connection since the last loss; before any loss the inner tier does. */
  #connections: Map<unknown, object> | undefined

  constructor(tier: SharedTier, line: FaultyLine, faults: FaultState, settings: TierSettings) {
    this.#tier = tier
    this.#line = line
    this.#faults = faults
    this.#settings = settings
    faults.watch(this)
    this.changed()
  }

  get coherence(): Coherence {
    return this.#tier.coherence
  }

  get trustedUntilMs(): number {
    if (this.#isLost) return Number.NEGATIVE_INFINITY
    const provenMs = this.#silentSinceMs ?? Number.POSITIVE_INFINITY
    return Math.min(this.#tier.trustedUntilMs, provenMs + this.#settings.trustMs)
  }

  get localTtlMs(): number {
    return this.#tier.localTtlMs
  }

  watch(listener: TierListener): void {
    this.#listener = listener
    this.#tier.watch({
      invalidated: (storedKey) => this.#line.tell(() => listener.invalidated(storedKey)),
      epochBegan: (reason) => listener.epochBegan(reason),
      restarted: () => listener.restarted(),
    })
  }

  start(): void {
    this.#tier.start()
  }

  stop(): Promise<void> {
    this.#listener = undefined
    return this.#tier.stop()
  }

  disconnected(): void {
    this.#isLost = true
    this.#connections = new Map()
    this.#listener?.epochBegan('connection lost (a fault is injected)')
  }

  changed(): void {
    if (!this.#faults.isSilent) this.#silentSinceMs = undefined
    else this.#silentSinceMs ??= this.#settings.clock.monotonicMs()
    if (!this.#isLost || this.#faults.isAway) return
    this.#isLost = false
    this.#listener?.epochBegan('connected again')
  }

  get hasManyNodes(): boolean {
    return this.#tier.hasManyNodes
  }

  get generationCopies(): readonly string[] {
    return this.#tier.generationCopies
  }

  copyNear(storedKey: string): string {
    return this.#tier.copyNear(storedKey)
  }

  nodeOf(storedKey: string): string | undefined {
    return this.#tier.nodeOf(storedKey)
  }

  connectionOf(storedKey: string): unknown {
    const connection = this.#tier.connectionOf(storedKey)
    if (this.#connections === undefined) return connection
    const standIn = this.#connections.get(connection) ?? {}
    this.#connections.set(connection, standIn)
    return standIn
  }

  pushesInOrder(storedKey: string, otherKey: string): boolean {
    return !this.#faults.isSilent && this.#tier.pushesInOrder(storedKey, otherKey)
  }

  serverNowMs(storedKey: string, nowMs?: number): number | undefined {
    return this.#isLost ? undefined : this.#tier.serverNowMs(storedKey, nowMs)
  }

  epochOffsetMs(): number {
    return this.#tier.epochOffsetMs()
  }

  serverTimeMs(storedKey: string): Promise<number> {
    return this.#line.send('reads', () => this.#tier.serverTimeMs(storedKey))
  }

  read(storedKey: string): Promise<Buffer | null> {
    return this.#line.send('reads', () => this.#tier.read(storedKey))
  }

  readInto(storedKey: string, outcome: ReadOutcome<void>): void {
    void readAs(this.read(storedKey), storedKey, storedKey, outcome)
  }

  acquire(storedKey: string, request: AcquireRequest): Promise<AcquireReply> {
    return this.#line.send('writes', () => this.#tier.acquire(storedKey, request))
  }

  renew(storedKey: string, token: string, leaseMs: number): Promise<boolean> {
    return this.#line.send('writes', () => this.#tier.renew(storedKey, token, leaseMs))
  }

  reserve(storedKey: string, request: ReserveRequest): Promise<ReserveReply> {
    return this.#line.send('writes', () => this.#tier.reserve(storedKey, request))
  }

  fill(storedKey: string, fence: Fence, entry: Buffer, ttlMs: number): Promise<boolean> {
    return this.#line.send('writes', () => this.#tier.fill(storedKey, fence, entry, ttlMs))
  }

  release(storedKey: string, token: string, isFruitless: boolean, pauseMs?: number): Promise<void> {
    return this.#line.send('writes', () => this.#tier.release(storedKey, token, isFruitless, pauseMs))
  }

  write(storedKey: string, entry: Buffer, ttlMs: number): Promise<void> {
    return this.#line.send('writes', () => this.#tier.write(storedKey, entry, ttlMs))
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.#line.send('writes', () => this.#tier.remove(storedKeys))
  }

  removeMatching(pattern: string, options: RemovalOptions): Promise<number> {
    return this.#line.send('writes', () => this.#tier.removeMatching(pattern, options))
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#line.send('reads', () => this.#tier.ttlMs(storedKey))
  }

  mark(): Promise<string> {
    return this.#line.send('reads', () => this.#tier.mark())
  }

  hasNewsOf(token: string): boolean {
    return this.#tier.hasNewsOf(token)
  }

  capture(storedKey: string, ttlMs: number): Promise<Buffer> {
    return this.#line.send('writes', () => this.#tier.capture(storedKey, ttlMs))
  }

  bump(storedKey: string, ttlMs: number, renewal: Renewal): Promise<string> {
    return this.#line.send('writes', () => this.#tier.bump(storedKey, ttlMs, renewal))
  }

  hold(storedKey: string, durationMs: number): Promise<string> {
    return this.#line.send('writes', () => this.#tier.hold(storedKey, durationMs))
  }

  endHold(storedKey: string, hold: string): Promise<boolean> {
    return this.#line.send('writes', () => this.#tier.endHold(storedKey, hold))
  }

  removeUnbound(prefix: string, generationKey: string): Promise<number> {
    return this.#line.send('writes', () => this.#tier.removeUnbound(prefix, generationKey))
  }

  reclaim(prefix: string, generationKey: string, signal: AbortSignal): Promise<number> {
    return this.#line.send('writes', () => this.#tier.reclaim(prefix, generationKey, signal))
  }
}
