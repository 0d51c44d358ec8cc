import { isEntryStamp, tokenAfter } from '../../codec/envelope/entry-meta.ts'
import { isAnyHeld } from '../../codec/envelope/hold-mark.ts'
import type { MissReason } from '../../contract/cache-events.ts'
import { isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import { randomText } from '../../foundation/random-text.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { type Judgement, missReasonOf } from '../entries/judgement.ts'
import type { Flights } from '../flights/flights.ts'
import type { SingleFlight } from '../flights/single-flight.ts'
import { storedTtlMs } from '../freshness/entry-lifetimes.ts'
import { isTooOld, servableAsReadTo } from '../freshness/max-age.ts'
import type { Policies } from '../freshness/policies.ts'
import { handOver } from '../inheritance/hand-over.ts'
import type { FirstRead, LoadRequest } from '../loading/load-request.ts'
import { staleValueOf } from '../loading/stale-value.ts'
import { handOut } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { NamespaceReads } from '../reading/namespace-reads.ts'
import type { WritePath } from '../writing/write-path.ts'
import { FencedFill, HELD, type Reserved, UNRESERVED } from './fenced-fill.ts'
import { RESERVE_OPTIONS, type ReserveOptions } from './reserve-options.ts'
import { KeySlot, type Slot, type SlotFilling, type SlotParts } from './slot.ts'
import { TurnFill } from './turn-fill.ts'
import { TurnWait } from './turn-wait.ts'

/** How often a reservation is tried while others change the key. A slot that cannot be filled comes of the last one. */
const MOST_ATTEMPTS = 10

/** The parts of {@link Reservations}. */
export interface ReservationsParts {
  readonly core: CacheCore
  readonly flights: Flights
  readonly reads: SingleFlight
  readonly writes: WritePath
  readonly policies: Policies
}

/**
 * Reserves keys of one namespace: reads the value, or returns a slot for it.
 *
 * ```
 * judge what is there ─ fresh ──▶ a hit; its stamp is the fence of a fill
 *        │              ─ stale ──▶ a slot; likewise
 *        │ absent, unusable
 *        ▼
 * leave a placeholder, capture generations ──▶ a slot; the token of the placeholder is the fence
 * ```
 *
 * Whatever touches a key removes or replaces what it holds. So whether the fence still stands is one comparison, made by
 * the script that stores the value. If Redis cannot be asked, there is no fence, and the slot stores nothing (L6).
 */
export class Reservations {
  readonly #core: CacheCore
  readonly #reads: NamespaceReads
  readonly #writes: WritePath
  readonly #policies: Policies
  readonly #turns: TurnWait

  constructor({ core, flights, policies, reads, writes }: ReservationsParts, namespaceReads: NamespaceReads) {
    this.#core = core
    this.#reads = namespaceReads
    this.#writes = writes
    this.#policies = policies
    this.#turns = new TurnWait(core, reads, flights)
  }

  /** @throws CacheError for a programming mistake, or the signal's reason; never because of Redis */
  async reserve(key: string, options: ReserveOptions): Promise<Slot<unknown>> {
    this.#reads.checkOptions(options, RESERVE_OPTIONS)
    const { background, maxAge, signal, tags, wait } = options
    const asked = { tags, maxAge, signal, background, inherit: false }
    const request = this.#reads.request(key, noLoader, asked, { accepts: isValue })
    signal?.throwIfAborted()
    if (request.isPast) return this.#slot(request, this.#fencedFill(request, HELD, undefined), {})
    const local = this.#reads.hits.fresh(key, tags)
    const isFresh =
      local !== undefined &&
      isValue(local.value) &&
      !isTooOld(local, this.#reads.hits.hitAtMs, request.maxAgeMs)
    if (isFresh) {
      this.#reads.hits.count(key, local)
      return this.#hit(request, this.#core.tier.connectionOf(request.storedKey), local)
    }
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const slot = await this.#attempt(request, wait === true)
      if (slot !== undefined) return slot
    }
    return this.#unreserved(request)
  }

  /** @returns `undefined` if the key has changed meanwhile */
  async #attempt(request: LoadRequest, waits: boolean): Promise<Slot<unknown> | undefined> {
    const { clock, opened, reader, stopping, tier } = this.#core
    const { storedKey } = request
    let connection: unknown
    let judgement: Judgement
    try {
      await opened()
      connection = tier.connectionOf(storedKey)
      judgement = await reader.read(storedKey, request)
    } catch (error) {
      return waits && !stopping.aborted
        ? this.#awaited(request, connection, undefined, failedRead(this.#core, error))
        : this.#unreserved(request, error)
    }
    const entry = judgement.state === 'usable' ? judgement.entry : undefined
    const nowMs = clock.monotonicMs()
    const how = entry === undefined ? 'no' : servableAsReadTo(request.maxAgeMs, entry, nowMs)
    if (entry !== undefined && how === 'fresh') return this.#sharedHit(request, connection, entry)
    if (waits) {
      const stale = how === 'revalidate' ? entry : undefined
      const isLeased = stale !== undefined && clock.monotonicMs() < stale.leasedUntilMs
      return isLeased ? this.#staleHit(request, connection, stale) : this.#awaited(request, connection, stale)
    }
    if (entry !== undefined) {
      const reserved = await this.#reservedBy(request, entry)
      return this.#open(request, this.#fencedFill(request, reserved, connection), 'absent', entry)
    }
    // What is no entry has no stamp. It must not give way to a placeholder, also if it lacks a tag of this call.
    if (judgement.state === 'unusable' && !isEntryStamp(judgement.stamp)) return this.#unreserved(request)
    try {
      const reserved = await this.#reserve(request, judgement.stamp)
      const missed = missReasonOf(judgement)
      return reserved && this.#open(request, this.#fencedFill(request, reserved, connection), missed)
    } catch (error) {
      return this.#unreserved(request, error)
    } finally {
      // The placeholder has replaced the entry. Without a notification of that, its local copy would outlive it.
      this.#core.dropCopy(storedKey, judgement.stamp)
    }
  }

  /** Leaves a placeholder and captures the generations, in one tick, before the holder of the slot begins its work. */
  async #reserve(request: LoadRequest, stamp: string): Promise<Reserved | undefined> {
    const { generations, learnedTags, options, tier } = this.#core
    const { generationKeys, policies, storedKey } = request
    const token = tokenAfter(randomText(16), 0)
    const [reply, captured] = await Promise.all([
      tier.reserve(storedKey, { token, stamp, lifetimeMs: options.longestLoadMs }),
      generations.capture(learnedTags.with(storedKey, generationKeys), storedTtlMs(policies)),
    ])
    if (reply.status === 'changed') return undefined
    if (reply.status === 'foreign') return UNRESERVED
    if (reply.status === 'changing' || isAnyHeld(captured)) return HELD
    return { fence: { kind: 'reservation', mark: reply.token }, captured }
  }

  /** Waits until the key is this caller's to load, or until another has loaded it. */
  async #awaited(
    request: LoadRequest,
    connection: unknown,
    stale: LocalEntry | undefined,
    first?: FirstRead,
  ): Promise<Slot<unknown>> {
    const taken = await this.#turns.take(request, stale, first)
    if ('load' in taken) {
      const { context } = taken.load
      return this.#slot(request, new TurnFill(this.#core, taken.load), { stale: context.stale() })
    }
    const { entry, lateTagKeys, served, stored, value } = taken.answer
    handOver(request, served ?? stored, lateTagKeys)
    const found = entry ?? stored
    const reserved = found === undefined ? UNRESERVED : await this.#reservedBy(request, found)
    return this.#slot(request, this.#fencedFill(request, reserved, connection), {
      hit: { value },
    })
  }

  #sharedHit(request: LoadRequest, connection: unknown, entry: LocalEntry): Promise<Slot<unknown>> {
    request.monitor.sharedHit(request.key, this.#core.clock.monotonicMs(), entry.loadCostMs)
    return this.#hit(request, connection, entry)
  }

  /**
   * The fence of a valid entry, its generations, and those of tags that only an earlier fill of the key has named. A plain
   * value has no fence: nothing tells whether it was replaced by the same bytes.
   */
  async #reservedBy(request: LoadRequest, { generationSet, stamp }: LocalEntry): Promise<Reserved> {
    if (stamp === undefined) return UNRESERVED
    const { generations, learnedTags } = this.#core
    const { key, monitor, policies, storedKey } = request
    const { bound } = generationSet
    const fence = { kind: 'entry', mark: stamp } as const
    const isBound = (tagKey: string) => bound.some((one) => one.storedKey === tagKey)
    const learned = learnedTags.with(storedKey, []).filter((tagKey) => !isBound(tagKey))
    if (learned.length === 0) return { fence, captured: bound }
    try {
      const captured = await generations.capture(learned, storedTtlMs(policies))
      return { fence, captured: [...bound, ...captured] }
    } catch (error) {
      monitor.tell('reserve', key, error)
      return { fence, captured: bound }
    }
  }

  /** A stale value that somebody is replacing. */
  #staleHit(request: LoadRequest, connection: unknown, entry: LocalEntry): Promise<Slot<unknown>> {
    request.monitor.staleServe(request.key, 'revalidate')
    return this.#hit(request, connection, entry)
  }

  async #hit(request: LoadRequest, connection: unknown, entry: LocalEntry): Promise<Slot<unknown>> {
    const filling = this.#fencedFill(request, await this.#reservedBy(request, entry), connection)
    handOver(request, entry)
    return this.#slot(request, filling, { hit: { value: handOut(entry) } })
  }

  #open(request: LoadRequest, filling: SlotFilling, missed: MissReason, stale?: LocalEntry): Slot<unknown> {
    request.monitor.miss(request.key, missed)
    return this.#slot(request, filling, {
      stale: stale && staleValueOf(stale, request.space, this.#core.clock.monotonicMs()),
    })
  }

  /** The slot of a key that Redis could not be asked for, that changes all the time, or that holds no entry. */
  #unreserved(request: LoadRequest, error?: unknown): Slot<unknown> {
    if (isProgrammingMistake(error)) throw error
    if (error !== undefined) request.monitor.tell('reserve', request.key, error)
    const missed = error === undefined ? 'absent' : 'unavailable'
    return this.#open(request, this.#fencedFill(request, UNRESERVED, undefined), missed)
  }

  #fencedFill(
    { generationKeys, key, monitor, space, storedKey }: LoadRequest,
    { captured, fence, isHeld }: Reserved,
    connection: unknown,
  ): SlotFilling {
    const { clock, generations } = this.#core
    return new FencedFill(this.#core, this.#writes, {
      ...{ space, monitor, key, storedKey, generationKeys, fence, captured, isHeld, connection },
      reservedAt: generations.now,
      reservedAtMs: clock.monotonicMs(),
    })
  }

  #slot(
    { key, monitor }: LoadRequest,
    filling: SlotFilling,
    found: Pick<SlotParts<unknown>, 'hit' | 'stale'>,
  ): Slot<unknown> {
    return KeySlot.of<unknown, unknown>({
      core: this.#core,
      monitor,
      policies: this.#policies,
      key,
      filling,
      ...found,
    })
  }
}

/** A read that need not be repeated before it is known that Redis cannot be asked. */
function failedRead({ generations, local }: CacheCore, failure: unknown): FirstRead {
  const judged = () => Promise.reject(failure)
  return { askedAt: generations.now, epoch: local.epoch, failure, isCurrent: false, judged }
}

/** The holder of a slot loads the value. */
function noLoader(): never {
  throw new Error('A slot has no loader')
}

/** An entry that says that the source has no value (`absentTtl`) is no hit: the caller may know one. */
function isValue(value: unknown): boolean {
  return value !== undefined
}
