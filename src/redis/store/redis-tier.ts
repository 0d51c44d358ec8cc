import { randomBytes } from 'node:crypto'
import type { TierSettings } from '../../backend/cache-store.ts'
import type { ReadOutcome } from '../../backend/read-outcome.ts'
import type {
  AcquireReply,
  AcquireRequest,
  Coherence,
  SharedTier,
  TierListener,
} from '../../backend/shared-tier.ts'
import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { escapeGlob } from '../../foundation/glob.ts'
import { TierCoherence } from '../coherence/tier-coherence.ts'
import type { RedisArgument, RedisPort, RedisReply } from '../port/redis-port.ts'
import {
  ACQUIRE_LEASE,
  BUMP_GENERATION,
  CAPTURE_GENERATION,
  FILL_ENTRY,
  RECLAIM_ENTRIES,
  RELEASE_LEASE,
  RENEW_LEASE,
  WRITE_ENTRY,
} from '../scripts/embedded-scripts.ts'
import { RedisScript } from '../scripts/redis-script.ts'
import type { ReadBatcher } from './read-batcher.ts'
import { removeMatching } from './remove-matching.ts'

const acquireLease = new RedisScript(ACQUIRE_LEASE)
const renewLease = new RedisScript(RENEW_LEASE)
const fillEntry = new RedisScript(FILL_ENTRY)
const releaseLease = new RedisScript(RELEASE_LEASE)
const writeEntry = new RedisScript(WRITE_ENTRY)
const captureGeneration = new RedisScript(CAPTURE_GENERATION)
const bumpGeneration = new RedisScript(BUMP_GENERATION)
const reclaimEntries = new RedisScript(RECLAIM_ENTRIES)

/** Each is looked at, which takes the square of their number in Redis 7.0. */
const KEYS_PER_RECLAIM = 50

/** The plain operations of the store that the tier is a view of. */
export interface TierStore {
  write(storedKey: string, encoded: Buffer, ttlMs: number): Promise<unknown>
  removeTelling(
    storedKeys: readonly string[],
    news: readonly [channel: string, message: string],
  ): Promise<number>
  removeMatching(
    pattern: string,
    options: RemovalOptions,
    isWhole: boolean,
    announce: ((storedKeys: readonly string[]) => Promise<void>) | undefined,
  ): Promise<number>
  ttlMs(storedKey: string): Promise<number | undefined>
}

/** What a read-through cache needs, in Redis: leases and generations are scripts over one key each. */
export class RedisTier implements SharedTier {
  readonly #port: RedisPort
  readonly #reads: ReadBatcher
  readonly #store: TierStore
  readonly #coherence: TierCoherence

  constructor(port: RedisPort, reads: ReadBatcher, store: TierStore, settings: TierSettings) {
    this.#port = port
    this.#reads = reads
    this.#store = store
    this.#coherence = new TierCoherence(port, settings)
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
    return this.#coherence.stop()
  }

  connectionOf(storedKey: string): unknown {
    return this.#port.connectionOf(storedKey)
  }

