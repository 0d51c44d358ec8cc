import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import type { BoundGeneration, EntryFacts } from '../../codec/envelope/entry-meta.ts'
import { isReserved } from '../../foundation/reserved-keys.ts'
import { type Clock, LONGEST_TIMER_MS, type Timers } from '../../foundation/time/clock.ts'
import { queueMicrotask } from '../../foundation/time/timers.ts'
import { servableAsRead } from '../freshness/servable.ts'
import type { ChangeListener } from '../keys/change-listener.ts'
import type { OwnWrites } from '../keys/own-writes.ts'
import { LocalEntry } from '../local/local-entry.ts'
import type { LocalTier } from '../local/local-tier.ts'
import { keptUntil } from '../local/local-times.ts'
import { GenerationSet } from '../tags/generation-set.ts'
import type { GenerationTable } from '../tags/generation-table.ts'
import type { EntryJudge } from './entry-judge.ts'
import type { GenerationCheck } from './generation-check.ts'
import { ABSENT, type Judgement, judgementFor, type Wants } from './judgement.ts'

/** The shortest time between two searches for values whose time is over, in milliseconds. */
const SHORTEST_PAUSE_MS = 1_000

/** The parts of {@link HeldEntries}. */
export interface HeldEntriesParts {
  readonly tier: SharedTier
  readonly local: LocalTier
  readonly check: GenerationCheck
  readonly judge: EntryJudge
  readonly generations: GenerationTable
  readonly ownWrites: OwnWrites
  readonly clock: Clock
  readonly timers: Timers
  /** Resolves when the tier is open; `undefined` if it is. */
  readonly opened: () => Promise<void> | undefined
}

/** What is kept with a value. */
export interface HeldFacts extends EntryFacts {
  readonly generations: readonly BoundGeneration[]
}

/**
 * Values that stay in this process (`store: 'local'`). Redis has no value to read again. It has the generations that the
 * entry is bound to, one of which is that of its key: while they are the current ones, no process has invalidated it.
 *
 * So an entry that may not be served as it is (a new epoch, a push, a copy that is too old) is not dropped: the
 * generations are asked for, and the entry is confirmed by them, or gone.
 */
export class HeldEntries implements ChangeListener {
  readonly #parts: HeldEntriesParts
  /** The calls of `set` whose value is not kept yet. */
  readonly #sets = new Map<string, Promise<unknown>>()
  #isSearchDue = false
  #nextSearchMs: number = Number.POSITIVE_INFINITY
  #cancelSearch: () => void = () => {}
  #isStopped = false

  constructor(parts: HeldEntriesParts) {
    this.#parts = parts
  }

  /**
   * What this process holds under a key, as `EntryReader.read` judges what Redis holds.
   * @throws CacheError if a generation cannot be read
   */
  async read(storedKey: string, wants: Wants, isPastLag: boolean): Promise<Judgement> {
    const { opened, ownWrites } = this.#parts
    const writes = ownWrites.of(storedKey)
    if (writes !== undefined) await writes
    await this.#sets.get(storedKey)
    await opened()
    return judgementFor(await this.#confirmed(storedKey, isPastLag), wants)
  }

  async #confirmed(storedKey: string, isPastLag: boolean): Promise<Judgement> {
    const { clock, local } = this.#parts
    const entry = local.peekStored(storedKey)
    if (entry === undefined) return ABSENT
    if (servableAsRead(entry, clock.monotonicMs()) === 'no') {
      local.drop(storedKey, 'expired')
      return ABSENT
    }
    const stamp = entry.stamp as string
    if (!isPastLag && this.#isTrusted(storedKey, entry)) return { state: 'usable', stamp, entry }
    const { epoch } = local
    const set = await this.#currentSet(storedKey, entry.generationSet.bound)
    const present = local.peekStored(storedKey)
    if (present !== entry) {
      const isSame = set !== undefined && present?.stamp === stamp
      return isSame ? { state: 'usable', stamp, entry: present } : ABSENT
    }
    if (set === undefined) {
      local.drop(storedKey)
      return { state: 'unusable', stamp }
    }
    const confirmed = this.#again(storedKey, entry, set, epoch)
    local.putHeld(storedKey, confirmed)
    return { state: 'usable', stamp, entry: confirmed }
  }

  /** Whether an invalidation of the entry would be known by now. */
  #isTrusted(storedKey: string, { epoch, generationSet, readAtMs }: LocalEntry): boolean {
    const { clock, local, tier } = this.#parts
    const nowMs = clock.monotonicMs()
    const isYoung = nowMs - readAtMs < Math.min(tier.localTtlMs, local.ttlMsOf(storedKey))
    return isYoung && nowMs < tier.trustedUntilMs && epoch === local.epoch && generationSet.isValid
  }

