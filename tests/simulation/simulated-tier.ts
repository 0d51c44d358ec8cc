import { type ReadOutcome, readAs } from '../../src/backend/seams/read-outcome.ts'
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
} from '../../src/backend/seams/shared-tier.ts'
import type { RemovalOptions } from '../../src/contract/cache-backend.ts'
import { CacheError } from '../../src/foundation/errors/cache-error.ts'
import type { Clock, Timers } from '../../src/foundation/time/clock.ts'
import { type KeyWaiter, Link, type Released } from './link.ts'
import { Proofs } from './proofs.ts'
import { ReadsOfATick } from './reads-of-a-tick.ts'
import type { SimulatedRedis } from './simulated-redis.ts'
import { Walks } from './walks.ts'

const TIMEOUT_MS = 1_000
export const TRUST_MS = 3_000

/** One process's way to the simulated Redis, in the mode `'tracking'`; the schedule moves what is on it. */
export class SimulatedTier implements SharedTier {
  readonly coherence: Coherence = 'tracking'
  readonly localTtlMs: number = Number.POSITIVE_INFINITY
  readonly #name: string
  readonly #redis: SimulatedRedis
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #walks: Walks
  /** A connection that we gave up, whose commands the server may still run until it is killed. */
  orphan: Link | undefined
  /** Keys whose lease was the last thing heard of them. */
  readonly leased = new Set<string>()
  #listener: TierListener | undefined
  #link: Link | undefined
  readonly proofs: Proofs
  #links = 0
  #isOpen = false
  #cancelBeat: (() => void) | undefined
  #connecting: { resolve: () => void; reject: (error: CacheError) => void } | undefined
  readonly #reads = new ReadsOfATick((storedKeys) =>
    this.#send(`read ${storedKeys}`, (link) => this.#redis.read(link, storedKeys)),
  )

  /** @param hasCopies as on a cluster: the generation of a namespace has several copies, and an entry is bound to one */
  constructor(name: string, redis: SimulatedRedis, clock: Clock, timers: Timers, hasCopies: boolean) {
    this.generationCopies = hasCopies ? ['', '{cop0}', '{cop1}'] : ['']
    this.#name = name
    this.#redis = redis
    this.#clock = clock
    this.#timers = timers
    this.proofs = new Proofs(clock)
    this.#walks = new Walks(this, redis, (label, run) => this.#send(label, run))
  }

  get link(): Link | undefined {
    return this.#link
  }

  /** Whether the first connection is being made. */
  get isConnecting(): boolean {
    return this.#connecting !== undefined
  }

  /** Whether a connection that was there is to be made again. */
  get isLost(): boolean {
    return this.#isOpen && this.#link === undefined
  }

  get trustedUntilMs(): number {
    return this.#link === undefined ? Number.NEGATIVE_INFINITY : this.proofs.provenAtMs + TRUST_MS
  }

  /** Opens the tier: the handshake ends when the schedule says so. */
  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#connecting = { resolve, reject }
    })
  }

  /** The handshake of a first or another connection comes to its end; the old one was killed before (T1). */
  handshake(): void {
    const connecting = this.#connecting
    this.#connecting = undefined
    if (this.#redis.isAway) {
      connecting?.reject(new CacheError('CACHE_UNAVAILABLE', 'Connection refused'))
      return
    }
    if (this.orphan !== undefined) this.orphan.isKilled = true
    if (!this.#redis.hasDefect('old commands run after a reconnect')) this.orphan = undefined
    const link = new Link(`${this.#name}.${++this.#links}`)
    this.#link = link
    const isNewLife = this.proofs.isFirstOf(this.#redis.life)
    this.proofs.begin()
    this.#epochBegan('connected')
    if (this.#isOpen && isNewLife) this.#listener?.restarted()
    this.#askTime()
    connecting?.resolve()
  }

  /** Our end notices that the connection is gone. */
  lose(): void {
    const link = this.#link
    if (link === undefined) return
    this.#link = undefined
    this.#redis.forget(link)
    this.leased.clear()
    if (!link.isCut) this.orphan = link
    link.fail()
    this.#epochBegan('connection lost')
  }

  /** What has come back arrives, `count` items in one chunk. */
  deliver(count: number): void {
    const link = this.#link
    for (let left = count; left > 0 && link !== undefined; left--) {
      const arrival = link.inbound.shift()
      if (arrival === undefined) return
      link.arrived++
      this.#arrived(link, arrival)
    }
  }

  watch(listener: TierListener): void {
    this.#listener = listener
  }

  start(): void {
    this.#isOpen = true
    this.#beatLater()
  }

  async stop(): Promise<void> {
    this.#isOpen = false
    this.#cancelBeat?.()
  }

  readonly hasManyNodes = false
  readonly generationCopies: readonly string[]

  copyNear(storedKey: string): string {
    return this.generationCopies.at(1 + (storedKey.length % 2)) ?? ''
  }

  nodeOf(): string {
    return ''
  }

  connectionOf(): unknown {
    return this.#link
  }

  pushesInOrder(): boolean {
    return true
  }

  serverNowMs(): number | undefined {
    return this.#link === undefined ? undefined : this.proofs.serverNowMs()
  }

  epochOffsetMs(): number {
    return 0
  }

  serverTimeMs(): Promise<number> {
    return this.#send('TIME', () => this.#redis.nowMs)
  }

  read(storedKey: string): Promise<Buffer | null> {
    return this.#reads.read(storedKey)
  }

  readInto(storedKey: string, outcome: ReadOutcome<void>): void {
    void readAs(this.read(storedKey), storedKey, storedKey, outcome)
  }

  async acquire(storedKey: string, request: AcquireRequest): Promise<AcquireReply> {
    this.leased.delete(storedKey)
    const reply = await this.#send(`acquire ${request.purpose} ${storedKey}`, (link) =>
      this.#redis.acquire(link, storedKey, request),
    )
    if (reply.status === 'acquired') this.leased.add(storedKey)
    return reply
  }

  renew(storedKey: string, token: string, leaseMs: number): Promise<boolean> {
    return this.#send(`renew ${storedKey}`, (link) => this.#redis.renew(link, storedKey, token, leaseMs))
  }

  reserve(storedKey: string, request: ReserveRequest): Promise<ReserveReply> {
    return this.#send(`reserve ${storedKey}`, () => this.#redis.reserve(storedKey, request))
  }

  fill(storedKey: string, fence: Fence, entry: Buffer, ttlMs: number): Promise<boolean> {
    const label = `fill ${fence.kind} ${storedKey}`
    return this.#send(label, (link) => this.#redis.fill(link, storedKey, fence, entry, ttlMs))
  }

  release(storedKey: string, ...release: Released): Promise<void> {
    return this.#send(`release ${storedKey}`, (link) => this.#redis.release(link, storedKey, ...release))
  }

  write(storedKey: string, entry: Buffer, ttlMs: number): Promise<void> {
    return this.#send(`write ${storedKey}`, () => this.#redis.write(storedKey, entry, ttlMs))
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.#send(`remove ${storedKeys}`, (link) => this.#redis.remove(link, storedKeys))
  }

  removeMatching(pattern: string, _options: RemovalOptions): Promise<number> {
    return this.#walks.removeMatching(pattern)
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#send(`ttl ${storedKey}`, (link) => this.#redis.ttlMs(link, storedKey))
  }

  mark(): Promise<string> {
    return this.#send('mark', () => this.#redis.mark().join('.'))
  }

  hasNewsOf(token: string): boolean {
    return this.proofs.hasNewsOf(token)
  }

  capture(storedKey: string, ttlMs: number): Promise<Buffer> {
    return this.#send(`capture ${storedKey}`, (link) => this.#redis.capture(link, storedKey, ttlMs))
  }

  bump(storedKey: string, ttlMs: number, renewal: Renewal): Promise<string> {
    return this.#send(`bump ${storedKey}`, (link) => this.#redis.bump(link, storedKey, ttlMs, renewal))
  }

  hold(storedKey: string, durationMs: number): Promise<string> {
    return this.#send(`hold ${storedKey}`, () => this.#redis.hold(storedKey, durationMs))
  }

  endHold(storedKey: string, hold: string): Promise<boolean> {
    return this.#send(`end hold ${storedKey}`, () => this.#redis.endHold(storedKey, hold))
  }

  removeUnbound(prefix: string, generationKey: string): Promise<number> {
    return this.#walks.removeUnbound(prefix, generationKey)
  }

  reclaim(prefix: string, generationKey: string, signal: AbortSignal): Promise<number> {
    return this.#walks.reclaim(prefix, generationKey, signal)
  }

  #send<Reply>(label: string, run: (link: Link) => Reply): Promise<Reply> {
    const link = this.#link
    if (!link) return Promise.reject(new CacheError('CACHE_UNAVAILABLE', 'There is no connection'))
    return link.ask(label, run, { clock: this.#clock, timers: this.#timers, timeoutMs: TIMEOUT_MS })
  }

  #arrived(link: Link, arrival: KeyWaiter): void {
    switch (arrival.kind) {
      case 'reply':
        link.answered(arrival.request)
        arrival.request.resolve(arrival.reply)
        return
      case 'push':
        this.#listener?.invalidated(arrival.storedKey)
        return
      case 'flush':
        this.#epochBegan('the server was flushed')
    }
  }

  #epochBegan(reason: string): void {
    if (!this.#redis.hasDefect('epochs are not told')) this.#listener?.epochBegan(reason)
  }

  #beatLater(): void {
    this.#cancelBeat = this.#timers.after(TRUST_MS / 3, () => {
      this.#askTime()
      this.#beatLater()
    })
  }

  #askTime(): void {
    const link = this.#link
    const sentMs = this.#clock.monotonicMs()
    this.#send('TIME', () => [this.#redis.nowMs, this.#redis.mark()] as const).then(
      ([serverMs, mark]) => {
        if (link === this.#link) this.proofs.learn(serverMs, mark, sentMs)
      },
      () => {},
    )
  }
}
