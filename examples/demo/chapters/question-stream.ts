import { percent, span, thousands } from '../numbers.ts'
import { keyOf, type Question } from '../questions.ts'
import { type Stage, timed } from '../stage.ts'
import { zipfDraw } from '../zipf.ts'

/** How many questions are under way at a time. */
const ASKERS = 32

/** A question of the stream, and how often it came. */
export interface Asked {
  readonly question: Question
  readonly times: number
}

/**
 * A stream of questions as people ask them, few of them often and most of them seldom: once on an empty cache,
 * and once again.
 * @returns what was asked, by the key of the answer
 */
export async function questionStream(
  stage: Stage,
  questions: readonly Question[],
  count: number,
): Promise<ReadonlyMap<string, Asked>> {
  const { backend, random, terminal } = stage
  const stream = Array.from({ length: count }, zipfDraw(questions, random))
  const asked = tallyOf(stream)
  terminal.heading(`${thousands(count)} questions, ${ASKERS} at a time`)
  terminal.paragraph(
    `Drawn from ${questions.length} by Zipf's law, as people ask: the second most popular question half as often as the first, the third a third as often, and so on. The cache is emptied first.`,
  )
  terminal.gap()
  await backend.clear()
  await firstRun(stage, stream, asked)
  await secondRun(stage, stream)
  return asked
}

async function firstRun(
  stage: Stage,
  stream: readonly Question[],
  asked: ReadonlyMap<string, Asked>,
): Promise<void> {
  const { backend, places, source, terminal } = stage
  const tally = { hits: 0, misses: 0, computed: 0 }
  const subscriptions = [
    backend.on('hit', () => tally.hits++),
    backend.on('miss', () => tally.misses++),
    backend.on('set', () => tally.computed++),
  ]
  const hitRatio = (): number => tally.hits / (tally.hits + tally.misses)
  const progress = terminal.progress('asking', stream.length)
  let answered = 0
  const tookMs = await timed(() =>
    askAll(stage, stream, async (question) => {
      await Promise.all([places.ask(question), places.record(question)])
      progress.update(++answered, `hits ${percent(hitRatio())}`)
    }),
  ).finally(() => progress.end())
  for (const unsubscribe of subscriptions) unsubscribe()

  const uncachedMs = [...asked.values()]
    .map(({ question, times }) => times * source.meanMs(question.kind))
    .reduce((sum, ms) => sum + ms, 0)
  terminal.table(
    ['', ''],
    [
      ['hit ratio', `${terminal.bold(percent(hitRatio()))}  ${terminal.bar(hitRatio())}`],
      [
        'computed',
        `${thousands(tally.computed)} answers; ${thousands(tally.misses - tally.computed)} who asked meanwhile shared them`,
      ],
      ['took', `${terminal.bold(span(tookMs))}; with no cache, ${span(uncachedMs)} of computing`],
    ],
  )
}

/** Now that every answer is there, nothing but the cache is at work. */
async function secondRun(stage: Stage, stream: readonly Question[]): Promise<void> {
  const { places, terminal, window } = stage
  const before = await window?.commandCounts()
  const tookMs = await timed(() => askAll(stage, stream, (question) => places.ask(question)))
  const after = await window?.commandCounts()
  const perSecond = Math.round((1_000 * stream.length) / tookMs)

  terminal.gap()
  terminal.paragraph('The same questions once more, now that all answers are there:')
  terminal.table(
    ['', ''],
    [
      ['took', `${terminal.bold(span(tookMs))}, that is ${thousands(perSecond)} answers a second`],
      ...(before === undefined || after === undefined
        ? []
        : [
            [
              'travelled',
              `${thousands(stream.length)} gets as ${terminal.bold(`${thousands((after.get('mget') ?? 0) - (before.get('mget') ?? 0))} MGET`)}: the gets of one tick share one`,
            ],
          ]),
    ],
  )
}

/** Each asker takes the next question as soon as its last one is answered. */
async function askAll(
  { signal }: Stage,
  stream: readonly Question[],
  ask: (question: Question) => Promise<unknown>,
): Promise<void> {
  const questions = stream.values()
  const asker = async (): Promise<void> => {
    for (const question of questions) {
      signal.throwIfAborted()
      await ask(question)
    }
  }
  await Promise.all(Array.from({ length: ASKERS }, asker))
}

function tallyOf(stream: readonly Question[]): ReadonlyMap<string, Asked> {
  const asked = new Map<string, Asked>()
  for (const question of stream) {
    const key = keyOf(question)
    asked.set(key, { question, times: (asked.get(key)?.times ?? 0) + 1 })
  }
  return asked
}
