import { setTimeout as pause } from 'node:timers/promises'
import type { Fleet } from '../traffic/fleet.ts'
import { type Mode, sharedNowMs } from '../traffic/setting.ts'
import { ModeRecord, type Span } from './mode-record.ts'

const REPORT_EVERY_MS = 250
/** By then Redis has to answer again after a fault, and every change to be known. */
const HEALED_WITHIN_MS = 30_000

/** Collects what the processes of a fleet tell, by mode. */
export class Observer {
  readonly #fleet: Fleet
  readonly #patienceMs: number
  #records: readonly ModeRecord[]

  /** @param patienceMs for how long it waits for what has to become well */
  constructor(fleet: Fleet, modes: readonly Mode[], patienceMs = HEALED_WITHIN_MS) {
    this.#fleet = fleet
    this.#patienceMs = patienceMs
    this.#records = modes.map((mode) => new ModeRecord(mode))
  }

  get records(): readonly ModeRecord[] {
    return this.#records
  }

  /** Begins new records. Of the old ones it keeps the newest change of each key. */
  startAnew(): void {
    this.#records = this.#records.map((record) => new ModeRecord(record.mode, record.newest))
  }

  /** Collects while the fault lasts: `strike` makes it happen, and resolves with what ends it. */
  async during(strike: () => Promise<() => Promise<unknown>>, lastsMs: number): Promise<Span> {
    await this.collect()
    for (const record of this.#records) record.markBegin()
    const beganMs = sharedNowMs()
    const heal = await strike()
    await this.collectFor(lastsMs)
    await heal()
    const endedMs = sharedNowMs()
    await this.collect()
    for (const record of this.#records) record.markEnd()
    return { beganMs, endedMs }
  }

  async collect(): Promise<void> {
    const reports = await this.#fleet.reports()
    for (const { place, traffic } of reports)
      for (const [index, report] of traffic.entries()) this.#records[index]?.add(place, report)
  }

  async collectFor(ms: number): Promise<void> {
    for (const endMs = performance.now() + ms; performance.now() < endMs; ) {
      await pause(Math.min(REPORT_EVERY_MS, Math.max(0, endMs - performance.now())))
      await this.collect()
    }
  }

  /** Collects until every process has had answers of Redis since that moment, or the time is over. */
  async untilHits(sinceMs: number): Promise<void> {
    const endMs = performance.now() + this.#patienceMs
    while (!this.#records.every((record) => record.hasHitsSince(sinceMs)) && performance.now() < endMs)
      await this.collectFor(REPORT_EVERY_MS)
  }

  /** Asks every process for every key until each one has heard of the last change, or the time is over. The traffic has ended. */
  async untilKnown(): Promise<void> {
    for (const endMs = performance.now() + this.#patienceMs; ; ) {
      const outdated = await this.#fleet.outdated()
      const isKnown = outdated.every((byMode) => Object.values(byMode).every((keys) => keys.length === 0))
      if (!isKnown && performance.now() < endMs) {
        await pause(REPORT_EVERY_MS)
        continue
      }
      for (const byMode of outdated)
        for (const record of this.#records) record.addOutdated(byMode[record.mode] ?? [])
      return
    }
  }
}
