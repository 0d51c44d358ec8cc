import { span } from '../numbers.ts'
import type { PlaceSource } from '../place-source.ts'
import { PLACES, type Place } from '../places.ts'
import type { Question } from '../questions.ts'
import { type Stage, timed } from '../stage.ts'

/** An answer that a person can check, computed and then found. */
export async function oneQuestionTwice({ places, source, terminal }: Stage): Promise<void> {
  const home = PLACES.find(({ name }) => name === 'Reykjavík')
  if (home === undefined) return
  const question: Question = { kind: 'nearest', country: home.country, place: home }
  await warmUp(source, home)
  const cold = await timed(() => places.ask(question))
  const warm = await timed(() => places.ask(question))
  const [, ...others] = await places.ask(question)
  const named = others.map(({ name, distance }) => `${name} (${distance.toFixed(0)} km)`).join(', ')

  terminal.heading('One question, asked twice')
  terminal.paragraph('Which places lie nearest to Reykjavík?')
  terminal.paragraph(terminal.bold(named))
  terminal.gap()
  terminal.table(
    ['', '', ''],
    [
      ['the first time', span(cold), terminal.dim('every place was looked at, the answer stored')],
      ['the second time', terminal.green(span(warm)), terminal.dim('the answer came from the cache')],
    ],
    [1],
  )
}

/** Lets the thread read its list and the compiler do its work: from here on, only computing is timed. */
async function warmUp(source: PlaceSource, place: Place): Promise<void> {
  const questions: readonly Question[] = [
    { kind: 'nearest', country: place.country, place },
    { kind: 'spelling', country: place.country, typed: place.name },
  ]
  for (const question of [...questions, ...questions, ...questions]) await source.ask(question)
}
