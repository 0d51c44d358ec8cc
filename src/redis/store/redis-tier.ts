import { randomBytes } from 'node:crypto'
import type { TierSettings } from '../../backend/seams/cache-store.ts'
import { RAW, type ReadOutcome } from '../../backend/seams/read-outcome.ts'
import {
  type AcquireReply,
  type AcquireRequest,
  type Coherence,
  type Fence,
  FRUITLESS_MS,
  HOLD_WINDOW_MS,
  type Renewal,
  type ReserveReply,
  type ReserveRequest,
  type SharedTier,
  type TierListener,
} from '../../backend/seams/shared-tier.ts'
import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { TierCoherence } from '../coherence/tier-coherence.ts'
import type { RedisPort, RedisReply } from '../port/redis-port.ts'
import { isDigits, isFlag } from '../port/reply-shape.ts'
import { timeMsIn } from '../port/time-reply.ts'
import {
  ACQUIRE_LEASE,
  BUMP_GENERATION,
  CAPTURE_GENERATION,
  END_HOLD,
  FILL_ENTRY,
  HOLD_KEY,
  RELEASE_LEASE,
  RENEW_LEASE,
  RESERVE_KEY,
} from '../scripts/embedded-scripts.ts'
import { RedisScript } from '../scripts/redis-script.ts'
import { flag, latin1, ttlText } from '../scripts/script-arguments.ts'
import { COPY_SUFFIXES, GenerationCopies } from '../slots/generation-copies.ts'
import { keySlot } from '../slots/key-slot.ts'
import { removeReplaced, removeUnbound } from './namespace-removal.ts'
import type { Publications } from './publications.ts'
import type { ReadBatcher } from './read-batcher.ts'

const acquireLease = new RedisScript(ACQUIRE_LEASE, isAcquireReply)
const reserveKey = new RedisScript(RESERVE_KEY, isReserveReply)
const renewLease = new RedisScript(RENEW_LEASE, isFlag)
const fillEntry = new RedisScript(FILL_ENTRY, isFlag)
const releaseLease = new RedisScript(RELEASE_LEASE, isFlag)
const captureGeneration = new RedisScript(CAPTURE_GENERATION, isGenerationValue)
const bumpGeneration = new RedisScript(BUMP_GENERATION, isGenerationValue)
const holdKey = new RedisScript(HOLD_KEY, isHold)
const endHold = new RedisScript(END_HOLD, isFlag)

const ONE_COPY = [''] as const
const STATUSES: readonly unknown[] = ['acquired', 'held', 'paused', 'changed', 'changing', 'foreign']
const TOKEN_BYTES = 16
const GENERATION_BYTES = 16
/** The value of a generation that was expired, or renewed with a cause. */
const LONG_VALUE_BYTES = 132
/** The window and the identity of a hold. */
const HOLD_BYTES = 7

/** The operations of the store that the tier uses. */
export interface TierStore {
  write(storedKey: string, encoded: Buffer, ttlMs: number): Promise<unknown>
  remove(storedKeys: readonly string[]): Promise<number>
  removeMatching(pattern: string, options: RemovalOptions, isWhole: boolean): Promise<number>
  ttlMs(storedKey: string): Promise<number | undefined>
}

/**
 * The tier that processes share, in Redis. Leases and generations are scripts over one key each.
 *
 * While the bus may have subscribers, the script of a change also publishes the keys that it changed.
 */
export class RedisTier implements SharedTier {
  readonly #port: RedisPort
  readonly #reads: ReadBatcher
  readonly #store: TierStore
  readonly #coherence: TierCoherence
  readonly #publications: Publications
  readonly #copies: GenerationCopies

