import { type Match, nearestPlaces, type Place, placesMeant } from './places.ts'
import type { Random } from './zipf.ts'

/** What people ask. `country` is where they ask from. */
export type Question =
  | { readonly kind: 'nearest'; readonly country: string; readonly place: Place }
  | { readonly kind: 'spelling'; readonly country: string; readonly typed: string }

export type QuestionKind = Question['kind']

/** What the cache keeps. */
export type Answer = readonly Match[]

/** How many places an answer names. */
const MATCHES = 5

/** The expensive part: a look at every place in the world. */
export function compute(question: Question): Answer {
  return question.kind === 'nearest'
    ? nearestPlaces(question.place, MATCHES)
    : placesMeant(question.typed, question.country, MATCHES)
}

/** The key of the answer. All that the answer depends on is in it, the country first: see `invalidatePattern`. */
export function keyOf(question: Question): string {
  const subject = question.kind === 'nearest' ? question.place.id : question.typed
  return `answer:${question.country}:${question.kind}:${subject}`
}

/** Both questions about each of these places, in their order. */
export function questionsAbout(places: readonly Place[], random: Random): Question[] {
  return places.flatMap((place): Question[] => [
    { kind: 'nearest', country: place.country, place },
    { kind: 'spelling', country: place.country, typed: misspell(place.name, random) },
  ])
}

/** Swaps two neighbouring letters, or leaves one out. */
function misspell(name: string, random: Random): string {
  const letters = [...name]
  const at = 1 + Math.floor(random() * Math.max(1, letters.length - 2))
  const isSwap = random() < 0.5 && letters[at] !== letters[at + 1]
  const touched = isSwap ? [letters[at + 1] ?? '', letters[at] ?? ''] : [letters[at + 1] ?? '']
  return [...letters.slice(0, at), ...touched, ...letters.slice(at + 2)].join('')
}
