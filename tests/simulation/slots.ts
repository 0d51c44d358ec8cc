import type { Slot } from '../../src/cache/reserving/slot.ts'
import type { Fleet } from './fleet.ts'
import type { Fate, Loads } from './loads.ts'
import { Violation } from './oracle.ts'
import type { Reads } from './reads.ts'
import { type Place, TAGS } from './setting.ts'
import type { SimulatedProcess } from './simulated-process.ts'

const FATES: readonly (readonly [weight: number, fate: Fate])[] = [
  [10, 'value'],
  [2, 'nothing'],
]

/**
 * Reserves keys, and fills the slots with what the source has later. `'nothing'` releases the slot. A fill that answers
 * `true` must have been stored, and must not be older than an invalidation that was acknowledged before it was called.
 */
export class Slots {
  readonly #fleet: Fleet
  readonly #loads: Loads
  readonly #reads: Reads

  constructor(fleet: Fleet, loads: Loads, reads: Reads) {
    this.#fleet = fleet
    this.#loads = loads
    this.#reads = reads
  }

  reserve(process: SimulatedProcess, at: Place, wait: boolean): void {
    const { choices, setting } = this.#fleet
    const isCalm = !setting.invalidates
    const tags = !isCalm && choices.rarely(4) ? [] : at.tags
    const added = !isCalm && choices.rarely(2) ? [choices.of(TAGS)] : []
    const fate = choices.weighted<Fate>(FATES)
    const replacesHit = !isCalm && choices.rarely(3)
    const question = this.#reads.question(process, at, tags)
    const label = `${process.id} ${wait ? 'reserve and wait' : 'reserve'} ${at.storedKey} [${tags}]+[${added}] ${fate}`
    process.servedInstead.delete(at.key)
    this.#fleet.call(process, label, async () => {
      const slot = await this.#fleet.cacheOf(process, at).reserve(at.key, { tags, wait })
      if (slot.stale !== undefined) this.#reads.answered(process, at, question, slot.stale.value)
      if (slot.isHit) {
        this.#reads.answered(process, at, question, slot.value)
        if (!replacesHit) return slot.value
      }
      if (isCalm && wait && !slot.isHit) this.#loads.assertAlone(process, at.storedKey)
      this.#hold(process, at, slot, { tags: [...tags, ...added], fate, isAwaited: wait && !slot.isHit })
      return slot.isHit ? slot.value : 'a slot'
    })
  }

  #hold(
    process: SimulatedProcess,
    { space, storedKey }: Place,
    slot: Slot<unknown>,
    { fate, isAwaited, tags }: { tags: readonly string[]; fate: Fate; isAwaited: boolean },
  ): void {
    const isLeased = isAwaited && process.tier.leased.has(storedKey)
    this.#loads.begin({
      ...{ process, storedKey, fate, stale: undefined },
      tagKeys: new Set(tags.map((tag) => space.tagKey(tag))),
      isUncached: isAwaited && !isLeased,
      skip: () => {},
      keepStale: () => {},
      reject: () => {},
      resolve: (text) =>
        text === undefined ? this.#release(process, slot) : this.#fill(process, slot, text, tags, isLeased),
    })
  }

  #release(process: SimulatedProcess, slot: Slot<unknown>): void {
    this.#fleet.call(process, `${process.id} release ${slot.key}`, () => slot.release())
  }

  #fill(
    process: SimulatedProcess,
    slot: Slot<unknown>,
    text: unknown,
    tags: readonly string[],
    isLeased: boolean,
  ): void {
    const { oracle } = this.#fleet
    const known = oracle.acknowledgedSoFar()
    const isPromised = !this.#fleet.setting.invalidates && isLeased
    this.#fleet.call(process, `${process.id} fill ${text} [${tags}]`, async () => {
      const isStored = await slot.fill(text, { tags })
      this.#fleet.note(isStored ? 'a slot is filled' : 'a fill is refused', String(text))
      if (isStored) oracle.filled(String(text), known)
      else if (isPromised && process.refusals.get(slot.key) !== 'unreserved')
        throw new Violation(`The fill of ${text} was refused, but nothing has touched the key`)
      return isStored
    })
  }
}
