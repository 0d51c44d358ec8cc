import { NamespaceWrites } from './changes.ts'
import { Choices } from './choices.ts'
import { Composites } from './composites.ts'
import { Faults } from './faults.ts'
import { Fleet, type Tally, told } from './fleet.ts'
import type { Link } from './link.ts'
import { Loads } from './loads.ts'
import { Violation } from './oracle.ts'
import { Reads } from './reads.ts'
import { PLACES, type Place, type Setting } from './setting.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import { Slots } from './slots.ts'
import { Transactions } from './transactions.ts'

/** Kinds of change, one of which a schedule may make more often than the others. */
const FAVOURITES = ['set', 'delete', 'invalidateTags', 'invalidatePattern', 'clear'] as const
/** What reaches values that stay in their processes, and whose moment is known. */
const HOLDING: readonly string[] = ['delete', 'invalidateTags', 'clear']
/** Within this time what waits to be delivered is, and a circuit that is open has been tried again. */
const REDELIVERY_MS = 3_000
const MOST_DRAIN_STEPS = 3_000

/** One run of the fleet, every step of which is chosen by the bytes that it is given. */
export class Schedule {
  readonly #fleet: Fleet
  readonly #faults: Faults
  readonly #loads: Loads
  readonly #reads: Reads
  readonly #slots: Slots
  readonly #transactions: Transactions
  readonly #composites: Composites
  readonly #changes: NamespaceWrites
  readonly #places: readonly Place[]
  readonly #loaderWeight: number
  readonly #faultWeight: number
  readonly #favoured: string | undefined

  constructor(setting: Setting, bytes: Uint8Array, tally: Tally, trace?: string[]) {
    const choices = new Choices(bytes)
    this.#fleet = new Fleet(setting, choices, tally, trace)
    this.#loads = new Loads(this.#fleet)
    // A schedule of few keys and processes, and of slow loaders, meets what a broad one seldom does, and the other way.
    this.#places = PLACES.slice(choices.of([2, 2, 1, 0]))
    this.#loaderWeight = choices.of([1, 1, 3])
    this.#faultWeight = choices.of([1, 1, 1, 3])
    this.#favoured = choices.of([...FAVOURITES, undefined, undefined])
    this.#faults = new Faults(this.#fleet, this.#loads)
    this.#reads = new Reads(this.#fleet, this.#loads, this.#places)
    this.#slots = new Slots(this.#fleet, this.#loads, this.#reads)
    this.#transactions = new Transactions(this.#fleet)
    this.#composites = new Composites(this.#fleet, this.#loads, this.#reads)
    this.#changes = new NamespaceWrites(this.#fleet, this.#places)
    const processes = Math.min(choices.of([2, 2, 3, 1]), setting.processes)
    for (let id = 1; id <= processes; id++) this.#fleet.addProcess()
  }

