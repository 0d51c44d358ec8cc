import type { Acknowledged, Probe, TrafficReport } from '../traffic/cache-traffic.ts'
import { type Mode, PROBES, prefixOf, TIMES } from '../traffic/setting.ts'
import { Ledger, type MayBeLost } from './ledger.ts'
import type { ModeOutcome } from './outcome.ts'

/**
 * For how long a local copy may be served after a change was acknowledged. Without messages it may come of a read that
 * took as long as a command may, and twice that if the event loop stood still. A process without its bus has no messages.
 */
const BOUND_MS: Readonly<Record<Mode, number>> = {
  tracking: TIMES.trustMs,
  'bus, ioredis 5': TIMES.localTtlMs + 2 * TIMES.commandTimeoutMs,
  'bus, ioredis 6': TIMES.localTtlMs + 2 * TIMES.commandTimeoutMs,
  ttl: TIMES.localTtlMs + 2 * TIMES.commandTimeoutMs,
}
/** The longest pause between two attempts to connect, and one second. */
const HITS_WITHIN_MS = 1_500
const SAMPLES = 8

/** When a fault began and when it was over, by `sharedNowMs`. */
export interface Span {
  readonly beganMs: number
  readonly endedMs: number
}

/** What has to be known of a fault to judge what it came to. */
export interface Terms {
  readonly mayBeLost?: MayBeLost
  readonly isSilentToAttempts?: boolean | undefined
  readonly isHealthy?: ((storedKey: string) => boolean) | undefined
}

/** What the processes of a trial have told of one mode. */
export class ModeRecord {
  readonly mode: Mode
  readonly #ledger: Ledger
  readonly #probes: Probe[][] = []
  readonly #wrong: string[] = []
  /** The latest report of each process: its sums. */
  readonly #latest: TrafficReport[] = []
  #before = { loads: 0, reads: 0 }
  #after = { loads: 0, reads: 0 }

  /** @param known changes that were acknowledged before */
  constructor(mode: Mode, known?: readonly Acknowledged[]) {
    this.mode = mode
    this.#ledger = new Ledger(known)
  }

  /** The newest change of each key. */
  get newest(): Acknowledged[] {
    return this.#ledger.newest
  }

  /** What the process at this place has told. */
  add(place: number, report: TrafficReport): void {
    this.#ledger.add(report.acknowledged, report.seen)
    this.#wrong.push(...report.foreign)
    this.#probes[place] = [...(this.#probes[place] ?? []), ...report.probes]
    this.#latest[place] = { ...report, seen: [], acknowledged: [], probes: [] }
  }

  addOutdated(keys: readonly string[]): void {
    this.#wrong.push(...keys.map((key) => `${key} never heard of its last change`))
  }

  /** The fault begins: sums from here on are those of the fault. */
  markBegin(): void {
    this.#before = this.#sums()
  }

  markEnd(): void {
    this.#after = this.#sums()
  }

  /** Whether every process has had an answer of Redis since. */
  hasHitsSince(sinceMs: number): boolean {
    const { all, local } = this.#hitsSince(sinceMs)
    return all !== undefined && local !== undefined
  }

  outcome(fault: Span, { isHealthy, isSilentToAttempts, mayBeLost = () => false }: Terms = {}): ModeOutcome {
    const { lost, stalestMs, wrong } = this.#ledger.judge(BOUND_MS[this.mode], mayBeLost)
    const all = [...this.#wrong, ...wrong]
    const calls = this.#latest.map((report) => report.calls)
    const slowest = calls.reduce((one, other) => (other.slowestMs > one.slowestMs ? other : one))
    const hits = this.#hitsSince(fault.endedMs)
    const healthy = this.#probes
      .flat()
      .filter(
        ({ beganMs, endedMs, key }) =>
          isHealthy?.(prefixOf(this.mode) + key) && endedMs > fault.beganMs && beganMs < fault.endedMs,
      )
    const sum = (of: (report: TrafficReport) => number) =>
      this.#latest.reduce((total, report) => total + of(report), 0)
    return {
      mode: this.mode,
      reads: sum(({ reads }) => reads),
      changes: sum(({ changes }) => changes),
      acknowledged: this.#ledger.acknowledged,
      loads: sum(({ loads }) => loads),
      loadsInFault: this.#after.loads - this.#before.loads,
      readsInFault: this.#after.reads - this.#before.reads,
      wrong: all.slice(0, SAMPLES),
      wrongCount: all.length,
      lost,
      stalestMs,
      failed: sum((report) => report.calls.failed),
      errors: [...new Set(calls.flatMap(({ errors }) => errors))].slice(0, SAMPLES),
      slowestMs: slowest.slowestMs,
      slowest: slowest.slowest,
      lateMs: Math.max(...calls.map(({ lateMs }) => lateMs)),
      hitsWithinMs: HITS_WITHIN_MS + (isSilentToAttempts ? TIMES.connectTimeoutMs : 0),
      firstHitMs: hits.first,
      firstLocalHitMs: hits.local,
      allHitsMs: hits.all,
      healthyLoads: healthy.filter(({ isHit }) => !isHit).length,
      healthySlowestMs: Math.max(0, ...healthy.map(({ beganMs, endedMs }) => endedMs - beganMs)),
    }
  }

  #sums(): { loads: number; reads: number } {
    return {
      loads: this.#latest.reduce((sum, { loads }) => sum + loads, 0),
      reads: this.#latest.reduce((sum, { reads }) => sum + reads, 0),
    }
  }

  /** How long after a moment Redis answered: the first time in the process that came last, and for all keys. */
  #hitsSince(sinceMs: number): Readonly<Record<'first' | 'all' | 'local', number | undefined>> {
    const first: number[] = []
    const local: number[] = []
    const all: number[] = []
    for (const probes of this.#probes) {
      const hitAtMs = new Map<string, number>()
      for (const { beganMs, endedMs, isHit, key } of probes)
        if (isHit && beganMs >= sinceMs && !hitAtMs.has(key)) hitAtMs.set(key, endedMs - sinceMs)
      const times = [...hitAtMs.values()]
      first.push(times.length > 0 ? Math.min(...times) : Number.NaN)
      const localHit = probes.find(({ beganMs, isLocalHit }) => isLocalHit && beganMs >= sinceMs)
      local.push(localHit === undefined ? Number.NaN : localHit.endedMs - sinceMs)
      all.push(times.length === PROBES ? Math.max(...times) : Number.NaN)
    }
    const latest = (times: readonly number[]) => {
      const last = Math.max(...times)
      return Number.isNaN(last) || times.length === 0 ? undefined : last
    }
    return { first: latest(first), all: latest(all), local: latest(local) }
  }
}