  /**
   * The set of these generations, if Redis says that all are the current ones. It is asked for that of the key, and for
   * those of which a push might arrive after that reply: one round trip.
   */
  async #currentSet(
    storedKey: string,
    bound: readonly BoundGeneration[],
  ): Promise<GenerationSet | undefined> {
    const { check, generations } = this.#parts
    const keys = bound.map((one) => one.storedKey)
    const read = check.readAnew(storedKey, keys)
    const isAsked = read.asked?.has(storedKey) === true
    await Promise.all([isAsked || generations.fetchAnew(storedKey), generations.fetchAll(keys)])
    return check.currentSet(read, bound)
  }

  /** The same value, which its generations have just confirmed. */
  #again(storedKey: string, entry: LocalEntry, set: GenerationSet, epoch: number): LocalEntry {
    const { clock, local, tier } = this.#parts
    const nowMs = clock.monotonicMs()
    const { bornMs, loadCostMs, staleIfErrorMs, staleWhileRevalidateMs, ttlMs } = entry
    const leftMs = set.isExpired
      ? set.staleInMs(storedKey, (generationKey) => tier.serverNowMs(generationKey, nowMs))
      : Number.POSITIVE_INFINITY
    const freshUntilMs = Math.max(bornMs ?? 0, Math.min(entry.freshUntilMs, nowMs + leftMs))
    const localTtlMs = Math.min(tier.localTtlMs, local.ttlMsOf(storedKey))
    const keptUntilMs = keptUntil(localTtlMs, nowMs, set)
    const windows = { ttlMs, staleIfErrorMs, staleWhileRevalidateMs, loadCostMs }
    const facts = { ...windows, stamp: entry.stamp as string, createdAtMs: 0 }
    const times = { bornMs, readAtMs: nowMs, freshUntilMs, keptUntilMs, leasedUntilMs: 0 }
    return new LocalEntry(entry, facts, times, set, epoch)
  }

  /**
   * Keeps a value if each generation that it is bound to is still the current one. Redis is asked, so that nothing is kept,
   * not even until a push arrives, which was invalidated before: one round trip.
   * @returns its entry, and whether it is kept
   */
  async keep(
    storedKey: string,
    value: unknown,
    facts: HeldFacts,
  ): Promise<{ readonly entry: LocalEntry; readonly isKept: boolean }> {
    const { clock, judge, local, tier } = this.#parts
    const { epoch } = local
    // What is not known to be valid is not kept.
    const current = await this.#currentSet(storedKey, facts.generations).catch(() => undefined)
    const set = epoch === local.epoch ? current : undefined
    const nowMs = clock.monotonicMs()
    const moment = { nowMs, serverNowMs: tier.serverNowMs(storedKey, nowMs) }
    const bound = set ?? new GenerationSet(facts.generations, [])
    const entry = judge.entry(storedKey, { value, isCloned: false }, facts, bound, 0, moment)
    const isKept = set !== undefined && !this.#isStopped && local.putHeld(storedKey, entry)
    if (isKept) this.#searchAt(endOf(entry))
    return { entry, isKept }
  }

  /** Called with a `set`: reads of the key that are called later wait until its value is kept. Never rejects. */
  sets(storedKey: string, setting: Promise<unknown>): void {
    const settled = setting.then(
      () => {},
      () => {},
    )
    this.#sets.set(storedKey, settled)
    void settled.then(() => {
      if (this.#sets.get(storedKey) === settled) this.#sets.delete(storedKey)
    })
  }

  /** Called when the cache is closed. */
  stop(): void {
    this.#isStopped = true
    this.#cancelSearch()
  }

  /** A generation may have been replaced. Values that nobody asks for any more are let go too. */
  invalidated(storedKey: string): void {
    if (this.#isSearchDue || !isReserved(storedKey) || this.#parts.local.held.length === 0) return
    this.#isSearchDue = true
    queueMicrotask(() => {
      this.#isSearchDue = false
      this.#search()
    })
  }

  writeBegan(storedKey: string): void {
    this.invalidated(storedKey)
  }

  writeSettled(storedKey: string): void {
    this.invalidated(storedKey)
  }

  /** Nothing to do: an entry is compared with removals by pattern when it is looked up. */
  removing(): void {}

  /** Nothing to do: an entry of an older epoch is confirmed when it is looked up. */
  epochBegan(): void {}

  /** Drops the values whose time is over, and has those confirmed whose generations are not known to be the current ones. */
  #search(): void {
    const { clock, local } = this.#parts
    const nowMs = clock.monotonicMs()
    let nextMs = Number.POSITIVE_INFINITY
    for (const shelf of local.held) {
      for (const [name, entry] of shelf.all) {
        if (shelf.peek(name) !== entry) continue
        if (endOf(entry) <= nowMs) shelf.delete(name, 'expired')
        else {
          nextMs = Math.min(nextMs, endOf(entry))
          if (!entry.generationSet.isUnrefuted) this.#confirm(local.storedKeyOf(name))
        }
      }
    }
    this.#searchAt(nextMs)
  }

  #confirm(storedKey: string): void {
    const { opened } = this.#parts
    if (opened() !== undefined) return
    this.#confirmed(storedKey, false).catch(() => {})
  }

  #searchAt(atMs: number): void {
    const { clock, timers } = this.#parts
    if (this.#isStopped || atMs >= this.#nextSearchMs) return
    const delayMs = Math.max(SHORTEST_PAUSE_MS, atMs - clock.monotonicMs())
    if (delayMs > LONGEST_TIMER_MS) return
    this.#cancelSearch()
    this.#nextSearchMs = atMs
    this.#cancelSearch = timers.after(delayMs, () => {
      this.#nextSearchMs = Number.POSITIVE_INFINITY
      this.#search()
    })
  }
}

/** When a value can no longer be served in any way. */
function endOf({ freshUntilMs, staleIfErrorUntilMs, staleWhileRevalidateUntilMs }: LocalEntry): number {
  return Math.max(freshUntilMs, staleWhileRevalidateUntilMs, staleIfErrorUntilMs)
}
