import type { Fleet } from './fleet.ts'
import type { Loads } from './loads.ts'
import type { Reads } from './reads.ts'
import { COMPOSITE, type Place } from './setting.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** A value whose loader reads another entry, and inherits from it: it is as old as that one, and has its tags. */
export class Composites {
  readonly #fleet: Fleet
  readonly #loads: Loads
  readonly #reads: Reads

  constructor(fleet: Fleet, loads: Loads, reads: Reads) {
    this.#fleet = fleet
    this.#loads = loads
    this.#reads = reads
  }

  /** @param part the entry that it is made of, if it has to be loaded */
  getOrSet(process: SimulatedProcess, part: Place): void {
    const question = this.#reads.question(process, COMPOSITE, [])
    const label = `${process.id} composite of ${part.storedKey}`
    process.servedInstead.delete(COMPOSITE.key)
    this.#fleet.call(process, label, async () => {
      const load = () => this.#load(process, part)
      const cache = this.#fleet.cacheOf(process, COMPOSITE)
      const text = await cache.getOrSet(COMPOSITE.key, load, { inherit: true })
      // Without a part there is no whole, and that is not remembered.
      return text === undefined ? text : this.#reads.answered(process, COMPOSITE, question, text)
    })
  }

  async #load(process: SimulatedProcess, part: Place): Promise<unknown> {
    const read = await this.#reads.part(process, part)
    const value = this.#fleet.oracle.value(String(read))
    if (value === undefined) return undefined
    const { storedKey } = COMPOSITE
    const text = `${storedKey}@${this.#fleet.oracle.tick()} of ${read}`
    const isUncached = !process.tier.leased.has(storedKey)
    this.#fleet.oracle.learn({
      ...{ ...value, storedKey, text, isUncached, isPlain: false, madeOf: part.storedKey },
      ...{ tagKeys: new Set(value.tagKeys), loadedAt: Number.POSITIVE_INFINITY },
    })
    this.#fleet.note('composed', `${process.id} ${text}`)
    // It goes on when it is told to.
    return new Promise((resolve, reject) => {
      const parts = { resolve, reject, skip: () => {}, keepStale: () => {} }
      const load = { process, storedKey, tagKeys: value.tagKeys, stale: undefined, isUncached, text }
      this.#loads.begin({ ...parts, ...load, fate: 'value' })
    })
  }
}
