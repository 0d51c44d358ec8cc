import type { BoundGeneration } from '../../src/codec/envelope/entry-meta.ts'
import { openEnvelope } from '../../src/codec/envelope/envelope.ts'
import type { Invalidation, KnownValue, Question, Write } from './history.ts'
import { CLOCK_ERROR_MS } from './setting.ts'
import type { SimulatedRedis } from './simulated-redis.ts'

/** What the schedule found to be wrong. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/**
 * What may be returned when. Every value bears the moment at which it was the newest, so that "older than" is a
 * comparison: an invalidation that began later, and was acknowledged, has made it old.
 */
export class Oracle {
  readonly #redis: () => SimulatedRedis
  readonly #trustMs: number
  /** Judges an entry that says that there is no value. */
  readonly #saysAbsent: (storedKey: string) => void
  readonly #values = new Map<string, KnownValue>()
  readonly #invalidations: Invalidation[] = []
  /** Likewise, those too that a server has forgotten: the source has changed all the same. */
  readonly #changes: Invalidation[] = []
  /** Tags of earlier values: a later load may be bound to them, too. */
  readonly #tagsOfKey = new Map<string, Set<string>>()
  readonly #writes = new Map<string, Write>()
  /** The values that Redis has held at any time. */
  readonly #stored = new Set<string>()
  #moment = 1

  constructor(redis: () => SimulatedRedis, trustMs: number, saysAbsent: (storedKey: string) => void) {
    this.#saysAbsent = saysAbsent
    this.#redis = redis
    this.#trustMs = trustMs
  }

  /** The next moment; no two are the same. */
  tick(): number {
    return ++this.#moment
  }

  get invalidations(): readonly Invalidation[] {
    return this.#invalidations
  }

  learn(value: KnownValue): void {
    const borne = this.#tagsOfKey.get(value.storedKey) ?? new Set()
    for (const tagKey of value.tagKeys) borne.add(tagKey)
    this.#tagsOfKey.set(value.storedKey, borne)
    this.#values.set(value.text, value)
  }

  value(text: string): KnownValue | undefined {
    return this.#values.get(text)
  }

