import { Worker } from 'node:worker_threads'
import type { Answer, Question, QuestionKind } from './questions.ts'

interface Waiting {
  readonly kind: QuestionKind
  readonly resolve: (answer: Answer) => void
  readonly reject: (reason: unknown) => void
}

/** What the computations of one kind came to. */
interface Effort {
  readonly count: number
  readonly ms: number
}

/** Where answers come from when the cache has none: one worker thread, which computes them one after the other. */
export class PlaceSource {
  readonly #worker = new Worker(new URL('./place-worker.js', import.meta.url))
  readonly #waiting: Waiting[] = []
  readonly #effort: Record<QuestionKind, Effort> = {
    nearest: { count: 0, ms: 0 },
    spelling: { count: 0, ms: 0 },
  }
  #failure: { readonly reason: unknown } | undefined

  /** @param signal ends the thread, and with it whatever it is asked */
  constructor(signal: AbortSignal) {
    this.#worker.on('message', ({ answer, ms }: { answer: Answer; ms: number }) => this.#answered(answer, ms))
    this.#worker.on('error', (error) => this.#fail(error))
    signal.addEventListener('abort', () => {
      this.#fail(signal.reason)
      void this.close()
    })
  }

  /** @throws what aborted the signal, or broke the thread */
  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure.reason)
      this.#waiting.push({ kind: question.kind, resolve, reject })
      this.#worker.postMessage(question)
    })
  }

  /** How long the thread has computed for an answer of this kind, on average. */
  meanMs(kind: QuestionKind): number {
    const { count, ms } = this.#effort[kind]
    return count === 0 ? 0 : ms / count
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  /** The thread answers in the order in which it was asked. */
  #answered(answer: Answer, ms: number): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) return
    const { count, ms: soFar } = this.#effort[waiting.kind]
    this.#effort[waiting.kind] = { count: count + 1, ms: soFar + ms }
    waiting.resolve(answer)
  }

  #fail(reason: unknown): void {
    this.#failure = { reason }
    for (const { reject } of this.#waiting.splice(0)) reject(reason)
  }
}
