import { expect, test } from 'vitest'
import { BusStandIn } from '../../support/bus-stand-in.ts'
import type { Chance } from './chance.ts'
import { FUZZ_TIMEOUT_MS, fuzz } from './fuzz.ts'

const PUBLISHERS = ['real-one', 'real-two'] as const
const MOST_REMEMBERED = 20_000
const ALPHABET = ['[', ']', '"', ',', '0', '9007199254740991', '-1', '1e3', 'p:', '\0', ...PUBLISHERS]
/** A publisher that is silent for more heartbeats may be forgotten. */
const LONGEST_SILENCE = 30

/** What happens on the channel. */
type Step =
  /** A process publishes its next message, which arrives or is lost. */
  | { readonly kind: 'publish'; readonly publisher: number; readonly isLost: boolean }
  /** A stranger publishes this text. */
  | { readonly kind: 'forge'; readonly text: string }
  | { readonly kind: 'heartbeat' }

const publish = (publisher: number, isLost = false): Step => ({ kind: 'publish', publisher, isLost })
const forge = (id: string, number: number): Step => ({ kind: 'forge', text: messageOf(id, number) })
const HEARTBEAT: Step = { kind: 'heartbeat' }

const SEEDS: readonly (readonly Step[])[] = [
  [publish(0), publish(0, true), publish(1), HEARTBEAT, publish(0), HEARTBEAT, HEARTBEAT],
  [publish(0), forge('real-one', 9), publish(0), publish(0, true), publish(1, true), HEARTBEAT],
  [forge('stranger', 1), forge('real-two', 3), HEARTBEAT, publish(1, true), HEARTBEAT, publish(1)],
]

function messageOf(id: string, number: number): string {
  return JSON.stringify([id, number, [`p:${id}:${number}`]])
}

/** A message that was lost. */
interface Loss {
  readonly publisher: string
  readonly number: number
  /** How many doubts had been reported by then. */
  readonly doubts: number
}

/** One run of steps: processes that publish, and a stranger. */
class Channel {
  readonly standIn: BusStandIn
  readonly #lastNumbers: number[] = PUBLISHERS.map(() => 0)
  readonly #arrived = new Set<string>()
  readonly #losses: Loss[] = []
  /** The numbers that a stranger has sent in the name of a process. */
  readonly #forged: { readonly publisher: unknown; readonly number: number }[] = []
  #heartbeats = 0

  constructor(standIn: BusStandIn) {
    this.standIn = standIn
    // The first message of a process tells where its numbers begin: no earlier loss could be noticed.
    for (const publisher of PUBLISHERS.keys()) this.take(publish(publisher))
  }

  take(step: Step): void {
    if (step.kind === 'heartbeat') {
      if (++this.#heartbeats < LONGEST_SILENCE) this.standIn.pass()
    } else if (step.kind === 'forge') {
      this.#forge(step.text)
    } else {
      this.#publish(step.publisher, step.isLost)
    }
  }

  /** The messages that were lost without a doubt having been reported since. */
  get unnoticed(): readonly Loss[] {
    return this.#losses.filter((loss) => loss.doubts === this.#doubts && !this.#isReplaced(loss))
  }

  /**
   * Whether a stranger has sent the number of a lost message, or a later one, and no message up to it has arrived since.
   * Nobody can tell such numbers from the real ones. It takes a stranger who knows in advance what will be lost.
   */
  #isReplaced({ number, publisher }: Loss): boolean {
    return this.#forged.some((forged) => {
      if (forged.publisher !== publisher || !(forged.number >= number)) return false
      for (let later = number + 1; later <= this.#last(publisher) && later <= forged.number; later++) {
        if (this.#arrived.has(`${publisher} ${later}`)) return false
      }
      return true
    })
  }

  get #doubts(): number {
    return this.standIn.missed + this.standIn.lost
  }

  #last(publisher: string): number {
    return this.#lastNumbers[PUBLISHERS.indexOf(publisher as never)] as number
  }

  #forge(text: string): void {
    try {
      const [publisher, number] = JSON.parse(text)
      this.#forged.push({ publisher, number })
    } catch {
      // It is no message.
    }
    this.standIn.receive(text)
  }

  #publish(index: number, isLost: boolean): void {
    const publisher = PUBLISHERS[index] as string
    const number = this.#last(publisher) + 1
    this.#lastNumbers[index] = number
    if (isLost) {
      this.#losses.push({ publisher, number, doubts: this.#doubts })
      return
    }
    this.#arrived.add(`${publisher} ${number}`)
    this.standIn.receive(messageOf(publisher, number))
    expect(this.standIn.changed).toContain(`p:${publisher}:${number}`)
  }
}

async function attempt(steps: readonly Step[]): Promise<void> {
  const channel = new Channel(await new BusStandIn().join())
  for (const step of steps) channel.take(step)
  const { standIn } = channel
  // What comes next from each process makes a loss before it visible.
  for (const publisher of PUBLISHERS.keys()) channel.take(publish(publisher))
  standIn.pass(3)
  expect(channel.unnoticed).toEqual([])
  expect(standIn.bus.size).toBeLessThanOrEqual(MOST_REMEMBERED)
  expect(standIn.changed.filter((storedKey) => !storedKey.startsWith(BusStandIn.PREFIX))).toEqual([])
}

function mutate(steps: readonly Step[], chance: Chance): readonly Step[] {
  const at = chance.below(steps.length + 1)
  const removed = chance.happens(0.2) ? 1 : 0
  return [...steps.slice(0, at), stepFrom(steps[at], chance), ...steps.slice(at + removed)]
}

function stepFrom(step: Step | undefined, chance: Chance): Step {
  if (step?.kind === 'forge' && chance.happens(0.7)) {
    return { kind: 'forge', text: chance.mutateText(step.text, ALPHABET) }
  }
  switch (chance.below(4)) {
    case 0:
      return HEARTBEAT
    case 1:
      return forge(
        chance.pick([...PUBLISHERS, 'stranger']),
        chance.happens(0.7) ? chance.below(12) : chance.border(),
      )
    default:
      return publish(chance.below(PUBLISHERS.length), chance.happens(0.3))
  }
}

test(
  'no message of a stranger hides that a message was lost',
  async () => {
    const { inputs } = await fuzz({ seeds: SEEDS, mutate, attempt, show: (steps) => JSON.stringify(steps) })
    expect(inputs).toBeGreaterThan(100)
  },
  FUZZ_TIMEOUT_MS,
)