  constructor(
    port: RedisPort,
    reads: ReadBatcher,
    store: TierStore,
    publications: Publications,
    settings: TierSettings,
  ) {
    this.#port = port
    this.#reads = reads
    this.#store = store
    this.#coherence = new TierCoherence(port, settings)
    this.#publications = publications
    this.#copies = new GenerationCopies(port)
    publications.bus = () => this.#coherence.bus
    reads.timedBy((storedKey) => this.#coherence.clockOf(storedKey))
  }

  get coherence(): Coherence {
    return this.#coherence.mode
  }

  get trustedUntilMs(): number {
    return this.#coherence.trustedUntilMs
  }

  get localTtlMs(): number {
    return this.#coherence.localTtlMs
  }

  watch(listener: TierListener): void {
    this.#coherence.watch(listener)
  }

  start(): void {
    this.#coherence.start()
  }

  stop(): Promise<void> {
    this.#reads.timedBy(() => undefined)
    return this.#coherence.stop()
  }

  connectionOf(storedKey: string): unknown {
    return this.#port.connectionOf(storedKey)
  }

  nodeOf(storedKey: string): string | undefined {
    return this.#port.isCluster ? this.#port.nodeOf(keySlot(storedKey)) : ''
  }

  get hasManyNodes(): boolean {
    return this.#port.isCluster
  }

  get generationCopies(): readonly string[] {
    return this.#port.isCluster ? COPY_SUFFIXES : ONE_COPY
  }

  copyNear(storedKey: string): string {
    return this.#port.isCluster ? this.#copies.suffixNear(storedKey) : ''
  }

  pushesInOrder(storedKey: string, otherKey: string): boolean {
    if (this.#coherence.mode !== 'tracking') return false
    return this.#port.connectionOf(storedKey) === this.#port.connectionOf(otherKey)
  }

  serverNowMs(storedKey: string, nowMs?: number): number | undefined {
    return this.#coherence.clockOf(storedKey)?.nowMs(nowMs)
  }

  async serverTimeMs(storedKey: string): Promise<number> {
    return timeMsIn(await this.#port.send(storedKey, ['TIME'], 'text'))
  }

  epochOffsetMs(): number {
    return 0
  }

  mark(): Promise<string> {
    return this.#coherence.mark()
  }

  hasNewsOf(token: string): boolean {
    return this.#coherence.hasNewsOf(token)
  }

  read(storedKey: string): Promise<Buffer | null> {
    return this.#reads.read(storedKey, storedKey, RAW)
  }

  readInto(storedKey: string, outcome: ReadOutcome<void>): void {
    this.#reads.readInto(storedKey, storedKey, outcome)
  }

  async acquire(storedKey: string, request: AcquireRequest): Promise<AcquireReply> {
    const { heedsPause = false, leaseMs, longestLeaseMs, purpose, stamp, token } = request
    const times = [String(leaseMs), String(longestLeaseMs)]
    const args = [latin1(token), ...times, latin1(stamp), purpose, flag(heedsPause)]
    const reply = (await acquireLease.run(this.#port, storedKey, args, 'text')) as readonly string[]
    const [, status, serverNowMs, remainingMs, last] = reply
    const isPaused = status === 'paused'
    return {
      status: status as AcquireReply['status'],
      serverNowMs: Number(serverNowMs),
      remainingMs: Number(remainingMs),
      fruitlessLoads: isPaused ? 0 : Number(last),
      pauseMs: isPaused ? Number(last) : undefined,
    }
  }

  async renew(storedKey: string, token: string, leaseMs: number): Promise<boolean> {
    return (await renewLease.run(this.#port, storedKey, [latin1(token), String(leaseMs)], 'text')) === 1
  }

  async reserve(storedKey: string, { lifetimeMs, stamp, token }: ReserveRequest): Promise<ReserveReply> {
    const args = [latin1(token), String(lifetimeMs), latin1(stamp)]
    const reply = await reserveKey.run(this.#port, storedKey, args, 'bytes')
    const [, status, held] = reply as readonly [number, Buffer, Buffer]
    return { status: textIn(status) as ReserveReply['status'], token: textIn(held) }
  }

  fill(storedKey: string, { kind, mark }: Fence, entry: Buffer, ttlMs: number): Promise<boolean> {
    return this.#publications.publishing([storedKey], async (publication) => {
      const args = [kind, latin1(mark), entry, ttlText(ttlMs), ...publication]
      return (await fillEntry.run(this.#port, storedKey, args, 'text')) === 1
    })
  }

  async release(storedKey: string, token: string, isFruitless: boolean, pauseMs = 0): Promise<void> {
    const remembered = isFruitless ? String(FRUITLESS_MS) : ''
    await releaseLease.run(this.#port, storedKey, [latin1(token), remembered, String(pauseMs)], 'text')
  }

  async write(storedKey: string, entry: Buffer, ttlMs: number): Promise<void> {
    await this.#store.write(storedKey, entry, ttlMs)
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.#store.remove(storedKeys)
  }

  removeMatching(pattern: string, options: RemovalOptions): Promise<number> {
    return this.#store.removeMatching(pattern, options, false)
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#store.ttlMs(storedKey)
  }

  async capture(storedKey: string, ttlMs: number): Promise<Buffer> {
    const args = [randomBytes(8), String(ttlMs)]
    return (await captureGeneration.run(this.#port, storedKey, args, 'bytes')) as Buffer
  }

  bump(storedKey: string, ttlMs: number, { cause, staleOverMs }: Renewal): Promise<string> {
    return this.#publications.publishing([storedKey], async (publication) => {
      const renewal = [staleOverMs === undefined ? '' : String(staleOverMs), cause ?? '']
      const args = [randomBytes(8), String(ttlMs), ...renewal, ...publication]
      return textIn(await bumpGeneration.run(this.#port, storedKey, args, 'bytes'))
    })
  }

  hold(storedKey: string, durationMs: number): Promise<string> {
    return this.#publications.publishing([storedKey], async (publication) => {
      const args = [randomBytes(3), String(durationMs), String(HOLD_WINDOW_MS), ...publication]
      return textIn(await holdKey.run(this.#port, storedKey, args, 'bytes'))
    })
  }

  endHold(storedKey: string, hold: string): Promise<boolean> {
    return this.#publications.publishing([storedKey], async (publication) => {
      const args = [latin1(hold), String(HOLD_WINDOW_MS), ...publication]
      return (await endHold.run(this.#port, storedKey, args, 'text')) === 1
    })
  }

  removeUnbound(prefix: string, generationKey: string): Promise<number> {
    return removeUnbound({ port: this.#port, prefix, generationKey }, (storedKeys) =>
      this.#publications.announce(storedKeys),
    )
  }

  reclaim(prefix: string, generationKey: string, signal: AbortSignal): Promise<number> {
    const keys = this.generationCopies.map((copy) => generationKey + copy)
    const readCurrent = async () => {
      const current = await Promise.all(keys.map((key) => this.read(key)))
      return new Set(current.map((bytes) => bytes?.toString('latin1', 0, GENERATION_BYTES)))
    }
    return removeReplaced({ port: this.#port, prefix, generationKey }, readCurrent, signal)
  }
}

function isAcquireReply(reply: RedisReply): boolean {
  if (!Array.isArray(reply) || reply.length !== 5) return false
  const [mark, status, ...numbers] = reply
  return mark === 0 && STATUSES.includes(status) && numbers.every((number) => isDigits(number))
}

function isReserveReply(reply: RedisReply): boolean {
  if (!Array.isArray(reply) || reply.length !== 3) return false
  const [mark, status, token] = reply
  if (mark !== 0 || !Buffer.isBuffer(status) || !Buffer.isBuffer(token)) return false
  if (status.toString() === 'reserved') return token.length === TOKEN_BYTES
  return ['changed', 'changing', 'foreign'].includes(String(status)) && token.length === 0
}

function isGenerationValue(reply: RedisReply): boolean {
  return Buffer.isBuffer(reply) && [GENERATION_BYTES, LONG_VALUE_BYTES].includes(reply.length)
}

function isHold(reply: RedisReply): boolean {
  return Buffer.isBuffer(reply) && reply.length === HOLD_BYTES
}

function textIn(reply: RedisReply): string {
  return (reply as Buffer).toString('latin1')
}
