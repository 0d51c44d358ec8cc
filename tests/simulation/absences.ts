import type { KnownValue, Question } from './history.ts'
import { type Oracle, printable, Violation } from './oracle.ts'

/** For how long it is known that there is no value. */
export const ABSENT_MS = 20_000

/**
 * What loaders have said of values that are not there. Who gets no value was told so by one that says it still, by the
 * rules of any value.
 */
export class Absences {
  readonly #oracle: Oracle
  readonly #note: (kind: string) => void
  readonly #all: KnownValue[] = []

  /** @param note counts what has happened */
  constructor(oracle: Oracle, note: (kind: string) => void) {
    this.#oracle = oracle
    this.#note = note
  }

  learn(absence: KnownValue): void {
    this.#all.push(absence)
  }

  forget(text: string | undefined): void {
    const index = this.#all.findIndex((one) => one.text === text)
    if (index >= 0) this.#all.splice(index, 1)
  }

  /** A loader has said so. */
  ended(text: string): void {
    const own = this.#all.find((one) => one.text === text)
    if (own !== undefined) own.loadedAt = this.#oracle.tick()
  }

  /** A batch has said so: until then, others may join its load. */
  returned(storedKey: string): void {
    const last = this.#all.findLast((one) => one.storedKey === storedKey && Number.isFinite(one.loadedAt))
    if (last !== undefined) last.loadedAt = this.#oracle.tick()
  }

  /** A call with a loader got no value. @throws Violation */
  answered(question: Question): void {
    const own = this.#all.filter(({ storedKey }) => storedKey === question.storedKey)
    const objections = own.map((one) => this.#oracle.objection(question, one))
    const right = own.filter((_, index) => objections[index] === undefined)
    if (right.length > 0) {
      const isRemembered = right.every(({ loadedAt }) => loadedAt < question.beganAt)
      if (isRemembered) this.#note('remembers an absence')
      return
    }
    const who = `process ${question.processId} got no value for ${printable(question.storedKey)}`
    throw new Violation(`${who}: ${objections.at(-1) ?? 'no loader has said so'}`)
  }

  /** Redis says so, by a valid entry. @throws Violation */
  checkStored(storedKey: string): void {
    const own = this.#all.filter((one) => one.storedKey === storedKey)
    const killers = own.map((one) => this.#oracle.killerOfStored(one))
    if (killers.includes(undefined)) return
    const why = killers.at(-1)?.label ?? 'no loader has said so'
    throw new Violation(`Redis says that there is no ${printable(storedKey)}: ${why}`)
  }
}
