import type { StaleValue } from '../../src/cache/loading/stale-value.ts'
import { ABSENT_MS, LoaderFailure } from './failures.ts'
import type { Fleet } from './fleet.ts'
import type { KnownValue } from './history.ts'
import { Violation } from './oracle.ts'
import { CLOCK_ERROR_MS } from './setting.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** How a load ends; `'confirm'`: with the stale value, where there is one and the source still has it. */
export type Fate = 'value' | 'skip' | 'fail' | 'nothing' | 'confirm'

/** A load under way: its loader has been called, and will read the source, and then return, when it is told to. */
export interface Load {
  readonly process: SimulatedProcess
  readonly storedKey: string
  readonly fate: Fate
  readonly tagKeys: ReadonlySet<string>
  readonly stale: StaleValue | undefined
  readonly skip: () => void
  /** Tells that the stale value is still right. */
  readonly keepStale: () => void
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly isUncached: boolean
  /** What the source had when it was read. */
  text?: string
  isConfirmed?: boolean
}

/** The loaders that are running, and their source: it changes whenever anything is written or invalidated. */
export class Loads {
  readonly #fleet: Fleet
  readonly all: Set<Load> = new Set()
  /** The keys of which a load has failed, skipped or found nothing. */
  readonly #fruitless = new Set<string>()

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  begin(load: Load): void {
    this.#fleet.note('loader begins', `${load.process.id} ${load.storedKey}`)
    if (!this.#fleet.setting.invalidates) this.#fleet.failures.assertNotPaused(load.process, load.storedKey)
    this.all.add(load)
  }

  /** The loader is given up: whatever the source said, nobody is told. */
  drop(load: Load): void {
    if (this.all.delete(load)) this.#fleet.absences.forget(load.text)
  }

  /**
   * After a load without a result, those who waited for it load side by side: of a process, one under the lease and one
   * without it at most.
   */
  assertAlone(process: SimulatedProcess, storedKey: string): void {
    const others = [...this.all].filter((load) => load.storedKey === storedKey)
    const own = others.filter((load) => load.process === process)
    if (others.length === 0 || (this.#fruitless.has(storedKey) && own.length < 2)) return
    this.#fleet.violation ??= new Violation(`${others.length + 1} loaders run for ${storedKey}`)
  }

  goOn(load: Load): void {
    if (load.text === undefined) this.#readSource(load)
    else this.#end(load, load.text)
  }

  #readSource(load: Load): void {
    const { oracle, servableMs, setting, time } = this.#fleet
    const { fate, isUncached, process, stale, storedKey } = load
    // A load that takes no time is never repeated early.
    if (setting.policies) time.pass(1)
    const at = oracle.tick()
    const bornMs = time.monotonicMs()
    const confirmed =
      fate === 'confirm' && stale !== undefined && !isUncached
        ? oracle.confirm(String(stale.value), storedKey, bornMs)
        : undefined
    if (confirmed !== undefined) {
      load.isConfirmed = true
      load.text = confirmed.text
      this.#fleet.note('source has not changed', `${process.id} ${load.text}`)
      return
    }
    const text = `${storedKey}@${at}`
    load.text = text
    const found: KnownValue = {
      ...{ storedKey, text, tagKeys: new Set(load.tagKeys), isPlain: false, isUncached },
      ...{ lastNewAt: at, bornMs, servableMs, loadedAt: Number.POSITIVE_INFINITY },
    }
    this.#fleet.do('read source', `${process.id} ${text}`, () => {
      if (fate !== 'nothing') oracle.learn(found)
      else this.#fleet.absences.learn({ ...found, servableMs: ABSENT_MS + CLOCK_ERROR_MS })
    })
  }

  /** A batch returns when its last value has been loaded: until then, others may join the loads of the first ones. */
  returned(storedKeys: readonly string[], texts: readonly unknown[]): void {
    for (const [index, text] of texts.entries()) {
      if (text === undefined) this.#fleet.absences.returned(storedKeys[index] as string)
      const value = this.#fleet.oracle.value(String(text))
      if (value !== undefined) value.loadedAt = this.#fleet.oracle.tick()
    }
  }

  #end(load: Load, text: string): void {
    const { fate } = load
    const told = load.isConfirmed ? 'not modified' : fate
    this.#fleet.do(`loader ends: ${told}`, `${load.process.id} ${text}`, () => {
      this.all.delete(load)
      if (fate === 'skip' || fate === 'fail' || fate === 'nothing') this.#fruitless.add(load.storedKey)
      if (load.isConfirmed) {
        load.keepStale()
        return
      }
      const value = this.#fleet.oracle.value(text)
      if (value !== undefined) value.loadedAt = this.#fleet.oracle.tick()
      if (fate === 'skip') load.skip()
      if (fate === 'nothing') this.#fleet.absences.ended(text)
      if (fate === 'fail') {
        const error = new LoaderFailure('The source failed')
        this.#fleet.failures.ended(load, error)
        load.reject(error)
      } else load.resolve(fate === 'nothing' ? undefined : text)
    })
  }
}