  /** The source is asked whether a value is still the one that it has: then it is as new as one that is loaded now. */
  confirm(text: string, storedKey: string, nowMs: number): KnownValue | undefined {
    const value = this.#values.get(text)
    if (value?.storedKey !== storedKey) return undefined
    if (this.#changes.some((one) => one.concerns(value) && value.lastNewAt < one.beganAt)) return undefined
    value.lastNewAt = this.tick()
    value.bornMs = nowMs
    return value
  }

  /** Redis has taken an entry: a value that was written is new at this moment. */
  stored(text: string, nowMs: number, isWritten: boolean): void {
    this.#stored.add(text)
    const value = this.#values.get(text)
    if (value === undefined || !isWritten || !text.endsWith('w')) return
    value.lastNewAt = this.tick()
    value.bornMs = nowMs
  }

  /** The invalidations that are acknowledged at this moment. */
  acknowledgedSoFar(): readonly Invalidation[] {
    return this.#invalidations.filter((one) => one.acknowledgedAt <= this.#moment)
  }

  /**
   * The fill of a slot was acknowledged.
   * @param known what was acknowledged before it was called
   * @throws Violation
   */
  filled(text: string, known: readonly Invalidation[]): void {
    const value = this.#values.get(text)
    if (value === undefined) throw new Violation(`${text} was filled in: nobody made that value`)
    if (!this.#stored.has(text))
      throw new Violation(`The fill of ${text} answers that it is stored: it never was`)
    const killer = known.find((one) => one.concerns(value) && value.lastNewAt < one.beganAt)
    if (killer === undefined) return
    throw new Violation(`The fill of ${text} answers that it is stored: it is older than '${killer.label}'`)
  }

  /** A write was acknowledged; remembered where it is what Redis holds now. */
  wrote(processId: number, value: KnownValue, touched: (storedKey: string) => number): void {
    const name = `${processId} ${value.storedKey}`
    const entry = entryIn(value.storedKey, this.#redis().peek(value.storedKey))
    this.#writes.delete(name)
    if (entry?.text !== value.text || !this.#isValid(entry.generations)) return
    const storedKeys = [value.storedKey, ...entry.generations.map(({ storedKey }) => storedKey)]
    this.#writes.set(name, { value, keys: storedKeys.map((storedKey) => [storedKey, touched(storedKey)]) })
  }

  /** The last acknowledged write of a process. */
  written(processId: number, storedKey: string): Write | undefined {
    return this.#writes.get(`${processId} ${storedKey}`)
  }

  began(label: string, processId: number | undefined, concerns: Invalidation['concerns']): Invalidation {
    const never = Number.POSITIVE_INFINITY
    const invalidation = {
      ...{ label, processId, concerns, beganAt: this.tick() },
      ...{ settledAt: never, acknowledgedAt: never, acknowledgedMs: never, hasReached: new Map() },
    }
    this.#invalidations.push(invalidation)
    this.#changes.push(invalidation)
    return invalidation
  }

  settled(
    invalidation: Invalidation,
    isAcknowledged: boolean,
    nowMs: number,
    hasReached: Invalidation['hasReached'],
  ): void {
    invalidation.settledAt = this.tick()
    if (!isAcknowledged) return
    invalidation.acknowledgedAt = invalidation.settledAt
    invalidation.acknowledgedMs = nowMs
    invalidation.hasReached = hasReached
    for (const storedKey of this.#redis().keys()) this.checkStored(storedKey)
  }

  /**
   * A server has forgotten what it acknowledged after this moment. What was not acknowledged may have been delivered
   * since then, and so be forgotten too.
   */
  forgotten(sinceMoment: number): Invalidation[] {
    const lost = this.#invalidations.filter(
      ({ acknowledgedAt, settledAt }) =>
        settledAt >= sinceMoment || acknowledgedAt === Number.POSITIVE_INFINITY,
    )
    for (const invalidation of lost) this.#invalidations.splice(this.#invalidations.indexOf(invalidation), 1)
    return lost
  }

  remembered(invalidations: readonly Invalidation[]): void {
    this.#invalidations.push(...invalidations)
  }

  /** A question that also binds what was acknowledged before a token was made. */
  asking(question: Question, known: readonly Invalidation[]): Question {
    const binding = [...new Set([...question.binding, ...known])]
    return { ...question, binding: binding.filter((one) => this.#invalidations.includes(one)) }
  }

  question(
    processId: number,
    storedKey: string,
    tagKeys: readonly string[],
    isLocal: boolean,
    isConnected: boolean,
    nowMs: number,
  ): Question {
    const binding = this.#invalidations.filter((invalidation) => {
      if (invalidation.processId === processId && invalidation.settledAt < this.#moment) return true
      if (invalidation.acknowledgedAt > this.#moment) return false
      if (!isLocal || (isConnected && nowMs >= invalidation.acknowledgedMs + this.#trustMs)) return true
      return invalidation.hasReached.get(processId)?.() ?? true
    })
    return { processId, storedKey, tagKeys, binding, beganAt: this.tick(), beganMs: nowMs }
  }

  /** @throws Violation */
  answered(question: Question, text: unknown): void {
    if (text === undefined) return
    const { processId, storedKey } = question
    const value = this.#values.get(String(text))
    const why = value === undefined ? 'nobody made that value' : this.objection(question, value)
    if (why !== undefined)
      throw new Violation(`process ${processId} got ${text} for ${printable(storedKey)}: ${why}`)
  }

  /** Why a call must not be answered with a value; `undefined` if it may be. */
  objection(question: Question, value: KnownValue): string | undefined {
    const { beganAt, beganMs, binding, processId, storedKey, tagKeys } = question
    if (value.storedKey !== storedKey) return 'it belongs to another key'
    const borne = this.#tagsOfKey.get(storedKey)
    const lacking = tagKeys.filter((tagKey) => !value.tagKeys.has(tagKey) && !borne?.has(tagKey))
    if (lacking.length > 0) return `it lacks ${printable(lacking.join())}`
    const isJoined = beganAt < value.loadedAt
    if (!isJoined && beganMs > value.bornMs + value.servableMs) return 'it has expired'
    const killer = binding.find(
      (one) =>
        one.concerns(value) &&
        value.lastNewAt < one.beganAt &&
        !isServedStale(one, question) &&
        !(isJoined && value.isUncached && one.processId !== processId) &&
        // What was not delivered may be made up for by a new generation, which no plain value bears.
        !(value.isPlain && one.acknowledgedAt === Number.POSITIVE_INFINITY),
    )
    return killer && `it is older than '${killer.label}'`
  }

  /**
   * A value stands in for a load that failed or was slow: within its window, and with nothing known against it, which
   * is what this process has invalidated itself.
   * @throws Violation
   */
  stoodIn({ beganAt, beganMs, binding, processId, storedKey }: Question, text: unknown): void {
    const value = this.#values.get(String(text))
    const who = `process ${processId} got ${text} in place of a load for ${printable(storedKey)}`
    if (value?.storedKey !== storedKey) throw new Violation(`${who}: it belongs to another key`)
    if (beganMs > value.bornMs + value.servableMs) throw new Violation(`${who}: it has expired`)
    const killer = binding.find(
      (one) =>
        one.processId === processId &&
        one.settledAt < beganAt &&
        !isServedStale(one, { beganMs }) &&
        one.concerns(value) &&
        value.lastNewAt < one.beganAt,
    )
    if (killer !== undefined) throw new Violation(`${who}: it is older than '${killer.label}'`)
  }

  /** A load that was asked for brings what the source had at that time or later. @throws Violation */
  refreshed({ beganAt, processId, storedKey }: Question, text: unknown): void {
    const value = this.#values.get(String(text))
    if (value === undefined || value.lastNewAt > beganAt) return
    throw new Violation(
      `process ${processId} refreshed ${printable(storedKey)} and got ${text}, which is older`,
    )
  }

  /** Nothing older than an acknowledged invalidation, or a commit under a hold, is readable as valid. @throws Violation */
  checkStored(storedKey: string): void {
    const entry = entryIn(storedKey, this.#redis().peek(storedKey))
    if (entry === undefined || !this.#isValid(entry.generations)) return
    if (entry.text === undefined) {
      this.#saysAbsent(storedKey)
      return
    }
    const value = this.#values.get(entry.text)
    const killer = value && this.killerOfStored(value)
    if (value === undefined || killer === undefined) return
    throw new Violation(
      `Redis holds ${value.text} under ${printable(storedKey)} as valid: it is older than '${killer.label}'`,
    )
  }

  /** What makes a value too old to be stored. */
  killerOfStored(value: KnownValue): Invalidation | undefined {
    return this.#invalidations.find(
      (one) =>
        (one.isHeld || one.acknowledgedAt <= this.#moment) &&
        one.staleMs === undefined &&
        one.concerns(value) &&
        value.lastNewAt < one.beganAt,
    )
  }

  #isValid(generations: readonly BoundGeneration[]): boolean {
    const redis = this.#redis()
    return generations.every((one) => redis.peek(one.storedKey)?.toString('latin1') === one.generation)
  }
}

/** Whether an expiry leaves a value to be served as stale. While it is not acknowledged, nobody knows when that ends. */
function isServedStale(
  { acknowledgedMs, staleMs }: Invalidation,
  { beganMs, takesStale = true }: Pick<Question, 'beganMs' | 'takesStale'>,
): boolean {
  return staleMs !== undefined && takesStale && beganMs <= acknowledgedMs + staleMs + CLOCK_ERROR_MS
}

/** The value of a cache entry, `undefined` if it says that there is none, and its generations. */
export function entryIn(
  storedKey: string,
  bytes: Buffer | undefined,
): { readonly text: string | undefined; readonly generations: readonly BoundGeneration[] } | undefined {
  if (bytes === undefined || storedKey.includes('\u0000') || bytes[0] !== 1) return undefined
  const { entry, payload } = openEnvelope(storedKey, bytes)
  const text = payload.length === 0 ? undefined : JSON.parse(payload.toString())
  return { text, generations: entry?.generations ?? [] }
}

/** Reserved keys begin with a NUL, which a trace should not hold. */
export function printable(text: string): string {
  return text.replaceAll('\u0000', '~')
}
