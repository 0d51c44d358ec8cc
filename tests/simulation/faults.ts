import type { Fleet } from './fleet.ts'
import type { Invalidation } from './history.ts'
import type { Loads } from './loads.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** An acknowledged invalidation that a restart has undone. */
interface Lost {
  readonly invalidation: Invalidation
  readonly process: SimulatedProcess | undefined
  readonly life: number
}

const JUMPS_MS = [5, 300, 1_100, 3_100, 6_000, 11_000] as const
/** Invalidations of this long ago are repeated to a server that may have forgotten them. */
const REPEATED_MS = 10_000

/** What goes wrong with servers, connections, processes and time. */
export class Faults {
  readonly #fleet: Fleet
  readonly #loads: Loads
  readonly #lost: Lost[] = []
  #savedAt = 0

  constructor(fleet: Fleet, loads: Loads) {
    this.#fleet = fleet
    this.#loads = loads
  }

  strike(): void {
    const choices = this.#fleet.choices
    // Where everything breaks all the time, nothing ever comes to be stored.
    if (choices.below(2) === 0) return
    const process = choices.of(this.#fleet.processes)
    const { link } = process.tier
    const storedKeys = this.#fleet.redis.keys()
    choices.weighted<() => void>([
      [
        6,
        () => {
          const jumpMs = choices.of(JUMPS_MS)
          this.#fleet.do('time passes', `${jumpMs} ms`, () => this.#fleet.time.pass(jumpMs))
        },
      ],
      [3, () => this.#fleet.do('expire', '', () => this.#deleteExpired())],
      [
        5,
        () => {
          if (storedKeys.length === 0) return
          const storedKey = choices.of(storedKeys)
          this.#fleet.do('evict', storedKey, () => this.#fleet.redis.foreignRemove(storedKey))
        },
      ],
      [
        4,
        () => {
          if (link === undefined || link.isCut || !process.isAlive) return
          const arrives = choices.below(2) === 0
          this.#fleet.do('cut', `${link.name}${arrives ? '' : ', nothing more arrives'}`, () =>
            this.#fleet.cut(link, arrives),
          )
        },
      ],
      [
        3,
        () => {
          if (link !== undefined && process.isAlive)
            this.#fleet.do('give up', link.name, () => process.tier.lose())
        },
      ],
      [
        1,
        () => {
          if (this.#fleet.processes.filter(({ isAlive }) => isAlive).length < 2) return
          this.#fleet.do('crash', `${process.id}`, () => {
            process.crash(this.#fleet.redis)
            for (const load of this.#loads.all) if (load.process === process) this.#loads.drop(load)
          })
        },
      ],
      [4, () => this.#fleet.do('save', '', () => this.#save())],
      [3, () => this.#restart(choices.below(2) === 0)],
      [
        1,
        () => {
          this.#fleet.redis.isAway = !this.#fleet.redis.isAway
          this.#fleet.do(this.#fleet.redis.isAway ? 'goes away' : 'comes back', '', () => {
            if (this.#fleet.redis.isAway) for (const one of this.#fleet.links()) this.#fleet.cut(one, false)
          })
        },
      ],
    ])()
  }

  #save(): void {
    this.#savedAt = this.#fleet.oracle.tick()
    this.#fleet.redis.save()
  }

  /** What was acknowledged since the save is forgotten; running processes repeat their invalidations. */
  #restart(isEmpty: boolean): void {
    this.#fleet.do('restart', isEmpty ? 'empty' : 'from what was saved', () => {
      for (const link of this.#fleet.links()) this.#fleet.cut(link, this.#fleet.choices.below(2) === 0)
      for (const { tier } of this.#fleet.processes) tier.orphan = undefined
      this.#fleet.redis.restart(isEmpty)
      for (const storedKey of this.#fleet.touched.keys()) this.#fleet.touch(storedKey)
      if (isEmpty) return
      for (const invalidation of this.#fleet.oracle.forgotten(this.#savedAt)) {
        const process = this.#fleet.processes.find(({ id }) => id === invalidation.processId)
        this.#lost.push({ invalidation, process, life: this.#fleet.redis.life })
      }
    })
  }

  /** The end: what should have been repeated is known again. */
  remember(): void {
    const isRepeated = ({ process, invalidation, life }: Lost) =>
      process?.isAlive &&
      Number.isFinite(invalidation.acknowledgedMs) &&
      process.tier.proofs.metAtMs(life) - invalidation.acknowledgedMs <= REPEATED_MS
    this.#fleet.oracle.remembered(this.#lost.filter(isRepeated).map(({ invalidation }) => invalidation))
  }

  /** Deletes what has expired, and tells of it; Redis does so at its leisure. */
  #deleteExpired(): void {
    const { redis } = this.#fleet
    for (const storedKey of redis.keys()) redis.peek(storedKey)
  }
}
