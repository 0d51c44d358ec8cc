import type {
  AcquireReply,
  AcquireRequest,
  Fence,
  Renewal,
  ReserveReply,
  ReserveRequest,
} from '../../src/backend/seams/shared-tier.ts'
import { isPlaceholder } from '../../src/codec/envelope/entry-meta.ts'
import { readGenerationValue } from '../../src/codec/envelope/generation-value.ts'
import { readHold } from '../../src/codec/envelope/hold-mark.ts'
import { globMatcher } from '../../src/foundation/glob-matcher.ts'
import { isReserved } from '../../src/foundation/reserved-keys.ts'
import type { Clock } from '../../src/foundation/time/clock.ts'
import { endHold, holdKey, toldHold } from '../../src/memory/hold-rules.ts'
import type { Keyspace } from '../../src/memory/keyspace.ts'
import {
  acquireLease,
  bumpGeneration,
  captureGeneration,
  fillEntry,
  reclaimKeys,
  releaseLease,
  renewLease,
  reserveKey,
} from '../../src/memory/lease-rules.ts'
import { TrackingTable } from '../../src/testing/simulated/tracking-table.ts'
import { type Defect, ignoresFence } from './defect.ts'
import { isRebound, reboundEntry } from './generations.ts'
import type { Link, Released } from './link.ts'
import { PAGES, pageOf } from './pages.ts'
import type { Mark } from './proofs.ts'

interface Stored {
  readonly bytes: Buffer
  readonly expiresAtMs: number
}

/** The server's clock less the virtual one. */
const SERVER_EPOCH_MS = 1_700_000_000_000

/**
 * One Redis: strings that expire, the scripts of `src/redis/scripts` by the rules of the memory tier, and the tracking
 * table in its default mode. What a connection reads, in a script too, is tracked for it; the first change of the key
 * tells all who are in the table, the writer itself after its reply, and forgets them.
 */
export class SimulatedRedis {
  readonly #clock: Clock
  readonly #defects: ReadonlySet<Defect>
  /** Told of every change, and whether it is a write of a value that nobody has loaded. */
  readonly #onChanged: (storedKey: string, isWritten: boolean) => void
  #strings = new Map<string, Stored>()
  #saved: ReadonlyMap<string, Stored> = new Map()
  #tracked = new TrackingTable<Link>()
  #current: Link | undefined
  #afterReply: string[] = []
  isAway = false
  life = 1
  #sequence = 0
  readonly #keyspace: Keyspace

