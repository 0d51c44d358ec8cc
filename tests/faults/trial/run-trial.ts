import { setTimeout as pause } from 'node:timers/promises'
import type { Deployment } from '../deployments/deployment.ts'
import { Fleet } from '../traffic/fleet.ts'
import { MODES, type Mode, sharedNowMs } from '../traffic/setting.ts'
import type { Fault } from './fault.ts'
import type { MayBeLost } from './ledger.ts'
import { ModeRecord, type Span } from './mode-record.ts'
import type { ModeOutcome, Outcome } from './outcome.ts'

const PROCESSES = 2
const REPORT_EVERY_MS = 250
const WARM_MS = 1_000
const CALM_MS = 1_500
/** By then Redis has to answer again after a fault, and every change to be known. */
const HEALED_WITHIN_MS = 30_000
const SETTLED_WITHIN_MS = 15_000
/** Acknowledged changes this long before a failover may be lost with it. */
const LAG_MS = 2_000
/** How long after a failover the processes may take to deliver their latest invalidations again. */
const REPEATED_WITHIN_MS = 8_000

/** How a trial is run. */
export interface TrialOptions {
  /** URL of the Redis that plays the source. */
  readonly source: string
  readonly isFull: boolean
}

/** Lets the fault happen under steady traffic, and tells what that came to. */
export async function runTrial(fault: Fault, options: TrialOptions): Promise<Outcome> {
  const startMs = performance.now()
  const deployment = await fault.deploy()
  const fleet = new Fleet(PROCESSES)
  try {
    const trial = new Trial(fault, deployment, fleet)
    return { ...(await trial.run(options)), tookMs: performance.now() - startMs }
  } catch (error) {
    throw new Error(`The trial "${fault.name}" could not be run`, { cause: error })
  } finally {
    fleet.kill()
    await deployment.stop()
  }
}

class Trial {
  readonly #fault: Fault
  readonly #deployment: Deployment
  readonly #fleet: Fleet
  readonly #modes: readonly Mode[]
  readonly #records: readonly ModeRecord[]

  constructor(fault: Fault, deployment: Deployment, fleet: Fleet) {
    this.#fault = fault
    this.#modes = fault.modes ?? MODES
    this.#records = this.#modes.map((mode) => new ModeRecord(mode))
    this.#deployment = deployment
    this.#fleet = fleet
  }

  async run({ isFull, source }: TrialOptions): Promise<Omit<Outcome, 'tookMs'>> {
    const { name, seconds } = this.#fault
    await this.#fault.before?.(this.#deployment, this.#fleet)
    await this.#fleet.start({ target: this.#deployment.target, modes: this.#modes, source, trial: name })
    if (!this.#fault.isAwayAtStart) await this.#untilHits(0)
    await this.#goOn(WARM_MS)
    const before = await this.#fleet.heaps()
    const span = await this.#suffer((isFull ? seconds[1] : seconds[0]) * 1_000)
    await this.#untilHits(span.endedMs)
    await this.#goOn(CALM_MS)
    const unsettled = await this.#fleet.stopTraffic(SETTLED_WITHIN_MS)
    await this.#report()
    await this.#untilKnown()
    await this.#report()
    const modes = await this.#outcomes(span)
    const heaps = await this.#fleet.heaps()
    const growth = heaps.map((bytes, place) => bytes - (before[place] ?? bytes))
    await this.#fleet.end()
    return { fault: name, modes, unsettled, heapGrowthBytes: Math.max(...growth) }
  }

  async #suffer(lastsMs: number): Promise<Span> {
    await this.#report()
    for (const record of this.#records) record.markBegin()
    const beganMs = sharedNowMs()
    const heal = await this.#fault.strike(this.#deployment, this.#fleet, lastsMs)
    await this.#goOn(lastsMs)
    await heal()
    const endedMs = sharedNowMs()
    await this.#report()
    for (const record of this.#records) record.markEnd()
    return { beganMs, endedMs }
  }

  async #outcomes(span: Span): Promise<ModeOutcome[]> {
    const isHealthy = await this.#fault.healthy?.(this.#deployment)
    return this.#records.map((record) => record.outcome(span, this.#losses(span), isHealthy))
  }

  #losses({ beganMs, endedMs }: Span): MayBeLost {
    if (!this.#fault.mayLose) return () => false
    return (acknowledgedAtMs, readAtMs) =>
      acknowledgedAtMs > beganMs - LAG_MS &&
      acknowledgedAtMs < endedMs &&
      readAtMs > beganMs &&
      readAtMs < endedMs + REPEATED_WITHIN_MS
  }

  async #report(): Promise<void> {
    const reports = await this.#fleet.reports()
    for (const { place, traffic } of reports) {
      for (const [index, report] of traffic.entries()) this.#records[index]?.add(place, report)
    }
  }

  async #goOn(ms: number): Promise<void> {
    for (const endMs = performance.now() + ms; performance.now() < endMs; ) {
      await pause(Math.min(REPORT_EVERY_MS, Math.max(0, endMs - performance.now())))
      await this.#report()
    }
  }

  async #untilHits(sinceMs: number): Promise<void> {
    const endMs = performance.now() + HEALED_WITHIN_MS
    while (!this.#records.every((record) => record.hasHitsSince(sinceMs)) && performance.now() < endMs)
      await this.#goOn(REPORT_EVERY_MS)
  }

  /** Asks every process for every key until each one has heard of the last change, or the time is over. */
  async #untilKnown(): Promise<void> {
    for (const endMs = performance.now() + HEALED_WITHIN_MS; ; ) {
      const outdated = await this.#fleet.outdated()
      const isKnown = outdated.every((byMode) => Object.values(byMode).every((keys) => keys.length === 0))
      if (!isKnown && performance.now() < endMs) {
        await pause(REPORT_EVERY_MS)
        continue
      }
      for (const byMode of outdated)
        for (const [index, mode] of this.#modes.entries())
          this.#records[index]?.addOutdated(byMode[mode] ?? [])
      return
    }
  }
}