  pushesInOrder(storedKey: string, otherKey: string): boolean {
    if (this.#coherence.mode !== 'tracking') return false
    return this.#port.connectionOf(storedKey) === this.#port.connectionOf(otherKey)
  }

  serverNowMs(storedKey: string, nowMs?: number): number | undefined {
    return this.#coherence.clockOf(storedKey)?.nowMs(nowMs)
  }

  async serverTimeMs(storedKey: string): Promise<number> {
    const [seconds, microseconds] = (await this.#port.send(storedKey, ['TIME'], 'text')) as readonly string[]
    return Number(seconds) * 1_000 + Number(microseconds) / 1_000
  }

  read<Result>(storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    return this.#reads.read(storedKey, storedKey, outcome)
  }

  async acquire(storedKey: string, request: AcquireRequest): Promise<AcquireReply> {
    const { leaseMs, longestLeaseMs, purpose, stamp, token } = request
    const args = [latin1(token), String(leaseMs), String(longestLeaseMs), latin1(stamp), purpose]
    const reply = (await acquireLease.run(this.#port, storedKey, args, 'text')) as readonly string[]
    const [status, serverNowMs, remainingMs] = reply
    return {
      status: status as AcquireReply['status'],
      serverNowMs: Number(serverNowMs),
      remainingMs: Number(remainingMs),
    }
  }

  async renew(storedKey: string, token: string, leaseMs: number): Promise<boolean> {
    return (await renewLease.run(this.#port, storedKey, [latin1(token), String(leaseMs)], 'text')) === 1
  }

  fill(storedKey: string, token: string, entry: Buffer, ttlMs: number): Promise<boolean> {
    return this.#telling([storedKey], async (news) => {
      const args = [latin1(token), entry, ttlText(ttlMs), ...news]
      return (await fillEntry.run(this.#port, storedKey, args, 'text')) === 1
    })
  }

  async release(storedKey: string, token: string): Promise<void> {
    await releaseLease.run(this.#port, storedKey, [latin1(token)], 'text')
  }

  async write(storedKey: string, entry: Buffer, ttlMs: number): Promise<void> {
    if (this.#coherence.bus === undefined) {
      await this.#store.write(storedKey, entry, ttlMs)
      return
    }
    await this.#telling([storedKey], async (news) => {
      await writeEntry.run(this.#port, storedKey, [entry, ttlText(ttlMs), ...news], 'text')
      return true
    })
  }

  async remove(storedKeys: readonly string[]): Promise<number> {
    let removed = 0
    await this.#telling(storedKeys, async ([channel, message]) => {
      removed = await this.#store.removeTelling(storedKeys, [channel, message])
      return true
    })
    return removed
  }

  async removeMatching(pattern: string, options: RemovalOptions): Promise<number> {
    const announce =
      this.#coherence.bus === undefined ? undefined : (keys: readonly string[]) => this.announce(keys)
    return this.#store.removeMatching(pattern, options, false, announce)
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#store.ttlMs(storedKey)
  }

  async capture(storedKey: string, ttlMs: number): Promise<string> {
    const args = [randomBytes(8), String(ttlMs)]
    return generationIn(await captureGeneration.run(this.#port, storedKey, args, 'bytes'))
  }

  async bump(storedKey: string, ttlMs: number): Promise<string> {
    let generation = ''
    await this.#telling([storedKey], async (news) => {
      const args = [randomBytes(8), String(ttlMs), ...news]
      generation = generationIn(await bumpGeneration.run(this.#port, storedKey, args, 'bytes'))
      return true
    })
    return generation
  }

  reclaim(prefix: string, generation: string, signal: AbortSignal): Promise<number> {
    const present = latin1(generation)
    return removeMatching(
      this.#port,
      {
        pattern: `${escapeGlob(prefix)}*`,
        sparesGenerations: true,
        keysPerCommand: KEYS_PER_RECLAIM,
        remove: async (send, storedKeys) =>
          Number(await reclaimEntries.runWith(send, storedKeys, [present], 'text')),
      },
      { signal },
    )
  }

  /** Tells the bus, where there is one, of changes that were made without it. */
  async announce(storedKeys: readonly string[]): Promise<void> {
    const { bus } = this.#coherence
    if (bus !== undefined && storedKeys.length > 0) await bus.publish(bus.message(storedKeys))
  }

  /** Runs a change whose script also publishes it. What it does not publish is made up for, lest its number be missed. */
  async #telling(
    storedKeys: readonly string[],
    change: (news: readonly [channel: string, message: string]) => Promise<boolean>,
  ): Promise<boolean> {
    const { bus } = this.#coherence
    if (bus === undefined) return change(['', ''])
    const message = bus.message(storedKeys)
    let isTold = false
    try {
      isTold = await change([bus.channel, message])
      return isTold
    } finally {
      if (!isTold) bus.publish(message).catch(() => {})
    }
  }
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function ttlText(ttlMs: number): RedisArgument {
  return ttlMs === Number.POSITIVE_INFINITY ? '' : String(ttlMs)
}

function generationIn(reply: RedisReply): string {
  return (reply as Buffer).toString('latin1')
}