  /** @throws Violation */
  async run(): Promise<void> {
    const { stackTraceLimit } = Error
    const random = Math.random
    const refuse = (error: unknown) => {
      this.#fleet.violation ??= new Violation(`An unhandled rejection: ${String(error)}`)
    }
    // Stacks cost a seventh of the time, and only what is traced is read.
    if (this.#fleet.trace === undefined) Error.stackTraceLimit = 0
    Math.random = () => this.#fleet.choices.below(4) / 4
    process.on('unhandledRejection', refuse)
    try {
      while (!this.#fleet.choices.isOver) {
        this.#fleet.choices.weighted(this.#steps())()
        await this.#settle()
      }
      await this.#end()
    } finally {
      Math.random = random
      Error.stackTraceLimit = stackTraceLimit
      process.off('unhandledRejection', refuse)
    }
  }

  #steps(): (readonly [weight: number, step: () => void])[] {
    const steps: (readonly [number, () => void])[] = []
    if (this.#fleet.begun < this.#fleet.setting.actions) steps.push([4, () => this.#act()])
    for (const { isAlive, tier } of this.#fleet.processes) {
      if (!isAlive) continue
      const { link, orphan } = tier
      if (tier.isConnecting || tier.isLost)
        steps.push([
          3,
          () => this.#fleet.do(tier.isLost ? 'reconnect' : 'connect', '', () => tier.handshake()),
        ])
      if (orphan !== undefined && orphan.requests.length > 0) steps.push([2, () => this.#execute(orphan)])
      if (link === undefined) continue
      if (link.requests.length > 0 && !link.isCut) steps.push([4, () => this.#execute(link)])
      if (link.inbound.length > 0) steps.push([4, () => this.#deliver(tier, link, 1)])
      if (link.inbound.length > 1) steps.push([3, () => this.#deliver(tier, link, link.inbound.length)])
      if (link.isCut) steps.push([1, () => this.#fleet.do('notice', link.name, () => tier.lose())])
    }
    for (const load of this.#loads.all) steps.push([this.#loaderWeight, () => this.#loads.goOn(load)])
    for (const one of this.#transactions.all) steps.push([1, () => this.#transactions.goOn(one)])
    if (this.#fleet.time.isDue)
      steps.push([3, () => this.#fleet.do('timer', '', () => this.#fleet.time.fireNext())])
    else if (this.#fleet.setting.invalidates && this.#fleet.time.hasTimer)
      steps.push([1, () => this.#fleet.do('timer', '', () => this.#fleet.time.fireNext())])
    for (const controller of this.#fleet.abortable) {
      steps.push([
        1,
        () => this.#fleet.do('abort', '', () => controller.abort(new DOMException('Enough', 'AbortError'))),
      ])
      break
    }
    if (!this.#fleet.setting.invalidates)
      steps.push([1, () => this.#fleet.do('time passes', '3 ms', () => this.#fleet.time.pass(3))])
    if (this.#fleet.setting.faults) steps.push([this.#faultWeight, () => this.#faults.strike()])
    if (steps.length === 0) steps.push([1, () => {}])
    return steps
  }

  // What the server and the connections do.

  #execute(link: Link): void {
    this.#fleet.do('execute', `${link.name} ${link.requests[0]?.label}`, () => {
      this.#fleet.oracle.tick()
      this.#fleet.redis.execute(link)
    })
  }

  #deliver(tier: SimulatedProcess['tier'], link: Link, count: number): void {
    const items = link.inbound.slice(0, count).map((arrival) => {
      if (arrival.kind === 'reply') return `reply to ${arrival.request.label}: ${told(arrival.reply)}`
      return arrival.kind === 'push' ? `push ${arrival.storedKey}` : 'flush'
    })
    this.#fleet.do('deliver', `${link.name} [${items.join('; ')}]`, () => tier.deliver(count))
  }

  #act(): void {
    this.#fleet.begun++
    const choices = this.#fleet.choices
    const process = choices.of(this.#fleet.processes.filter(({ isAlive }) => isAlive))
    const at = choices.of(this.#places)
    const reads: (readonly [number, () => void])[] = [
      [12, () => this.#reads.getOrSet(process, at)],
      [3, () => this.#reads.get(process, at, true)],
      [1, () => this.#reads.get(process, at, false)],
      ...(this.#fleet.setting.policies ? this.#policies(process, at) : []),
      ...(this.#fleet.setting.slots ? this.#reservations(process, at) : []),
      [this.#fleet.setting.transactions ? 8 : 0, () => this.#transactions.begin(process, at)],
      ...(this.#fleet.setting.tokens ? this.#tokens(process, at) : []),
      [this.#fleet.setting.composites ? 14 : 0, () => this.#composites.getOrSet(process, at)],
    ]
    const favoured = this.#favoured
    const changes = Object.entries({
      set: [3, () => this.#changes.set(process, at)],
      delete: [4, () => this.#changes.delete(process, at)],
      deleteMany: [1, () => this.#changes.deleteMany(process)],
      invalidateTags: [4, () => this.#changes.invalidateTags(process, at)],
      invalidatePattern: [1, () => this.#changes.invalidatePattern(process, at)],
      clear: [1, () => this.#changes.clear(process, at)],
      setMany: [1, () => this.#changes.setMany(process)],
    } satisfies Record<string, readonly [number, () => void]>)
      .filter(([name]) => this.#fleet.setting.holding !== true || HOLDING.includes(name))
      .map(([name, [weight, change]]) => [name === favoured ? 12 : weight, change] as const)
    const expiries: (readonly [number, () => void])[] = [
      [10, () => this.#changes.expire(process, at)],
      [10, () => this.#changes.expireTags(process, at)],
    ]
    const keys: (readonly [number, () => void])[] = [
      [1, () => this.#changes.foreignDelete(at)],
      [1, () => this.#changes.foreignSet(at)],
    ]
    const foreign = [...(this.#fleet.setting.holding ? [] : keys), [1, () => this.#changes.flush()] as const]
    const { expiries: expires, faults, invalidates } = this.#fleet.setting
    choices.weighted([
      ...reads,
      ...(invalidates ? changes : []),
      ...(expires ? expiries : []),
      ...(invalidates && faults ? foreign : []),
    ])()
  }

  // The end: all faults are over, and everything settles.

  async #end(): Promise<void> {
    this.#fleet.note('drain', '')
    this.#fleet.redis.isAway = false
    await this.#drain()
    for (const process of this.#fleet.processes) {
      if (!process.isAlive) continue
      for (const at of this.#places) this.#reads.get(process, at, false)
    }
    // A process that has not been asking Redis for a while tells it of what it may have forgotten when it does.
    await this.#drain(REDELIVERY_MS)
    this.#faults.remember()
    for (const storedKey of this.#fleet.redis.keys()) this.#fleet.oracle.checkStored(storedKey)
    this.#fleet.addProcess()
    for (const process of this.#fleet.processes) {
      if (!process.isAlive) continue
      for (const at of this.#places) {
        this.#reads.getOrSet(process, at)
        this.#reads.get(process, at, true)
      }
    }
    await this.#drain()
  }

  async #drain(atLeastMs = 0): Promise<void> {
    const { time } = this.#fleet
    const untilMs = time.monotonicMs() + atLeastMs
    for (let steps = 0; steps < MOST_DRAIN_STEPS; steps++) {
      const isIdle = !this.#moveAll()
      await this.#settle()
      if (!isIdle) continue
      const isOpen = [...this.#fleet.open].some(({ process }) => process.isAlive)
      if (!isOpen && time.monotonicMs() >= untilMs) return
      this.#fleet.do('timer', '', () => this.#fleet.time.fireNext())
      await this.#settle()
    }
    const labels = [...this.#fleet.open].flatMap(({ label, process }) => (process.isAlive ? [label] : []))
    throw new Violation(`Calls that never settle: ${labels.join('; ')}`)
  }

  #moveAll(): boolean {
    let hasMoved = false
    for (const { isAlive, tier } of this.#fleet.processes) {
      if (!isAlive) continue
      if (tier.link?.isCut) this.#fleet.do('notice', tier.link.name, () => tier.lose())
      if (tier.isConnecting || tier.isLost) {
        this.#fleet.do('reconnect', '', () => tier.handshake())
        hasMoved = true
      }
      const { link } = tier
      if (link === undefined) continue
      while (link.requests.length > 0) {
        this.#execute(link)
        hasMoved = true
      }
      if (link.inbound.length > 0) {
        this.#deliver(tier, link, link.inbound.length)
        hasMoved = true
      }
    }
    for (const load of this.#loads.all) {
      this.#loads.goOn(load)
      hasMoved = true
    }
    for (const one of this.#transactions.all) {
      this.#transactions.goOn(one)
      hasMoved = true
    }
    return hasMoved
  }

  #policies(process: SimulatedProcess, at: Place): (readonly [number, () => void])[] {
    return [
      [this.#fleet.setting.sickSource ? 12 : 3, () => this.#reads.refresh(process, at)],
      [3, () => this.#reads.getOrSetMany(process, at)],
    ]
  }

  #tokens(process: SimulatedProcess, at: Place): (readonly [number, () => void])[] {
    const ask = (other: SimulatedProcess) => this.#reads.getAtLeast(other, at)
    return [
      [3, () => this.#reads.tokens.mark(process, ask)],
      [8, () => this.#reads.tokens.deleteAndMark(process, at, ask)],
      [6, () => this.#reads.getAtLeast(process, at)],
    ]
  }

  #reservations(process: SimulatedProcess, at: Place): (readonly [number, () => void])[] {
    return [
      [this.#fleet.setting.slots === 'any' ? 10 : 0, () => this.#slots.reserve(process, at, false)],
      [5, () => this.#slots.reserve(process, at, true)],
    ]
  }

  async #settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#fleet.violation !== undefined) throw this.#fleet.violation
  }
}