  constructor(
    clock: Clock,
    defects: readonly Defect[],
    onChanged: (storedKey: string, isWritten: boolean) => void,
  ) {
    this.#clock = clock
    this.#defects = new Set(defects)
    this.#onChanged = onChanged
    this.#keyspace = {
      get: (storedKey) => this.peek(storedKey),
      put: (storedKey, bytes, ttlMs) => this.#put(storedKey, bytes, ttlMs),
      putLease: (storedKey, bytes, ttlMs) => this.#put(storedKey, bytes, ttlMs),
      remove: (storedKey) => this.#remove(storedKey),
      remainingMs: (storedKey) =>
        (this.#strings.get(storedKey)?.expiresAtMs ?? 0) - this.#clock.monotonicMs(),
      keys: () => [...this.#strings.keys()],
    }
  }

  get nowMs(): number {
    return Math.floor(SERVER_EPOCH_MS + this.#clock.monotonicMs())
  }

  mark(): Mark {
    return [this.life, ++this.#sequence]
  }

  /** Whether the request that is being run was sent on a connection that should be dead. */
  get isHaunted(): boolean {
    return this.#current?.isKilled ?? false
  }

  hasDefect(defect: Defect): boolean {
    return this.#defects.has(defect)
  }

  /** What is under a key now; reading it so has no consequence but that of its expiry. */
  peek(storedKey: string): Buffer | undefined {
    const stored = this.#strings.get(storedKey)
    if (stored === undefined) return undefined
    if (stored.expiresAtMs > this.#clock.monotonicMs()) return stored.bytes
    this.#remove(storedKey)
    return undefined
  }

  keys(): readonly string[] {
    return [...this.#strings.keys()]
  }

  /** Runs one request of a connection; its own pushes follow its reply. */
  execute(link: Link): void {
    const request = link.requests.shift()
    if (request === undefined) return
    this.#current = link
    const reply = request.run(link)
    this.#current = undefined
    link.arrive({ kind: 'reply', request, reply })
    for (const storedKey of this.#afterReply) link.invalidated(storedKey)
    this.#afterReply = []
  }

  /** The connection is gone: nothing is tracked for it. */
  forget(link: Link): void {
    this.#tracked.forget(link)
  }

  read(link: Link, storedKeys: readonly string[]): (Buffer | null)[] {
    return storedKeys.map((storedKey) => {
      const bytes = this.peek(storedKey) ?? null
      this.#tracked.read(storedKey, link)
      return bytes
    })
  }

  acquire(link: Link, storedKey: string, request: AcquireRequest): AcquireReply {
    this.#readTracked(link, storedKey)
    if (this.hasDefect('loads are stored under a hold')) this.#endHold(storedKey)
    const heedsPause = request.heedsPause && !this.hasDefect('a failed load may be tried again at once')
    return acquireLease(this.#keyspace, storedKey, { ...request, heedsPause }, this.nowMs)
  }

  renew(link: Link, storedKey: string, token: string, leaseMs: number): boolean {
    this.#readTracked(link, storedKey)
    return renewLease(this.#keyspace, storedKey, token, leaseMs, this.nowMs)
  }

  /** GETEX is not tracked; STRLEN after the SET is. */
  fill(link: Link, storedKey: string, fence: Fence, bytesToStore: Buffer, ttlMs: number): boolean {
    const isLate = isRebound(storedKey, (defect) => this.hasDefect(defect))
    const entry = isLate ? reboundEntry(storedKey, bytesToStore, (key) => this.peek(key)) : bytesToStore
    if (ignoresFence(fence, this.#defects)) this.#put(storedKey, entry, ttlMs)
    else if (!fillEntry(this.#keyspace, storedKey, fence, entry, ttlMs, this.nowMs)) return false
    this.#tracked.read(storedKey, link)
    return true
  }

  /** GETEX is not tracked. */
  reserve(storedKey: string, request: ReserveRequest): ReserveReply {
    return reserveKey(this.#keyspace, storedKey, request)
  }

  release(link: Link, storedKey: string, ...[token, isFruitless, pauseMs]: Released): void {
    this.#readTracked(link, storedKey)
    releaseLease(this.#keyspace, storedKey, { token, isFruitless, pauseMs }, this.nowMs)
  }

  write(storedKey: string, bytes: Buffer, ttlMs: number): void {
    this.#put(storedKey, bytes, ttlMs, true)
  }

  remove(link: Link, storedKeys: readonly string[]): number {
    let removed = 0
    for (const storedKey of storedKeys) {
      this.#readTracked(link, storedKey)
      const bytes = this.peek(storedKey)
      const isValue = bytes !== undefined && !isPlaceholder(bytes)
      if (!isValue && this.hasDefect('a delete spares placeholders')) continue
      if (!this.hasDefect('a delete ends a hold') && toldHold(this.#keyspace, storedKey)) continue
      this.#remove(storedKey)
      if (isValue) removed++
    }
    return removed
  }

  /** A page of SCAN: keys that are there from the first page to the last are in one of them. */
  scan(page: number, pattern: string): { next: number; storedKeys: string[] } {
    const matches = globMatcher(pattern)
    const storedKeys = this.keys().filter((storedKey) => {
      if (pageOf(storedKey) !== page || isReserved(storedKey) || !matches(storedKey)) return false
      const bytes = this.peek(storedKey)
      if (bytes === undefined) return false
      return !(this.hasDefect('removals by pattern spare placeholders') && isPlaceholder(bytes))
    })
    return { next: page + 1 < PAGES ? page + 1 : 0, storedKeys }
  }

  /** SETRANGE and GETEX are not tracked. */
  reclaim(
    storedKeys: readonly string[],
    generationKey: string,
    isUnbound: boolean,
    replaced?: readonly string[],
  ) {
    return reclaimKeys(this.#keyspace, storedKeys, generationKey, isUnbound, replaced)
  }

  ttlMs(link: Link, storedKey: string): number | undefined {
    this.#readTracked(link, storedKey)
    const bytes = this.peek(storedKey)
    if (bytes === undefined || isPlaceholder(bytes)) return undefined
    return this.#keyspace.remainingMs(storedKey)
  }

  /** PTTL is tracked where it runs, the last GET always. */
  capture(link: Link, storedKey: string, ttlMs: number): Buffer {
    if (this.hasDefect('loads are stored under a hold')) this.#endHold(storedKey)
    if (readGenerationValue(this.peek(storedKey))) this.#tracked.read(storedKey, link)
    const generation = captureGeneration(this.#keyspace, storedKey, ttlMs, this.nowMs)
    this.#tracked.read(storedKey, link)
    return generation
  }

  bump(link: Link, storedKey: string, ttlMs: number, renewal: Renewal): string {
    this.#readTracked(link, storedKey)
    if (this.hasDefect('bump changes nothing')) return ''
    return bumpGeneration(this.#keyspace, storedKey, ttlMs, renewal, this.nowMs)
  }

  /** GETEX is not tracked. */
  hold(storedKey: string, durationMs: number): string {
    return holdKey(this.#keyspace, storedKey, durationMs, this.nowMs)
  }

  /** GETEX is not tracked. */
  endHold(storedKey: string, hold: string): boolean {
    const isLeft = endHold(this.#keyspace, storedKey, hold, this.nowMs)
    if (this.hasDefect('the first change ends the hold of all')) this.#endHold(storedKey)
    return isLeft
  }

  #endHold(storedKey: string): void {
    const bytes = this.peek(storedKey)
    if (bytes !== undefined && readHold(bytes) !== undefined) this.#remove(storedKey)
  }

  /** What happens without any of our connections asking for it: eviction, and DEL and SET from `redis-cli`. */
  foreignRemove(storedKey: string): void {
    this.#remove(storedKey)
  }

  flush(links: readonly Link[]): void {
    this.#strings.clear()
    this.#tracked = new TrackingTable()
    for (const link of links) link.arrive({ kind: 'flush' })
  }

  save(): void {
    this.#saved = new Map(this.#strings)
  }

  /** Another life with what was saved, or with nothing. */
  restart(isEmpty: boolean): void {
    this.life++
    this.#tracked = new TrackingTable()
    this.#strings = new Map(isEmpty ? [] : this.#saved)
  }

  #put(storedKey: string, bytes: Buffer, ttlMs: number, isWritten = false): void {
    this.#strings.set(storedKey, { bytes, expiresAtMs: this.#clock.monotonicMs() + ttlMs })
    this.#modified(storedKey)
    this.#onChanged(storedKey, isWritten)
  }

  #remove(storedKey: string): boolean {
    const wasThere = this.#strings.delete(storedKey)
    if (wasThere) {
      this.#modified(storedKey)
      this.#onChanged(storedKey, false)
    }
    return wasThere
  }

  #readTracked(link: Link, storedKey: string): void {
    this.peek(storedKey)
    this.#tracked.read(storedKey, link)
  }

  #modified(storedKey: string): void {
    const links = this.#tracked.take(storedKey)
    if (this.hasDefect('pushes are lost')) return
    for (const link of links) {
      if (link !== this.#current) link.invalidated(storedKey)
      else this.#afterReply.push(storedKey)
    }
  }
}
