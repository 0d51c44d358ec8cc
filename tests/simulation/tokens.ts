import type { Fleet } from './fleet.ts'
import type { Invalidation, Question } from './history.ts'
import type { Place } from './setting.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** Tokens that processes pass to one another, and what they stand for. */
export class Tokens {
  readonly #fleet: Fleet
  /** The last one that was made, and what was acknowledged before it. */
  #last: { readonly text: string; readonly known: readonly Invalidation[] } | undefined

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  /** A process gives the others a token, and they read at once: news may still be on its way to them. */
  mark(process: SimulatedProcess, ask: (other: SimulatedProcess) => void): void {
    const known = this.#fleet.oracle.acknowledgedSoFar()
    this.#fleet.call(process, `${process.id} mark`, async () => {
      const text = await process.cache.mark()
      if (text === '') return text
      this.#last = { text, known }
      for (const other of this.#fleet.processes) if (other !== process && other.isAlive) ask(other)
      return text
    })
  }

  /** Deletes a key, and then gives the others a token. */
  deleteAndMark(process: SimulatedProcess, at: Place, ask: (other: SimulatedProcess) => void): void {
    const { storedKey } = at
    const label = `delete ${storedKey} and mark`
    const invalidation = this.#fleet.began(process, label, (value) => value.storedKey === storedKey)
    this.#fleet.call(process, `${process.id} ${label}`, async () => {
      const cache = this.#fleet.cacheOf(process, at)
      await this.#fleet.changed(process, [invalidation], () => cache.delete(at.key))
      this.mark(process, ask)
    })
  }

  /** The question of a call with the last token, and the option for that. */
  ask(question: Question): { readonly question: Question; readonly options: { readonly atLeast?: string } } {
    if (this.#last === undefined) return { question, options: {} }
    const { known, text } = this.#last
    return { question: this.#fleet.oracle.asking(question, known), options: { atLeast: text } }
  }

  get(process: SimulatedProcess, at: Place, asked: Question): void {
    const { options, question } = this.ask(asked)
    this.#fleet.call(process, `${process.id} get ${at.storedKey} at least ${options.atLeast}`, async () => {
      const text = await this.#fleet.cacheOf(process, at).get(at.key, options)
      this.#fleet.oracle.answered({ ...question, takesStale: false }, text)
      return text
    })
  }
}
