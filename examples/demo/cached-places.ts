import type { CacheBackend } from 'cachewright'
import type { PlaceSource } from './place-source.ts'
import { type Answer, keyOf, type Question } from './questions.ts'

/** The source with a cache in front of it. */
export class CachedPlaces {
  readonly #backend: CacheBackend<Answer>
  readonly #source: PlaceSource
  readonly #underway = new Map<string, Promise<Answer>>()

  constructor(backend: CacheBackend<Answer>, source: PlaceSource) {
    this.#backend = backend
    this.#source = source
  }

  async ask(question: Question): Promise<Answer> {
    return (await this.#backend.get(keyOf(question))) ?? this.#compute(question)
  }

  /** Computes and stores. Whoever asks meanwhile waits for the same answer. */
  #compute(question: Question): Promise<Answer> {
    const key = keyOf(question)
    const underway = this.#underway.get(key)
    if (underway !== undefined) return underway
    const answer = this.#source
      .ask(question)
      .then(async (computed) => {
        await this.#backend.set(key, computed, '10m')
        return computed
      })
      .finally(() => this.#underway.delete(key))
    this.#underway.set(key, answer)
    return answer
  }

  /** Keeps count: how often each kind was asked, and from which countries. Both are gone after an hour. */
  async record({ kind, country }: Question): Promise<void> {
    await Promise.all([
      this.#backend.incr(`asked:${kind}`, 1, { ttl: '1h' }),
      this.#backend.addToSet('countries', country, { ttl: '1h' }),
    ])
  }
}
