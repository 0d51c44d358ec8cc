import { quantile, span, thousands } from '../numbers.ts'
import type { Question, QuestionKind } from '../questions.ts'
import { type Stage, timed } from '../stage.ts'

/** How often each question is asked once its answer is in the cache. */
const WARM_ROUNDS = 25

const LABELS: Readonly<Record<QuestionKind, string>> = {
  nearest: 'nearest places',
  spelling: 'misspelt name',
}

/** Latencies in milliseconds of one kind of question. */
interface Latencies {
  readonly cold: number[]
  readonly warm: number[]
}

/** Asks one question after the other, first with an empty cache and then with a full one. */
export async function coldAndWarm(stage: Stage, questions: readonly Question[]): Promise<void> {
  const { places, signal, terminal } = stage
  terminal.heading('Cold and warm')
  terminal.paragraph(
    `${questions.length} questions, one after the other: first with no answer in the cache, then ${WARM_ROUNDS} times with all of them there.`,
  )
  terminal.gap()
  const latencies: Record<QuestionKind, Latencies> = {
    nearest: { cold: [], warm: [] },
    spelling: { cold: [], warm: [] },
  }
  const progress = terminal.progress('computing', questions.length)
  for (const [index, question] of questions.entries()) {
    latencies[question.kind].cold.push(await timed(() => places.ask(question)))
    progress.update(index + 1)
  }
  progress.end()
  for (let round = 0; round < WARM_ROUNDS; round++) {
    for (const question of questions) {
      signal.throwIfAborted()
      latencies[question.kind].warm.push(await timed(() => places.ask(question)))
    }
  }
  terminal.table(
    ['', 'cold p50', 'cold p99', 'warm p50', 'warm p99', 'faster (p50)'],
    Object.entries(latencies).map(([kind, { cold, warm }]) => [
      LABELS[kind as QuestionKind],
      span(quantile(cold, 0.5)),
      span(quantile(cold, 0.99)),
      terminal.green(span(quantile(warm, 0.5))),
      terminal.green(span(quantile(warm, 0.99))),
      terminal.bold(`${thousands(Math.round(quantile(cold, 0.5) / quantile(warm, 0.5)))} times`),
    ]),
    [1, 2, 3, 4, 5],
  )
}
